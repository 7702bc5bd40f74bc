"""The table of risks knows all that a real API server serves, and what it is good for is tried there."""

import json
from collections.abc import Iterator
from typing import Any

from curfew.core.risk import permanent, risks, words_of
from curfew.core.risk_table import UNRECOGNISED
from tests.integration.installed import Installed


def discovered(cluster: Installed) -> Iterator[tuple[str, str, str]]:
    """Yield each group, resource and verb that the API server serves."""

    def read(path: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(cluster.kubectl("get", "--raw", path).stdout)
        return answer

    versions = [(group["name"], v["groupVersion"]) for group in read("/apis")["groups"] for v in group["versions"]]
    for group, path in (("", "/api/v1"), *((group, f"/apis/{version}") for group, version in versions)):
        for resource in read(path)["resources"]:
            for verb in resource["verbs"]:
                yield group, resource["name"], verb


def test_every_verb_on_every_resource_of_the_api_server_is_classified(cluster: Installed) -> None:
    """Each is risky in a word or harmless in the table. One that a new Kubernetes brings makes this fail."""
    served = set(discovered(cluster))

    assert len(served) > 500
    assert sorted(one for one in served if UNRECOGNISED in words_of(*one)) == []


def test_the_roles_that_kubernetes_has_for_people_are_what_they_are_known_for(cluster: Installed) -> None:
    """`view` leaves nothing; `edit`, `admin` and `cluster-admin` are permanent, each with more than the one before."""

    def of(name: str) -> set[str]:
        role = json.loads(cluster.kubectl("get", "clusterrole", name, "--output=json").stdout)
        return set(risks(role["rules"]))

    assert of("view") == set()
    assert {"CreatesPods", "Impersonates", "MintsTokens"} <= set(permanent(of("edit")))
    assert of("edit") < of("admin") < of("cluster-admin")
    assert UNRECOGNISED not in of("admin")

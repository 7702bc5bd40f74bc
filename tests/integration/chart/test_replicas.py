"""Several operators: what the chart renders for two and for one, and what an API server does with it."""

import json
from contextlib import closing
from typing import Any, Final

import pytest

from tests.integration.chart.helm import kinds, one, rendered, template
from tests.integration.installed import MONITOR, OPERATOR, RBAC, SWEEPER, SYSTEM, Installed
from tests.support.api import succeed, until
from tools.servers.pki import ADMIN

RANKS: Final = ("X-Kubernetes-PF-FlowSchema-UID", "X-Kubernetes-PF-PriorityLevel-UID")
BINDINGS: Final = f"/apis/{RBAC}/v1/rolebindings"
LEASE: Final = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
FOLDER: Final = "config.audit.url=file:///var/lib/curfew,config.audit.worm=advisory"


def lease(name: str = "curfew", **metadata: str) -> dict[str, Any]:
    """Return a Lease that somebody holds."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": SYSTEM, **metadata},
        "spec": {"holderIdentity": "me"},
    }


def test_two_operators_are_replaced_one_after_the_other() -> None:
    """A new one is ready before an old one goes; a drain takes one; each is on a node of its own, if there are two."""
    manifests = rendered()

    deployment = one(manifests, "Deployment")["spec"]
    budget = one(manifests, "PodDisruptionBudget")["spec"]
    pod = deployment["template"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert budget["selector"] == deployment["selector"]
    assert budget["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    spread = {each["topologyKey"]: each for each in pod["spec"]["topologySpreadConstraints"]}
    assert set(spread) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    for each in spread.values():
        assert (each["whenUnsatisfiable"], each["labelSelector"]) == ("ScheduleAnyway", deployment["selector"])


def test_one_operator_is_the_same_with_another_number() -> None:
    """A drain of its node is not blocked: at most one is missing, which is the only one."""

    def but_for_the_number(*values: str) -> list[dict[str, Any]]:
        manifests = rendered("--set", "signingKey.existingSecret=k", *values)
        del one(manifests, "Deployment")["spec"]["replicas"]
        return manifests

    assert one(rendered("--set", "replicas=1"), "Deployment")["spec"]["replicas"] == 1
    assert but_for_the_number("--set", "replicas=1") == but_for_the_number()


def test_a_trail_in_the_pod_has_one_operator_that_goes_before_another_comes() -> None:
    """Two would write two trails; that is refused, with what to type, and never assumed."""
    refused = template("--set", f"{FOLDER},replicas=2")
    for value in ("replicas=1", "replicas=null"):
        deployment = one(rendered("--set", FOLDER, "--set", value), "Deployment")["spec"]
        assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})

    assert refused.returncode != 0
    assert "each operator would write a trail of its own. For a trial, run one (--set replicas=1)" in refused.stderr


@pytest.mark.parametrize("value", ["replicas=0", "replicas=-1", "replicas=10", "replicas=two", "replicas=1.5"])
def test_a_number_that_is_none_is_named(value: str) -> None:
    assert "'/replicas'" in template("--set", value).stderr


def test_the_pods_have_a_class_of_ours_or_of_yours() -> None:
    ours, yours = rendered(), rendered("--set", "priorityClassName=mine")

    assert one(ours, "PriorityClass")["value"] == 1000000
    assert "PriorityClass" not in kinds(yours)
    for manifests, name in ((ours, "curfew"), (yours, "mine")):
        assert one(manifests, "Deployment")["spec"]["template"]["spec"]["priorityClassName"] == name


def test_the_spread_can_be_yours() -> None:
    """Then nothing of ours is added."""
    mine = {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    manifests = rendered("--set-json", f"topologySpreadConstraints=[{json.dumps(mine)}]")

    assert one(manifests, "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"] == [mine]


def test_the_operator_can_make_its_own_lease_and_no_other(cluster: Installed) -> None:
    """RBAC limits `create` to a name if the object is made by PUT; two cannot both make it."""
    api = cluster.api
    api.ask("DELETE", f"{LEASE}/curfew")

    other = api.ask("PUT", f"{LEASE}/other", lease("other"), user=OPERATOR)
    posted = api.ask("POST", LEASE, lease(), user=OPERATOR)
    made = api.ask("PUT", f"{LEASE}/curfew", lease(), user=OPERATOR)
    again = api.ask("PUT", f"{LEASE}/curfew", lease(), user=OPERATOR)

    assert "cannot update resource" in other.stderr
    assert "cannot create resource" in posted.stderr
    assert made.returncode == 0, made.stderr
    assert "must be specified for an update" in again.stderr
    assert "cannot delete resource" in api.ask("DELETE", f"{LEASE}/curfew", user=OPERATOR).stderr
    api.ask("DELETE", f"{LEASE}/curfew")


@pytest.fixture
def uids(cluster: Installed) -> dict[str, str]:
    """Return which flow schema and which priority level are ours, as the API server names them in its answers."""
    root = "/apis/flowcontrol.apiserver.k8s.io/v1"
    found = {
        header: json.loads(succeed(cluster.api.ask("GET", f"{root}/{kind}/curfew-ends")))["metadata"]["uid"]
        for header, kind in zip(RANKS, ("flowschemas", "prioritylevelconfigurations"), strict=True)
    }
    until(lambda: classified(cluster, SWEEPER, "GET", BINDINGS) == found, "that the flow schema is in force")
    return found


def classified(cluster: Installed, user: str, method: str, path: str, body: object = None) -> dict[str, str | None]:
    """Make a call as somebody and return how the API server has ranked it."""
    with closing(cluster.api.connect(ADMIN)) as connection:
        headers = {"Impersonate-User": user, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        answer.read()
        return {name: answer.headers[name] for name in RANKS}


@pytest.mark.parametrize("user", [OPERATOR, SWEEPER], ids=["operator", "sweeper"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("DELETE", f"/apis/{RBAC}/v1/namespaces/default/rolebindings/curfew-none", id="an end"),
        pytest.param("GET", BINDINGS, id="a list of bindings"),
        pytest.param("GET", f"{BINDINGS}?watch=1&timeoutSeconds=1", id="a watch of bindings"),
    ],
)
def test_what_ends_access_has_a_queue_of_its_own(
    cluster: Installed, uids: dict[str, str], user: str, method: str, path: str
) -> None:
    assert classified(cluster, user, method, path) == uids


def test_the_lease_is_renewed_in_that_queue(cluster: Installed, uids: dict[str, str]) -> None:
    """Who waits for it no longer leads."""
    assert classified(cluster, OPERATOR, "GET", f"{LEASE}/curfew") == uids
    assert classified(cluster, OPERATOR, "PUT", f"{LEASE}/curfew", lease()) == uids


@pytest.mark.parametrize(
    ("user", "method", "path"),
    [
        pytest.param(OPERATOR, "POST", f"/apis/{RBAC}/v1/namespaces/default/rolebindings", id="a grant"),
        pytest.param(OPERATOR, "GET", "/apis/curfew.dev/v1alpha1/accessrequests", id="a list of requests"),
        pytest.param(OPERATOR, "GET", LEASE.replace(SYSTEM, "kube-system"), id="leases of others"),
        pytest.param(MONITOR, "GET", BINDINGS, id="the monitor's list of bindings"),
    ],
)
def test_nothing_else_is_in_that_queue(
    cluster: Installed, uids: dict[str, str], user: str, method: str, path: str
) -> None:
    assert set(classified(cluster, user, method, path).values()).isdisjoint(uids.values())

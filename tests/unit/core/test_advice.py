"""A smaller role: what is kept of the granted rules, what is left out, and how the rest is counted."""

from typing import Any

import pytest

from curfew.core.activity.usage import Needed
from curfew.core.advice import enough_for, refused

GET_PODS, LIST_PODS = Needed("get", "", "pods", "", "a"), Needed("list", "", "pods")
READS: dict[str, Any] = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list"]}
SECRETS: dict[str, Any] = {
    "apiGroups": [""],
    "resources": ["secrets"],
    "verbs": ["get"],
    "resourceNames": ["db", "mail"],
}


def rule(group: str, resources: list[str], verbs: list[str], names: list[str] | None = None) -> dict[str, Any]:
    """Return a rule."""
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **({"resourceNames": names} if names else {})}


@pytest.mark.parametrize(
    ("granted", "used", "enough"),
    [
        pytest.param([READS], [GET_PODS], [rule("", ["pods"], ["get"])], id="one verb on one resource"),
        pytest.param([READS], [GET_PODS, LIST_PODS], [rule("", ["pods"], ["get", "list"])], id="verbs together"),
        pytest.param(
            [READS],
            [GET_PODS, Needed("get", "", "services", "", "b")],
            [rule("", ["pods", "services"], ["get"])],
            id="resources with the same verbs together",
        ),
        pytest.param(
            [READS],
            [GET_PODS, Needed("list", "", "services")],
            [rule("", ["pods"], ["get"]), rule("", ["services"], ["list"])],
            id="no verb that one of the resources did not need",
        ),
        pytest.param([rule("*", ["*"], ["*"])], [LIST_PODS], [rule("", ["pods"], ["list"])], id="no wildcard is kept"),
        pytest.param(
            [SECRETS], [Needed("get", "", "secrets", "", "db")], [rule("", ["secrets"], ["get"], ["db"])], id="names"
        ),
        pytest.param(
            [SECRETS, rule("", ["secrets"], ["get"])],
            [Needed("get", "", "secrets", "", "db")],
            [rule("", ["secrets"], ["get"])],
            id="names do not matter if a rule without names allows the call too",
        ),
        pytest.param(
            [rule("apps", ["*/scale"], ["patch"])],
            [Needed("patch", "apps", "deployments", "scale", "web")],
            [rule("apps", ["deployments/scale"], ["patch"])],
            id="a part of an object",
        ),
        pytest.param(
            [rule("", ["serviceaccounts"], ["impersonate"], ["ci"])],
            [Needed("impersonate", "", "serviceaccounts", "", "ci")],
            [rule("", ["serviceaccounts"], ["impersonate"], ["ci"])],
            id="acting as a service account",
        ),
        pytest.param([READS], [], [], id="nothing was used"),
    ],
)
def test_the_rules_are_as_few_as_the_used_calls_need(
    granted: list[dict[str, Any]], used: list[Needed], enough: list[dict[str, Any]]
) -> None:
    assert list(enough_for(granted, used).rules) == enough


def test_the_share_is_of_verbs_on_resources_each_counted_once() -> None:
    advice = enough_for([READS, READS, SECRETS], [GET_PODS, LIST_PODS])

    assert (advice.used, advice.granted) == (2, 5)
    assert advice.unused == ("get services", "list services", "get secrets named db, mail")


def test_rules_for_urls_are_not_counted_because_a_binding_in_a_namespace_grants_none() -> None:
    assert enough_for([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}], []).granted == 0


@pytest.mark.parametrize("broken", [{}, {"verbs": "get"}, {"apiGroups": [""], "resources": [7], "verbs": None}])
def test_a_rule_that_cannot_be_read_grants_nothing(broken: dict[str, Any]) -> None:
    advice = enough_for([broken], [GET_PODS])

    assert advice.rules == ()
    assert advice.not_granted == (GET_PODS,)


def test_what_the_rules_do_not_allow_is_named_in_its_order() -> None:
    calls = [Needed("delete", "", "pods", "", "a"), GET_PODS, Needed("get", "", "secrets", "", "root")]

    assert refused([READS, SECRETS], calls) == (calls[0], calls[2])

"""Whether the rules of a role would allow a call, as RBAC decides it."""

from typing import Any

import pytest

from curfew.core.activity.rules import allows
from tests.support.activity import a_call


def rule(**changes: Any) -> dict[str, Any]:
    """Return a rule that allows to get pods."""
    return {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **changes}


@pytest.mark.parametrize(
    ("changes", "verb", "what", "is_allowed"),
    [
        pytest.param({}, "get", "pods/web", True, id="all of it fits"),
        pytest.param({}, "list", "pods/web", False, id="another verb"),
        pytest.param({"verbs": ["*"]}, "deletecollection", "pods/", True, id="every verb"),
        pytest.param({}, "get", "pods.other.io/web", False, id="another group"),
        pytest.param({"apiGroups": ["*"]}, "get", "pods.other.io/web", True, id="every group"),
        pytest.param({}, "get", "secrets/web", False, id="another resource"),
        pytest.param({}, "get", "pods/web (log)", False, id="a subresource is another resource"),
        pytest.param({"resources": ["pods/log"]}, "get", "pods/web (log)", True, id="a subresource by name"),
        pytest.param({"resources": ["pods/log"]}, "get", "pods/web", False, id="not the resource of a subresource"),
        pytest.param({"resources": ["*/log"]}, "get", "pods/web (log)", True, id="a subresource of all resources"),
        pytest.param({"resources": ["*/log"]}, "get", "pods/web (exec)", False, id="another subresource of all"),
        pytest.param({"resources": ["*/log"]}, "get", "pods/web", False, id="no subresource"),
        pytest.param({"resources": ["*"]}, "get", "pods/web (exec)", True, id="every resource, with subresources"),
        pytest.param({"resources": ["pods/*"]}, "get", "pods/web (log)", False, id="RBAC knows no such star"),
        pytest.param({"resourceNames": ["web"]}, "get", "pods/web", True, id="the object by name"),
        pytest.param({"resourceNames": ["web"]}, "get", "pods/db", False, id="another object"),
        pytest.param({"resourceNames": ["web"], "verbs": ["list"]}, "list", "pods/", False, id="a list has no name"),
        pytest.param(
            {"resourceNames": ["web"], "verbs": ["list"]}, "list", "pods/web", True, id="a list of one by field"
        ),
        pytest.param(
            {"resourceNames": ["web"], "verbs": ["create"]}, "create", "pods/web", False, id="RBAC sees no body"
        ),
        pytest.param(
            {"resources": ["pods/exec"], "resourceNames": ["web"], "verbs": ["create"]},
            "create",
            "pods/web (exec)",
            True,
            id="the name of a subresource is in the path",
        ),
        pytest.param({"resourceNames": []}, "get", "pods/web", True, id="no names mean all"),
        pytest.param({"verbs": None}, "get", "pods/web", False, id="no verbs"),
        pytest.param({"resources": "pods"}, "get", "pods/web", False, id="a text is no list"),
        pytest.param({"verbs": [None, 7]}, "get", "pods/web", False, id="rubbish in a list"),
    ],
)
def test_a_rule_allows_what_rbac_would_allow(changes: dict[str, Any], verb: str, what: str, is_allowed: bool) -> None:
    assert allows([rule(**changes)], a_call(verb, what)) is is_allowed


@pytest.mark.parametrize(
    ("urls", "uri", "is_allowed"),
    [
        (["/healthz"], "/healthz", True),
        (["/healthz"], "/healthz/etcd", False),
        (["/healthz/*"], "/healthz/etcd?verbose", True),
        (["*"], "/anything", True),
        ([], "/healthz", False),
    ],
)
def test_urls_that_are_no_resources_have_rules_of_their_own(urls: list[str], uri: str, is_allowed: bool) -> None:
    assert allows([{"nonResourceURLs": urls, "verbs": ["get"]}], a_call("get", "", uri=uri)) is is_allowed
    assert not allows([{"nonResourceURLs": urls, "verbs": ["get"]}], a_call("post", "", uri=uri))


def test_one_rule_is_enough_and_none_is_not() -> None:
    assert allows([rule(verbs=["list"]), rule()], a_call("get", "pods/web"))
    assert not allows([], a_call("get", "pods/web"))

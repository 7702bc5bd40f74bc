"""What is risky in a role is said in words, and what makes access permanent is refused unless it is meant."""

from typing import Any

import pytest

from curfew.core.risk import PERMANENT, risks
from tests.support.builders import a_policy, a_request, a_role
from tests.support.stage import Stage


def a_rule(verbs: str, resources: str, group: str = "") -> dict[str, Any]:
    """Return one rule of a role."""
    return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}


RBAC = "rbac.authorization.k8s.io"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        pytest.param(a_rule("get list watch", "pods pods/log configmaps"), (), id="looking at pods"),
        pytest.param(a_rule("get", "secrets"), ("ReadsSecrets",), id="reading secrets"),
        pytest.param(a_rule("create", "secrets"), ("MintsTokens",), id="a Secret can be filled with a token"),
        pytest.param(a_rule("delete", "secrets"), (), id="a Secret that is gone tells nothing"),
        pytest.param(a_rule("create", "pods/exec"), ("ExecsIntoPods",), id="exec"),
        pytest.param(a_rule("get", "pods/exec"), ("ExecsIntoPods",), id="exec by websocket is a get"),
        pytest.param(a_rule("create", "pods/portforward"), ("ForwardsPorts",), id="port-forward"),
        pytest.param(a_rule("create", "deployments", "apps"), ("CreatesPods",), id="deployments make pods"),
        pytest.param(a_rule("create", "deployments"), (), id="the group counts"),
        pytest.param(a_rule("create", "serviceaccounts/token"), ("MintsTokens",), id="tokens"),
        pytest.param(a_rule("impersonate", "serviceaccounts"), ("Impersonates",), id="impersonation"),
        pytest.param(a_rule("bind", "clusterroles", RBAC), ("Binds",), id="bind"),
        pytest.param(a_rule("escalate", "roles", RBAC), ("Escalates",), id="escalate"),
        pytest.param(a_rule("create", "rolebindings", RBAC), ("WritesRBAC",), id="bindings"),
        pytest.param(a_rule("patch", "accesspolicies", "curfew.dev"), ("WritesAccessPolicies",), id="policies"),
        pytest.param(a_rule("approve", "accesspolicies", "curfew.dev"), ("Decides",), id="approving"),
        pytest.param(a_rule("approve", "accesspolicies/owners", "curfew.dev"), ("Decides",), id="approving a stage"),
        pytest.param(a_rule("approve", "*/owners", "curfew.dev"), ("Decides",), id="approving a stage of everything"),
        pytest.param(a_rule("approve", "*/owners", "*"), ("Decides",), id="approving a stage of everything anywhere"),
        pytest.param(a_rule("approve", "accesspolicies/owners"), (), id="a stage of another group"),
        pytest.param(a_rule("approve", "accessrequests/owners", "curfew.dev"), (), id="no stage of a policy"),
        pytest.param(a_rule("get", "accesspolicies/owners", "curfew.dev"), (), id="looking at a stage"),
        pytest.param(a_rule("request-on-behalf", "accesspolicies", "curfew.dev"), ("Decides",), id="asking for others"),
        pytest.param(a_rule("revoke", "accesspolicies", "curfew.dev"), (), id="ending early makes nothing permanent"),
        pytest.param(a_rule("*", "configmaps"), ("Wildcard",), id="all verbs"),
        pytest.param(a_rule("create", "*/token"), ("MintsTokens",), id="a subresource of everything"),
        pytest.param(
            a_rule("get", "*"),
            ("EntersNodes", "ExecsIntoPods", "ForwardsPorts", "ReadsSecrets", "Wildcard"),
            id="all of a group",
        ),
        pytest.param({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, (), id="no resource at all"),
    ],
)
def test_a_rule_is_said_in_words(rule: dict[str, Any], words: tuple[str, ...]) -> None:
    """Each word is earned by verbs on resources of a group."""
    assert risks([rule]) == words


async def test_a_role_that_makes_access_permanent_is_refused() -> None:
    """Not Ready, with the words; and a request is refused with the same (promise P1)."""
    stage = Stage()
    stage.cluster.apply(a_role(rules=[a_rule("create", "serviceaccounts/token")]))
    stage.dirty.add(("payments", "debug"))
    stage.cluster.apply(a_request())
    await stage.settle()

    policy = stage.cluster.all("AccessPolicy")[0]
    assert policy["status"]["risk"] == ["MintsTokens"]
    assert policy["status"]["conditions"][0]["reason"] == "RoleIsPermanent"
    assert stage.cluster.status("inc-4711")["endReason"] == "RoleIsPermanent"


async def test_it_is_offered_when_the_policy_says_so_by_name() -> None:
    """And flagged on policy and request."""
    stage = Stage(policy=a_policy(allowPermanence=True))
    stage.cluster.apply(a_role(rules=[a_rule("*", "*")]))
    stage.cluster.apply(a_request())
    await stage.settle()

    assert stage.phase() == "Pending"
    assert "Wildcard" in stage.cluster.status("inc-4711")["terms"]["risk"]
    assert "Wildcard" in PERMANENT

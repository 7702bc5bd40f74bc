"""What is risky in a role is said in words, and what makes access permanent is refused unless it is meant."""

from typing import Any

import pytest

from curfew.core.keys import PolicyKey
from curfew.core.risk import MOST, permanent, risks, words_of
from curfew.core.risk_table import MEANINGS, ROWS, TOO_LARGE, UNRECOGNISED, WILDCARD
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
        pytest.param(a_rule("create", "deployments"), ("Unrecognised",), id="the group counts"),
        pytest.param(a_rule("patch", "deployments/scale", "apps"), (), id="scaling makes nothing new"),
        pytest.param(a_rule("patch", "rollouts", "argoproj.io"), ("CreatesPods",), id="workloads of other kinds"),
        pytest.param(a_rule("create", "pipelineruns", "tekton.dev"), ("CreatesPods",), id="pipelines"),
        pytest.param(a_rule("update", "controllerrevisions", "apps"), ("CreatesPods",), id="what a set goes back to"),
        pytest.param(a_rule("patch", "applications", "argoproj.io"), ("DeploysManifests",), id="a deployment by Argo"),
        pytest.param(
            a_rule("patch", "helmreleases", "helm.toolkit.fluxcd.io"), ("DeploysManifests",), id="a deployment by Flux"
        ),
        pytest.param(a_rule("create", "certificates", "cert-manager.io"), ("IssuesCertificates",), id="certificates"),
        pytest.param(
            a_rule("create", "podcertificaterequests", "certificates.k8s.io"), ("IssuesCertificates",), id="of pods"
        ),
        pytest.param(
            a_rule("create", "externalsecrets", "external-secrets.io"), ("SyncsSecrets",), id="Secrets by others"
        ),
        pytest.param(a_rule("create", "serviceaccounts"), ("WritesServiceAccounts",), id="service accounts"),
        pytest.param(a_rule("delete", "rolebindings", RBAC), ("RemovesRBAC",), id="taking access away"),
        pytest.param(a_rule("watch", "secrets"), ("ReadsSecrets", "WatchesSecrets"), id="an open watch"),
        pytest.param(a_rule("get", "nodes/proxy"), ("EntersNodes",), id="the kubelet"),
        pytest.param(
            a_rule("patch", "validatingwebhookconfigurations", "admissionregistration.k8s.io"),
            ("ConfiguresAdmission",),
            id="admission",
        ),
        pytest.param(a_rule("get", "widgets", "example.com"), ("Unrecognised",), id="another group"),
        pytest.param(a_rule("get", "pods", "*"), ("Unrecognised",), id="any group"),
        pytest.param(a_rule("knock", "pods"), ("Unrecognised",), id="another verb"),
        pytest.param(a_rule("create", "serviceaccounts/token"), ("MintsTokens",), id="tokens"),
        pytest.param(a_rule("impersonate", "serviceaccounts"), ("Impersonates",), id="impersonation"),
        pytest.param(
            a_rule("impersonate:serviceaccount", "serviceaccounts", "authentication.k8s.io"),
            ("Impersonates",),
            id="constrained impersonation, of whom",
        ),
        pytest.param(
            a_rule("impersonate-on:user-info:get", "widgets", "example.com"),
            ("Impersonates",),
            id="constrained impersonation, for what",
        ),
        pytest.param(a_rule("bind", "clusterroles", RBAC), ("Binds",), id="bind"),
        pytest.param(a_rule("escalate", "roles", RBAC), ("Escalates",), id="escalate"),
        pytest.param(a_rule("create", "rolebindings", RBAC), ("WritesRBAC",), id="bindings"),
        pytest.param(a_rule("patch", "accesspolicies", "curfew.dev"), ("WritesAccessPolicies",), id="policies"),
        pytest.param(a_rule("approve", "accesspolicies", "curfew.dev"), ("Decides",), id="approving"),
        pytest.param(a_rule("delete", "accesslocks", "curfew.dev"), ("LocksAccess",), id="lifting a lock"),
        pytest.param(a_rule("create", "alertresponses", "curfew.dev"), ("AnswersAlerts",), id="silencing alerts"),
        pytest.param(a_rule("approve", "accesspolicies/owners", "curfew.dev"), ("Decides",), id="approving a stage"),
        pytest.param(
            a_rule("approve", "*/owners", "curfew.dev"),
            ("Decides", "Unrecognised"),
            id="approving a stage of everything",
        ),
        pytest.param(
            a_rule("approve", "*/owners", "*"),
            ("Decides", "Unrecognised"),
            id="approving a stage of everything anywhere",
        ),
        pytest.param(a_rule("approve", "accesspolicies/owners"), ("Unrecognised",), id="a stage of another group"),
        pytest.param(
            a_rule("approve", "accessrequests/owners", "curfew.dev"), ("Unrecognised",), id="no stage of a policy"
        ),
        pytest.param(a_rule("get", "accesspolicies/owners", "curfew.dev"), ("Unrecognised",), id="looking at a stage"),
        pytest.param(a_rule("request-on-behalf", "accesspolicies", "curfew.dev"), ("Decides",), id="asking for others"),
        pytest.param(a_rule("revoke", "accesspolicies", "curfew.dev"), (), id="ending early makes nothing permanent"),
        pytest.param(a_rule("*", "configmaps"), ("ChangesSettings", "Impersonates", "Wildcard"), id="all verbs"),
        pytest.param(a_rule("create", "*/token"), ("MintsTokens", "Unrecognised"), id="a subresource of everything"),
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


def test_every_word_has_a_reason_and_every_row_a_word_that_is_known() -> None:
    """And a status has room for all of them."""
    assert {row.word for row in ROWS if row.word} == set(MEANINGS) - {TOO_LARGE, UNRECOGNISED, WILDCARD}
    assert all(meaning.why and not meaning.why.endswith(".") for meaning in MEANINGS.values())
    assert len(MEANINGS) <= 32


def test_no_two_rows_differ_about_a_resource() -> None:
    """What is harmless in one row is not risky in another: then the harmless one would be wrong."""
    for row in ROWS:
        if row.word:
            continue
        for resource in row.resources:
            for verb in row.verbs:
                assert "*" in resource or words_of(row.group, resource, verb) == frozenset(), (
                    row.group,
                    resource,
                    verb,
                )


def test_what_is_unknown_is_shown_and_can_be_offered() -> None:
    """A policy for a kind that Curfew does not know is not refused, but says so."""
    assert permanent(risks([a_rule("patch", "widgets", "example.com")])) == ()


def test_a_role_that_names_more_than_can_be_looked_through_is_permanent() -> None:
    """A namespace admin can write roles as large as the API server takes: they cost no more than a bound."""
    huge = a_rule("get", " ".join(f"r{n}" for n in range(MOST + 1)))

    assert risks([huge]) == permanent([TOO_LARGE]) == (TOO_LARGE,)


async def test_a_role_that_makes_access_permanent_is_refused() -> None:
    """Not Ready, with the words; and a request is refused with the same (promise P1)."""
    stage = Stage()
    stage.cluster.apply(a_role(rules=[a_rule("create", "serviceaccounts/token")]))
    stage.dirty.add(PolicyKey("payments", "debug"))
    stage.cluster.apply(a_request())
    await stage.settle()

    policy = stage.cluster.all("AccessPolicy")[0]
    assert policy["status"]["risk"] == ["MintsTokens"]
    (remains,) = (said for said in policy["status"]["conditions"] if said["type"] == "EndsWithGrant")
    assert remains["status"] == "False"
    assert MEANINGS["MintsTokens"].why in remains["message"]
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
    assert permanent(["Wildcard"])

"""The service accounts may do what they need, and nothing else: the chart's rights, read back from the API server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.installed import GRANTABLE, MONITOR, OPERATOR, SWEEPER, SYSTEM, Installed
from tests.support.api import succeed
from tools.servers.cluster import run_command

RBAC = "rbac.authorization.k8s.io"
BINDINGS = f"rolebindings.{RBAC}"
HERE, ANYWHERE = "here", ""
"""Where somebody may something: in the namespace that takes part, or in all."""

Right = tuple[str, str, str, str]
"""API group, resource, verb, and the name it is limited to ("" for all)."""

EVERYWHERE: dict[str, set[Right]] = {
    OPERATOR: {
        *(("curfew.dev", "accessrequests", verb, "") for verb in ("get", "list", "watch", "patch")),
        ("curfew.dev", "accessrequests/status", "patch", ""),
        *(("curfew.dev", "accesspolicies", verb, "") for verb in ("list", "watch")),
        ("curfew.dev", "accesspolicies/status", "patch", ""),
        *(("curfew.dev", "accesslocks", verb, "") for verb in ("list", "watch")),
        ("curfew.dev", "accesslocks/status", "patch", ""),
        *((RBAC, "rolebindings", verb, "") for verb in ("get", "list", "watch", "delete")),
        *((RBAC, kind, verb, "") for kind in ("roles", "clusterroles") for verb in ("get", "list", "watch")),
        ("authorization.k8s.io", "subjectaccessreviews", "create", ""),
        ("events.k8s.io", "events", "create", ""),
    },
    SWEEPER: {(RBAC, "rolebindings", verb, "") for verb in ("list", "delete")},
    MONITOR: {
        ("curfew.dev", "accessrequests/status", "patch", ""),
        ("curfew.dev", "alertresponses", "list", ""),
        ("events.k8s.io", "events", "create", ""),
        *((RBAC, kind, verb, "") for kind in ("rolebindings", "clusterrolebindings") for verb in ("get", "list")),
    },
}
AT_HOME_OF_THE_MONITOR: set[Right] = {
    *(("coordination.k8s.io", "leases", verb, "curfew-monitor") for verb in ("get", "update")),
    ("", "secrets", "list", "curfew-monitor-canary"),
}
IN_KUBE_SYSTEM: set[Right] = {("coordination.k8s.io", "leases", "list", "")}
WHERE_OPTED_IN: set[Right] = {
    (RBAC, "rolebindings", "create", ""),
    ("curfew.dev", "accessrequests", "delete", ""),
    *((RBAC, "clusterroles", "bind", name) for name in GRANTABLE),
}


def rights(cluster: Installed, user: str, namespace: str) -> set[Right]:
    """Return every right of a user in a namespace, as the API server's own rules review tells."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    groups = ("system:authenticated", "system:serviceaccounts", "system:serviceaccounts:curfew-system")
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    status = json.loads(succeed(cluster.api.ask("POST", reviews, review, user=user, groups=groups)))["status"]
    assert not status["incomplete"]
    return {
        (group, resource, verb, name)
        for rule in status["resourceRules"]
        for group in rule.get("apiGroups", [""])
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


@pytest.fixture
def stranger_namespace(cluster: Installed) -> Iterator[str]:
    """Return a namespace that does not take part."""
    name = cluster.make_namespace(opted_in=False)
    yield name
    cluster.drop_namespace(name)


@pytest.mark.parametrize("user", [OPERATOR, SWEEPER, MONITOR], ids=["operator", "sweeper", "monitor"])
def test_rights_where_nobody_opted_in(cluster: Installed, stranger_namespace: str, user: str) -> None:
    """Beyond what every service account has, exactly what the chart gives everywhere."""
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", stranger_namespace)

    assert rights(cluster, user, stranger_namespace) - everybodys == EVERYWHERE[user]


def test_rights_where_a_namespace_takes_part(cluster: Installed, namespace: str) -> None:
    """The operator may bind the roles that it was given by name; the sweeper and the monitor get nothing more."""
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", namespace)

    assert rights(cluster, OPERATOR, namespace) - everybodys == EVERYWHERE[OPERATOR] | WHERE_OPTED_IN
    assert rights(cluster, SWEEPER, namespace) - everybodys == EVERYWHERE[SWEEPER]
    assert rights(cluster, MONITOR, namespace) - everybodys == EVERYWHERE[MONITOR]


@pytest.mark.parametrize(
    ("where", "more"), [(SYSTEM, AT_HOME_OF_THE_MONITOR), ("kube-system", IN_KUBE_SYSTEM)], ids=["home", "kube-system"]
)
def test_the_monitor_counts_api_servers_and_makes_test_calls(cluster: Installed, where: str, more: set[Right]) -> None:
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", where)

    assert rights(cluster, MONITOR, where) - everybodys == EVERYWHERE[MONITOR] | more


def test_the_monitor_deletes_pods_where_it_may_and_does_nothing_else_there(cluster: Installed, namespace: str) -> None:
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", namespace)

    cluster.let_pods_be_deleted(namespace)

    assert rights(cluster, MONITOR, namespace) - everybodys - EVERYWHERE[MONITOR] == {("", "pods", "delete", "")}


@pytest.mark.parametrize(
    ("verb", "resource", "subresource"),
    [
        pytest.param("list", "secrets", "", id="list all secrets"),
        pytest.param("get", "secrets/curfew-monitor-token", "", id="read its own token"),
        pytest.param("get", "secrets/curfew-signing-key", "", id="read the key of the trail"),
        # The test call that must be refused.
        pytest.param("get", "configmaps/curfew-monitor-refused", "", id="make the call that is refused"),
        pytest.param("create", "leases.coordination.k8s.io", "", id="make a lease"),
        pytest.param("update", "leases.coordination.k8s.io/other", "", id="renew another lease"),
        pytest.param("get", "accessrequests.curfew.dev", "", id="read requests"),
        pytest.param("patch", "accessrequests.curfew.dev", "", id="change requests"),
        pytest.param("watch", BINDINGS, "", id="watch bindings"),
        pytest.param("patch", BINDINGS, "", id="change bindings"),
        pytest.param("get", f"clusterroles.{RBAC}", "", id="read roles"),
        pytest.param("delete", "pods", "", id="delete pods"),
        pytest.param("impersonate", "users", "", id="impersonate"),
        pytest.param("create", "serviceaccounts", "token", id="mint tokens"),
    ],
)
def test_can_the_monitor(cluster: Installed, verb: str, resource: str, subresource: str) -> None:
    """What `kubectl auth can-i` would say to the monitor, where Curfew is installed."""
    assert not cluster.api.may(MONITOR, verb, resource, SYSTEM, subresource)


def test_roles_of_a_namespace_are_named_there(cluster: Installed, namespace: str) -> None:
    """A Role can be granted where the namespace names it."""
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", namespace)

    cluster.opt_in(namespace, roles=["support"])

    more = rights(cluster, OPERATOR, namespace) - everybodys - EVERYWHERE[OPERATOR] - WHERE_OPTED_IN
    assert more == {(RBAC, "roles", "bind", "support")}


def test_a_namespace_that_leaves_keeps_revocation(cluster: Installed, namespace: str) -> None:
    """What was granted there can still be removed, and nothing more can be granted."""
    everybodys = rights(cluster, "system:serviceaccount:curfew-system:somebody", namespace)

    cluster.opt_out(namespace)

    assert rights(cluster, OPERATOR, namespace) - everybodys == EVERYWHERE[OPERATOR]


@pytest.fixture(scope="module")
def taking_part(cluster: Installed) -> Iterator[str]:
    """Return a namespace that takes part, for all who only ask."""
    name = cluster.make_namespace()
    yield name
    cluster.drop_namespace(name)


@pytest.mark.parametrize(
    ("verb", "resource", "where", "answer"),
    [
        pytest.param("bind", f"clusterroles.{RBAC}/view", HERE, True, id="bind view"),
        pytest.param("bind", f"clusterroles.{RBAC}/cluster-admin", HERE, False, id="bind cluster-admin"),
        pytest.param("escalate", f"clusterroles.{RBAC}/view", HERE, False, id="escalate"),
        pytest.param("create", BINDINGS, HERE, True, id="create bindings"),
        pytest.param("patch", BINDINGS, HERE, False, id="patch bindings"),
        pytest.param("update", BINDINGS, HERE, False, id="update bindings"),
        pytest.param("delete", BINDINGS, ANYWHERE, True, id="delete bindings anywhere"),
        pytest.param("create", BINDINGS, "kube-system", False, id="create bindings elsewhere"),
        pytest.param("create", f"clusterrolebindings.{RBAC}", ANYWHERE, False, id="bind for the cluster"),
        pytest.param("get", "secrets", HERE, False, id="read secrets"),
        pytest.param("get", "secrets", SYSTEM, False, id="read its own secrets"),
        pytest.param("get", "configmaps", SYSTEM, False, id="read its own settings"),
        pytest.param("create", "configmaps", SYSTEM, False, id="make a ConfigMap"),
        pytest.param("patch", "configmaps/curfew", SYSTEM, False, id="change its own settings"),
        pytest.param("patch", "configmaps/curfew-checkpoint", HERE, False, id="put up checkpoints elsewhere"),
        pytest.param("create", "accessrequests.curfew.dev", HERE, False, id="ask"),
        pytest.param("delete", "accessrequests.curfew.dev", HERE, True, id="delete requests"),
        pytest.param("delete", "accessrequests.curfew.dev", "kube-system", False, id="delete requests elsewhere"),
        pytest.param("deletecollection", "accessrequests.curfew.dev", HERE, False, id="delete requests all at once"),
        pytest.param("approve", "accesspolicies.curfew.dev", HERE, False, id="approve"),
        pytest.param("impersonate", "users", HERE, False, id="impersonate"),
        pytest.param("create", "serviceaccounts/token", HERE, False, id="mint tokens"),
    ],
)
def test_can_i(cluster: Installed, taking_part: str, verb: str, resource: str, where: str, answer: bool) -> None:
    """What `kubectl auth can-i` would say to the operator, where a namespace takes part."""
    subresource = "token" if resource == "serviceaccounts/token" else ""
    asked = resource.removesuffix("/token")

    assert cluster.api.may(OPERATOR, verb, asked, taking_part if where == HERE else where, subresource) is answer


def test_kubectl_knows_the_same(cluster: Installed, taking_part: str) -> None:
    for question, answer in ((("create", "rolebindings"), "yes"), (("patch", "rolebindings"), "no")):
        asked = cluster.kubectl_as(OPERATOR, "auth", "can-i", f"--namespace={taking_part}", *question)
        assert asked.stdout.strip() == answer


def test_the_token_of_the_operator_is_the_operator(cluster: Installed, tmp_path: Path) -> None:
    """What the tests' operator runs as is what the chart's pod runs as."""
    config = cluster.operator_kubeconfig(tmp_path / "kubeconfig")
    whoami = [
        str(cluster.environment.cluster.kubectl_path),
        f"--kubeconfig={config}",
        "auth",
        "whoami",
        "--output=json",
    ]

    answer = run_command(whoami, os.environ, stdin=None, check=True, timeout=30)

    assert json.loads(answer.stdout)["status"]["userInfo"]["username"] == OPERATOR

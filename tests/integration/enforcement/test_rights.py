"""The probe's service account is good for nothing: its rights, and what becomes of using them in earnest."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from curfew.core.probes import CANARY_POLICY, CANARY_REQUEST
from tests.integration.admission.test_rights import Right, rights
from tests.integration.enforcement.conftest import PROBE
from tests.integration.installed import OPERATOR, RBAC, SYSTEM, Done, Installed
from tests.support.api import succeed

NOBODY = f"system:serviceaccount:{SYSTEM}:somebody"

OF_THE_PROBE: set[Right] = {
    ("curfew.dev", "accessrequests", "create", ""),
    ("curfew.dev", "accessrequests", "patch", CANARY_REQUEST),
    ("curfew.dev", "accessrequests", "delete", CANARY_REQUEST),
    ("curfew.dev", "accessrequests/status", "patch", CANARY_REQUEST),
    ("curfew.dev", "accesspolicies", "create", ""),
    ("curfew.dev", "accesspolicies", "request-on-behalf", "curfew-probe"),
    ("curfew.dev", "accesspolicies/status", "patch", CANARY_POLICY),
    ("curfew.dev", "accesslocks", "create", ""),
    ("curfew.dev", "alertresponses", "create", ""),
    (RBAC, "rolebindings", "create", ""),
    (RBAC, "roles", "bind", "curfew-probe"),
}

OF_THE_LEASE: set[Right] = {("coordination.k8s.io", "leases", verb, "curfew") for verb in ("get", "create", "update")}

AT_HOME: set[Right] = {
    *OF_THE_LEASE,
    ("", "serviceaccounts/token", "create", "curfew-probe"),
    *(("", "configmaps", verb, "curfew-checkpoint") for verb in ("get", "patch")),
    ("batch", "cronjobs", "get", "curfew-sweeper"),
}
"""What the operator may do in its own namespace and not elsewhere."""

Manifest = Mapping[str, Any]


def test_the_rights_of_the_probe(cluster: Installed, namespace: str) -> None:
    """They get it as far as admission in Curfew's own namespace, and with what belongs to no namespace everywhere."""
    assert rights(cluster, PROBE, SYSTEM) - rights(cluster, NOBODY, SYSTEM) == OF_THE_PROBE
    assert rights(cluster, PROBE, namespace) - rights(cluster, NOBODY, namespace) == {
        # They belong to no namespace; admission lets it make none.
        ("curfew.dev", "accesslocks", "create", ""),
        ("curfew.dev", "alertresponses", "create", ""),
    }


def test_the_operator_may_speak_as_the_probe_and_as_nobody_else(cluster: Installed) -> None:
    """One token, by name; that, checkpoints and a look at the sweeper are all that it may do at home and not elsewhere."""
    elsewhere = cluster.make_namespace(opted_in=False)
    try:
        more = rights(cluster, OPERATOR, SYSTEM) - rights(cluster, OPERATOR, elsewhere)
    finally:
        cluster.drop_namespace(elsewhere)
    assert more == AT_HOME


def create(cluster: Installed, manifest: Manifest) -> Done:
    """Create something in earnest."""
    return cluster.api.create(manifest, user=PROBE)


def request(**spec: object) -> Manifest:
    """Return an AccessRequest that the probe submits."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "stolen", "namespace": SYSTEM},
        "spec": {"policyName": "curfew-probe", "submittedBy": PROBE, "duration": "1h", "reason": "a theft", **spec},
    }


def policy(**role: str) -> Manifest:
    """Return an AccessPolicy that offers a role."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": "stolen", "namespace": SYSTEM},
        "spec": {"roleRef": role, "maxDuration": "24h"},
    }


def binding(kind: str, role: str, **labels: str) -> Manifest:
    """Return a RoleBinding for the thief."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "stolen", "namespace": SYSTEM, "labels": labels},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "thief@example.com"}],
    }


CREATED: list[tuple[str, Manifest, str]] = [
    ("a request of its own", request(requester=PROBE), "curfew-request-identity"),
    ("a request for a policy", request(requester="thief@example.com", policyName="debug"), "curfew-request-identity"),
    (
        "a request for what is offered here",
        request(requester="thief@example.com", policyName=CANARY_POLICY, duration="1m"),
        "curfew-request-identity",
    ),
    ("a request for a system user", request(requester="system:admin"), "curfew-request-identity"),
    ("a policy with power", policy(kind="ClusterRole", name="cluster-admin"), "curfew-policy-no-escalation"),
    ("a policy with its own rights", policy(kind="Role", name="curfew-probe-attempts"), "curfew-policy-no-escalation"),
    ("a grant", binding("Role", "curfew-probe", **{"curfew.dev/request-uid": "x"}), "curfew-managed-bindings"),
    ("a binding to a role with power", binding("ClusterRole", "edit"), "attempting to grant RBAC permissions"),
    (
        "a token for the operator",
        binding("Role", "curfew-probe-token"),
        "attempting to grant RBAC permissions",
    ),
]


@pytest.mark.parametrize(("manifest", "refused"), [pytest.param(*rest, id=title) for title, *rest in CREATED])
def test_nothing_of_use_can_be_made(cluster: Installed, manifest: Manifest, refused: str) -> None:
    """With a stolen token of the probe, in earnest."""
    done = create(cluster, manifest)

    assert done.returncode != 0
    assert refused in done.stderr


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(("create", f"rolebindings.{RBAC}", "default"), id="bind elsewhere"),
        pytest.param(("create", f"clusterrolebindings.{RBAC}"), id="bind for the cluster"),
        pytest.param(("bind", f"clusterroles.{RBAC}/view"), id="bind view"),
        pytest.param(("delete", f"rolebindings.{RBAC}"), id="delete bindings"),
        pytest.param(("get", "secrets"), id="read secrets"),
        pytest.param(("list", "accessrequests.curfew.dev"), id="read requests"),
        pytest.param(("patch", "accessrequests.curfew.dev/another"), id="change another request"),
        pytest.param(("delete", "accesspolicies.curfew.dev"), id="delete policies"),
        pytest.param(("approve", "accesspolicies.curfew.dev"), id="approve"),
        pytest.param(("revoke", "accesspolicies.curfew.dev"), id="revoke"),
        pytest.param(("create", "serviceaccounts", SYSTEM, "token"), id="mint tokens"),
        pytest.param(("impersonate", "users", ""), id="impersonate"),
    ],
)
def test_the_probe_may_not(cluster: Installed, question: tuple[str, ...]) -> None:
    """What `kubectl auth can-i` asks as the probe, in Curfew's own namespace unless another is named."""
    verb, resource, *where = question

    assert not cluster.api.may(PROBE, verb, resource, *(where or [SYSTEM]))


def test_what_is_left_is_harmless(cluster: Installed) -> None:
    """It can bind the role without rules, offer it, and ask for a policy that does not exist."""
    role = json.loads(cluster.kubectl("get", "role", "curfew-probe", "--namespace", SYSTEM, "--output=json").stdout)
    assert not role["rules"]
    for manifest in (
        binding("Role", "curfew-probe"),
        policy(kind="Role", name="curfew-probe"),
        request(requester="thief@example.com"),
    ):
        done = create(cluster, manifest)
        assert done.returncode == 0, done.stderr
        succeed(cluster.api.ask("DELETE", cluster.api.path_of(manifest)))

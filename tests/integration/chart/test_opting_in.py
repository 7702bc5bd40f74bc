"""Which namespaces take part, by list and by label, and a release that moves, on a control plane of their own."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.admission.asking import RBAC, Manifest, a_grant, a_user
from tests.integration.installed import BUCKET, CHART, OPERATOR, SYSTEM, Done
from tools.policy_probes import until_it_says
from tools.servers.control_plane import ControlPlane
from tools.servers.pki import ADMIN

LABEL = "curfew.dev/grants=enabled"
LISTED, GONE, LABELLED, BARE = "listed", "gone", "labelled", "bare"
VALUES = (*BUCKET, "--set", f"roles={{view}},namespaces[0].name={LISTED},namespaces[1].name={GONE}")
BY_LABEL = ("--set", "optIn.enabled=true")
CREATED = "created (server dry run)"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Return a control plane with four namespaces, and the chart, which lists two of them and lets others opt in."""
    with ControlPlane(tmp_path_factory.mktemp("own")) as running:
        for name in (LISTED, GONE, LABELLED, BARE):
            running.kubectl("create", "namespace", name, user=ADMIN)
        running.kubectl("label", "namespace", LABELLED, LABEL, user=ADMIN)
        running.helm("install", "curfew", str(CHART), "--namespace", SYSTEM, "--create-namespace", *VALUES, *BY_LABEL)
        running.kubectl("wait", "--for=condition=Established", "crd/accessrequests.curfew.dev", user=ADMIN)
        until_it_says(lambda: grant(running, BARE), "does not take part")
        yield running


def grant(own: ControlPlane, namespace: str, role: str = "view", operator: str = OPERATOR) -> Done:
    """Have the operator's token make a grant there, without effect."""
    manifest = a_grant(namespace)
    manifest["roleRef"]["name"] = role
    create = ("create", "--dry-run=server", "--filename=-", f"--as={operator}")
    return own.kubectl(*create, user=ADMIN, stdin=json.dumps(manifest), check=False)


@pytest.mark.parametrize("namespace", [LISTED, LABELLED])
def test_a_namespace_takes_part_by_list_or_by_label(own: ControlPlane, namespace: str) -> None:
    until_it_says(lambda: grant(own, namespace), CREATED)


def test_a_namespace_without_the_label_does_not(own: ControlPlane) -> None:
    assert "namespace bare does not take part: it is not in the list, and has no label" in grant(own, BARE).stderr


def test_a_namespace_leaves_with_its_label(own: ControlPlane) -> None:
    """And comes back with it. Another value is no label."""
    own.kubectl("create", "namespace", "moving", user=ADMIN)
    own.kubectl("label", "namespace", "moving", LABEL, user=ADMIN)
    until_it_says(lambda: grant(own, "moving"), CREATED)

    own.kubectl("label", "namespace", "moving", "curfew.dev/grants=disabled", "--overwrite", user=ADMIN)
    until_it_says(lambda: grant(own, "moving"), "does not take part")
    own.kubectl("label", "namespace", "moving", LABEL, "--overwrite", user=ADMIN)
    until_it_says(lambda: grant(own, "moving"), CREATED)


def test_the_label_opens_no_other_role(own: ControlPlane) -> None:
    """Not even where the namespace's admin lets the operator bind it."""
    assert "attempting to grant RBAC permissions" in grant(own, LABELLED, "admin").stderr

    own.kubectl(
        "apply", "--filename=-", user=ADMIN, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": more()})
    )

    until_it_says(lambda: grant(own, LABELLED, "admin"), "a grant binds a role that Curfew was given by name")
    assert CREATED in grant(own, LABELLED).stdout


def more() -> list[Manifest]:
    """Return what a namespace's admin writes to let the operator bind any ClusterRole."""
    meta = {"name": "more", "namespace": LABELLED}
    rule = {"apiGroups": [RBAC], "resources": ["clusterroles"], "verbs": ["bind"]}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": meta, "rules": [rule]},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "more"},
            "subjects": [a_user(OPERATOR)],
        },
    ]


def test_curfews_own_namespace_never_takes_part(own: ControlPlane) -> None:
    own.kubectl("label", "namespace", SYSTEM, LABEL, user=ADMIN)

    assert "nothing is granted where Curfew is installed" in grant(own, SYSTEM).stderr


def test_who_may_not_label_a_namespace_cannot_let_it_take_part(own: ControlPlane) -> None:
    """The admin of a namespace may change everything in it, and not the namespace itself."""
    own.kubectl("create", "rolebinding", "alice", "--clusterrole=admin", "--user=alice", "-n", BARE, user=ADMIN)
    until_it_says(
        lambda: own.kubectl("auth", "can-i", "create", "pods", "-n", BARE, "--as=alice", user=ADMIN, check=False), "yes"
    )

    refused = own.kubectl("label", "namespace", BARE, LABEL, "--as=alice", user=ADMIN, check=False)

    assert "cannot" in refused.stderr
    assert "namespaces" in refused.stderr


def test_a_namespace_that_is_gone_is_left_out_of_an_upgrade(own: ControlPlane) -> None:
    """It is said in the notes, and the others stay."""
    own.kubectl("delete", "namespace", GONE, user=ADMIN)

    notes = own.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, *VALUES, *BY_LABEL).stdout

    assert "LEFT OUT: there is no namespace gone." in notes
    assert f"It may grant view in {LISTED}." in notes
    assert own.kubectl("get", "rolebinding", "curfew-granter", "-n", LISTED, user=ADMIN).returncode == 0


def test_without_the_label_the_list_is_all(own: ControlPlane) -> None:
    """The stricter way: RBAC itself refuses elsewhere."""
    own.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, *VALUES)

    until_it_says(lambda: grant(own, LABELLED), "cannot create resource")
    assert CREATED in grant(own, LISTED).stdout


def test_a_release_moves_to_another_name_and_namespace(own: ControlPlane) -> None:
    """As docs/operations.md says, with the key that the log was signed with."""
    key = ("get", "secret", "curfew-signing-key", "--output=json")
    before = json.loads(own.kubectl(*key, "--namespace", SYSTEM, user=ADMIN).stdout)
    own.helm("uninstall", "curfew", "--namespace", SYSTEM)
    own.kubectl("create", "namespace", "access-system", user=ADMIN)
    moved = {**before, "metadata": {"name": "curfew-signing-key", "namespace": "access-system"}}
    own.kubectl("create", "--filename=-", user=ADMIN, stdin=json.dumps(moved))

    own.helm("install", "access", str(CHART), "--namespace", "access-system", "--take-ownership", *VALUES)

    after = json.loads(own.kubectl(*key, "--namespace", "access-system", user=ADMIN).stdout)
    operator = "system:serviceaccount:access-system:curfew"
    until_it_says(lambda: grant(own, LISTED, operator=operator), CREATED)
    until_it_says(lambda: grant(own, LISTED), "cannot create resource")
    assert after["data"] == before["data"]

"""The chart on a control plane of its own, as before Kubernetes 1.36: installed, taken away and put back; then which namespaces
take part, by list and by label; and at last a release that moves.
"""

import json
from collections.abc import Iterator

import pytest

from tests.integration.admission.asking import RBAC, Manifest, a_grant, a_user
from tests.integration.installed import BUCKET, CHART, OPERATOR, SYSTEM, Done
from tools.policy_probes import until_it_says
from tools.servers.control_plane import ControlPlane
from tools.servers.pki import ADMIN

KEY = ("get", "secret", "curfew-signing-key", "--namespace", SYSTEM, "--output=jsonpath={.data.key\\.pem}")
LABEL = "curfew.dev/grants=enabled"
LISTED, GONE, LABELLED, BARE = "listed", "gone", "labelled", "bare"
QUICK = "--disable-openapi-validation"
"""Half of what an installation computes: the API server checks all the same, and the first here is without it."""
VALUES = (*BUCKET, QUICK, "--set", f"roles={{view}},namespaces[0].name={LISTED},namespaces[1].name={GONE}")
BY_LABEL = ("--set", "optIn.enabled=true")
CREATED = "created (server dry run)"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Return a control plane that cannot fill in who asks."""
    with ControlPlane(tmp_path_factory.mktemp("older"), mutating_admission=False) as running:
        yield running


def install(older: ControlPlane, *arguments: str) -> str:
    """Install the chart there and return what helm says to people."""
    done = older.helm("install", "curfew", str(CHART), "--namespace", SYSTEM, "--create-namespace", *BUCKET, *arguments)
    return done.stdout


def installed(older: ControlPlane) -> None:
    """Install the chart there unless it is."""
    if "curfew" not in older.helm("list", "--namespace", SYSTEM, "--short").stdout:
        install(older, QUICK)
    older.kubectl("wait", "--for=condition=Established", "crd/accessrequests.curfew.dev", user=ADMIN)


def test_an_older_cluster_is_told_what_to_write(older: ControlPlane) -> None:
    """Nothing is filled in, which is said at installation, and what is missing is named; by hand it works."""
    notes = install(older)
    asked = {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"policyName": "p", "duration": "1h", "reason": "by hand"},
    }
    by_hand = {**asked, "spec": {**asked["spec"], "requester": ADMIN, "submittedBy": ADMIN}}  # type: ignore[dict-item]  # a mapping, see above
    older.kubectl("wait", "--for=condition=Established", "crd/accessrequests.curfew.dev", user=ADMIN)

    def create(manifest: object) -> Done:
        dry = ("create", "--filename=-", "--dry-run=server")
        return older.kubectl(*dry, user=ADMIN, stdin=json.dumps(manifest), check=False)

    # Admission knows a new kind a moment later than the API server serves it.
    until_it_says(lambda: create(by_hand), "created (server dry run)")
    refusal = create(asked).stderr

    assert "set spec.requester and spec.submittedBy" in notes
    assert "spec.requester: Required value" in refusal
    assert "spec.submittedBy: Required value" in refusal


def test_an_older_cluster_refuses_who_writes_another_name(older: ControlPlane) -> None:
    """Where nothing is filled in, what is written by hand is checked."""
    installed(older)
    forged = {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "forged", "namespace": "default"},
        "spec": {
            "policyName": "p",
            "duration": "1h",
            "reason": "by hand",
            "requester": ADMIN,
            "submittedBy": "alice@example.com",
        },
    }
    create = ("create", "--filename=-", "--dry-run=server")

    until_it_says(
        lambda: older.kubectl(*create, user=ADMIN, stdin=json.dumps(forged), check=False),
        "spec.submittedBy must be admin",
    )


def test_what_is_taken_away_leaves_requests_and_key_behind(older: ControlPlane) -> None:
    """Uninstalled by mistake, it is installed again and nothing is lost."""
    installed(older)
    request = {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "kept", "namespace": "default"},
        "spec": {"policyName": "p", "requester": ADMIN, "submittedBy": ADMIN, "duration": "1h", "reason": "to be kept"},
    }
    older.kubectl("create", "--filename=-", user=ADMIN, stdin=json.dumps(request))
    key = older.kubectl(*KEY, user=ADMIN).stdout

    older.helm("uninstall", "curfew", "--namespace", SYSTEM, "--no-hooks")
    left = older.kubectl(
        "get", "validatingadmissionpolicies,deployments", "--all-namespaces", "--output=name", user=ADMIN
    )
    install(older, QUICK)

    assert left.stdout == ""
    assert older.kubectl("get", "accessrequest", "kept", user=ADMIN).returncode == 0
    assert older.kubectl(*KEY, user=ADMIN).stdout == key


@pytest.fixture(scope="module")
def own(older: ControlPlane) -> ControlPlane:
    """Return the control plane with four namespaces, and the chart, which lists two of them and lets others opt in."""
    for name in (LISTED, GONE, LABELLED, BARE):
        older.kubectl("create", "namespace", name, user=ADMIN)
    older.kubectl("label", "namespace", LABELLED, LABEL, user=ADMIN)
    installed(older)
    older.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, *VALUES, *BY_LABEL)
    until_it_says(lambda: grant(older, BARE), "does not take part")
    return older


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
    own.helm("uninstall", "curfew", "--namespace", SYSTEM, "--no-hooks")
    own.kubectl("create", "namespace", "access-system", user=ADMIN)
    moved = {**before, "metadata": {"name": "curfew-signing-key", "namespace": "access-system"}}
    own.kubectl("create", "--filename=-", user=ADMIN, stdin=json.dumps(moved))

    own.helm("install", "access", str(CHART), "--namespace", "access-system", "--take-ownership", *VALUES)

    after = json.loads(own.kubectl(*key, "--namespace", "access-system", user=ADMIN).stdout)
    operator = "system:serviceaccount:access-system:curfew"
    until_it_says(lambda: grant(own, LISTED, operator=operator), CREATED)
    until_it_says(lambda: grant(own, LISTED), "cannot create resource")
    assert after["data"] == before["data"]

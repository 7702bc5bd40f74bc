"""The chart on a real API server: installed, upgraded, taken away and put back."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.chart.helm import one, rendered
from tests.integration.installed import BUCKET, CHART, SYSTEM, Done, Installed
from tools.policy_probes import until_it_says
from tools.servers.control_plane import ControlPlane
from tools.servers.errors import CommandFailed
from tools.servers.pki import ADMIN

KEY = ("get", "secret", "curfew-signing-key", "--namespace", SYSTEM, "--output=jsonpath={.data.key\\.pem}")
MADE_ONCE = ("curfew-signing-key", "curfew-monitor-signing-key", "curfew-monitor-tls", "curfew-monitor-token")


def test_what_is_made_once_survives_upgrades(cluster: Installed) -> None:
    """What was signed before is verified with the same key after, and the API servers need no new token."""

    def made() -> list[str]:
        asked = ("get", "secret", "--namespace", SYSTEM, "--output=jsonpath={.data}")
        return [cluster.kubectl(*asked, name).stdout for name in MADE_ONCE]

    before = made()

    cluster.environment.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, "--reuse-values")

    assert all(before)
    assert made() == before


def test_the_monitors_lease_stays_as_the_monitor_left_it(cluster: Installed) -> None:
    """An upgrade must not look like another monitor."""
    renewed = {"spec": {"holderIdentity": "me"}}
    lease = ("lease", "curfew-monitor", "--namespace", SYSTEM)
    cluster.kubectl("patch", *lease, "--type=merge", f"--patch={json.dumps(renewed)}")

    cluster.environment.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, "--reuse-values")

    assert json.loads(cluster.kubectl("get", *lease, "--output=json").stdout)["spec"] == renewed["spec"]


def test_a_second_curfew_is_refused(cluster: Installed) -> None:
    """Its policies would be those of the first."""
    with pytest.raises(CommandFailed, match="exists and cannot be imported"):
        cluster.environment.helm(
            "install", "another", str(CHART), "--namespace", "another", "--create-namespace", *BUCKET
        )

    cluster.kubectl("delete", "namespace", "another", "--wait=false", "--ignore-not-found")


@pytest.fixture(scope="module")
def restricted(cluster: Installed) -> Iterator[str]:
    """Return a namespace where only restricted pods may run, with our service accounts in it."""
    name = cluster.make_namespace(opted_in=False)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    for account in ("curfew", "curfew-sweeper", "curfew-monitor"):
        cluster.kubectl("create", "serviceaccount", account, "--namespace", name)
    yield name
    cluster.drop_namespace(name)


@pytest.mark.parametrize("which", ["operator", "sweeper", "monitor"])
def test_pods_are_fit_for_restricted_namespaces(cluster: Installed, restricted: str, which: str) -> None:
    """The API server's own pod security admission has nothing to object to."""
    manifests = rendered("--set", "monitor.enabled=true")
    if which != "sweeper":
        name = {"operator": "curfew", "monitor": "curfew-monitor"}[which]
        spec = one(manifests, "Deployment", name)["spec"]["template"]["spec"]
    else:
        spec = one(manifests, "CronJob", "curfew-sweeper")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": which, "namespace": restricted}, "spec": spec}

    answer = cluster.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(pod), check=False)

    assert answer.returncode == 0, answer.stderr
    assert "Warning" not in answer.stderr


def test_fields_explain_themselves(cluster: Installed) -> None:
    """`kubectl explain` has our words."""
    explained = cluster.kubectl("explain", "accessrequest.spec.duration").stdout

    assert "How long the access lasts once it is granted" in " ".join(explained.split())


def test_requests_are_listed_with_their_columns(cluster: Installed, namespace: str) -> None:
    """By their short name, and with policies by their category."""
    request = {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": "shown", "namespace": namespace},
        "spec": {"policyName": "p", "requester": ADMIN, "submittedBy": ADMIN, "duration": "1h", "reason": "to be seen"},
    }
    cluster.apply(request)

    header, line = cluster.kubectl("get", "areq", "--namespace", namespace).stdout.splitlines()

    columns = "NAME PHASE REQUESTER POLICY APPROVALS START EXPIRES ENDED REVIEW AGE WHY"
    assert header.split() == columns.split()
    assert line.split()[:3] == ["shown", ADMIN, "p"]
    assert "accessrequest.curfew.dev/shown" in cluster.kubectl("get", "curfew", "--namespace", namespace).stdout


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Return a control plane of its own that cannot fill in who asks, as before Kubernetes 1.36."""
    with ControlPlane(tmp_path_factory.mktemp("older"), mutating_admission=False) as running:
        yield running


def install(older: ControlPlane, *arguments: str) -> str:
    """Install the chart there and return what helm says to people."""
    done = older.helm("install", "curfew", str(CHART), "--namespace", SYSTEM, "--create-namespace", *BUCKET, *arguments)
    return done.stdout


def installed(older: ControlPlane) -> None:
    """Install the chart there unless it is."""
    if "curfew" not in older.helm("list", "--namespace", SYSTEM, "--short").stdout:
        install(older)
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

    older.helm("uninstall", "curfew", "--namespace", SYSTEM)
    left = older.kubectl(
        "get", "validatingadmissionpolicies,deployments", "--all-namespaces", "--output=name", user=ADMIN
    )
    install(older)

    assert left.stdout == ""
    assert older.kubectl("get", "accessrequest", "kept", user=ADMIN).returncode == 0
    assert older.kubectl(*KEY, user=ADMIN).stdout == key

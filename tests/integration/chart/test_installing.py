"""The chart on a real API server: installed and upgraded."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.chart.helm import one, rendered
from tests.integration.installed import BUCKET, CHART, SYSTEM, Installed
from tests.support.api import MERGE, succeed
from tools.servers.errors import CommandFailed
from tools.servers.pki import ADMIN

MADE_ONCE = ("curfew-signing-key", "curfew-monitor-signing-key", "curfew-monitor-tls", "curfew-monitor-token")


def test_an_upgrade_leaves_what_is_made_once_and_the_monitors_lease(cluster: Installed) -> None:
    """What was signed before is verified with the same key after, API servers need no new token, and no monitor seems new."""
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/curfew-monitor"
    renewed = {"spec": {"holderIdentity": "me"}}
    succeed(cluster.api.ask("PATCH", lease, renewed, content_type=MERGE))
    before = [cluster.read("secrets", name)["data"] for name in MADE_ONCE]

    cluster.environment.helm("upgrade", "curfew", str(CHART), "--namespace", SYSTEM, "--reuse-values")

    assert all(before)
    assert [cluster.read("secrets", name)["data"] for name in MADE_ONCE] == before
    assert json.loads(succeed(cluster.api.ask("GET", lease)))["spec"] == renewed["spec"]


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
    labelled = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    succeed(cluster.api.ask("PATCH", f"/api/v1/namespaces/{name}", labelled, content_type=MERGE))
    for account in ("curfew", "curfew-sweeper", "curfew-monitor", "curfew-uninstall"):
        meta = {"name": account, "namespace": name}
        cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    yield name
    cluster.drop_namespace(name)


@pytest.mark.parametrize("which", ["operator", "sweeper", "monitor", "uninstall"])
def test_pods_are_fit_for_restricted_namespaces(cluster: Installed, restricted: str, which: str) -> None:
    """The API server's own pod security admission has nothing to object to."""
    manifests = rendered("--set", "monitor.enabled=true,uninstall.endGrants=true")
    if which == "uninstall":
        spec = one(manifests, "Job", "curfew-uninstall")["spec"]["template"]["spec"]
    elif which != "sweeper":
        name = {"operator": "curfew", "monitor": "curfew-monitor"}[which]
        spec = one(manifests, "Deployment", name)["spec"]["template"]["spec"]
    else:
        spec = one(manifests, "CronJob", "curfew-sweeper")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": which, "namespace": restricted}, "spec": spec}

    answer = cluster.api.create(pod, dryRun="All")

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

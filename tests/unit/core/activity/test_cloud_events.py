"""The events of each cloud, in the forms that its documents describe (`tests/vectors/audit_events`), become calls."""

from typing import Any

import pytest

from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.formats.forms import Form, Why
from curfew.core.activity.formats.reading import Events, read_line, read_lines
from curfew.core.activity.reason import parse
from tests.support.audit_events import AT, SAMPLES

CLUSTER = {
    Form.EKS: "shop-eu",
    Form.GKE: "shop-project/europe-west1/shop-eu",
    Form.AKS: "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/shop"
    "/providers/Microsoft.ContainerService/managedClusters/shop-eu",
}


def sample(form: Form) -> bytes:
    """Return the lines of a form."""
    return (SAMPLES / f"{form.lower()}.jsonl").read_bytes()


def read(form: Form, line: int) -> Events:
    """Return what a line of the sample holds for our cluster."""
    return read_line(sample(form).splitlines()[line], form, now=AT, cluster=CLUSTER[form])


def only(events: Events) -> Call:
    """Return the only call, if nothing was refused."""
    assert not events.refused
    (call,) = events.calls
    return call


def is_by_grant(call: Call, user: str) -> bool:
    """Tell whether the call names the binding of the sample's grant, and this user."""
    reason = parse(call.reason or "")
    return reason is not None and (reason.binding, reason.namespace, reason.subject) == ("curfew-3a1f", "shop", user)


ERIN = "arn:aws:sts::111122223333:assumed-role/Support/erin"


def test_eks_a_batch_of_a_subscription() -> None:
    events = read(Form.EKS, 0)
    deleted, read_by_policy, begun = events.calls

    assert events.refused == {Why.NOT_JSON: 1}
    assert (deleted.verb, deleted.name, deleted.user, deleted.dry_run) == ("delete", "cart-0", ERIN, False)
    assert is_by_grant(deleted, ERIN)
    assert parse(read_by_policy.reason or "") is None
    assert (begun.stage, begun.subresource, begun.code) == (CallStage.RESPONSE_STARTED, "exec", 101)


def test_eks_a_control_message_holds_nothing() -> None:
    assert read(Form.EKS, 1) == Events()


@pytest.mark.parametrize(("line", "why"), [(2, Why.NOT_AN_EVENT), (3, Why.OTHER_CLUSTER)])
def test_eks_another_log_and_another_cluster(line: int, why: Why) -> None:
    assert read(Form.EKS, line) == Events(refused=read(Form.EKS, line).refused)
    assert read(Form.EKS, line).refused == {why: 1}


def test_eks_the_answer_of_a_query() -> None:
    events = read(Form.EKS, 4)

    assert [call.name for call in events.calls] == ["cart-0"]
    assert events.refused == {Why.NOT_AN_EVENT: 1}


def test_eks_one_log_event_or_its_message_alone() -> None:
    assert only(read(Form.EKS, 5)) == only(read(Form.EKS, 6)) == read(Form.EKS, 0).calls[0]


def test_aks_a_message_of_an_event_hub() -> None:
    events = read(Form.AKS, 0)
    patched, again, listed = events.calls

    assert events.refused == {Why.NOT_AN_EVENT: 1, Why.NOT_JSON: 1}
    assert (patched.verb, patched.group, patched.resource, patched.name) == ("patch", "apps", "deployments", "cart")
    assert is_by_grant(patched, "frank@example.com")
    assert patched.identity == again.identity, "both categories hold it"
    assert parse(listed.reason or "") is None


def test_aks_a_record_in_a_storage_account() -> None:
    assert only(read(Form.AKS, 1)) == read(Form.AKS, 0).calls[2]


def test_aks_a_record_without_its_event_is_damaged() -> None:
    assert read_line(b'{"category":"kube-audit","properties":{}}', Form.AKS, now=AT).refused == {Why.WRONG_FIELD: 1}


def test_aks_another_cluster() -> None:
    assert read(Form.AKS, 2).refused == {Why.OTHER_CLUSTER: 1}


GINA = "gina@example.com"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            0,
            {"verb": "create", "resource": "pods", "name": "debug-x7k2p", "code": 200, "group": ""},
            id="a name made up",
        ),
        pytest.param(1, {"verb": "create", "subresource": "exec", "name": "cart-0"}, id="exec"),
        pytest.param(
            2,
            {"verb": "delete", "group": "rbac.authorization.k8s.io", "resource": "rolebindings", "code": 403},
            id="refused",
        ),
        pytest.param(3, {"verb": "list", "resource": "nodes", "namespace": "", "name": ""}, id="of no namespace"),
        pytest.param(4, {"verb": "get", "resource": "", "version": "", "uri": "/healthz"}, id="no resource"),
        pytest.param(5, {"verb": "delete", "dry_run": True}, id="a dry run"),
        pytest.param(
            6, {"verb": "patch", "resource": "deployments", "subresource": "scale", "code": 409}, id="a conflict"
        ),
        pytest.param(7, {"resource": "namespaces", "namespace": "shop", "name": "shop"}, id="a namespace itself"),
        pytest.param(7, {"user": "bob@example.com", "impersonated": "bob@example.com"}, id="impersonation"),
        pytest.param(8, {"user": "", "code": 401}, id="nobody"),
        pytest.param(9, {"subresource": "token", "dry_run": False}, id="a token"),
        pytest.param(11, {"subresource": "proxy", "name": "cart-0"}, id="a path behind a proxy"),
    ],
)
def test_gke_an_entry(line: int, expected: dict[str, Any]) -> None:
    call = only(read(Form.GKE, line))

    assert {name: getattr(call, name) for name in expected} == expected


def test_gke_the_labels_are_the_annotations() -> None:
    call = only(read(Form.GKE, 0))

    assert is_by_grant(call, GINA)
    assert call.decision == "allow"
    assert only(read(Form.GKE, 9)).issued_credential == "JTI=44d1f3a6-0f0c-4a2e-8b65-1f0a0e6c0001"


def test_gke_time_and_place() -> None:
    call = only(read(Form.GKE, 0))

    assert call.received_at == call.at
    assert call.at.isoformat() == "2026-11-30T10:00:01.123456+00:00"
    assert call.source_addresses == ("203.0.113.30",)
    assert (call.user_agent or "").startswith("kubectl/")


def test_gke_a_long_path_does_not_hide_the_verb() -> None:
    line = sample(Form.GKE).splitlines()[1].replace(b"exec.create", b"x" * 9000 + b".delete")

    assert only(read_line(line, Form.GKE, now=AT)).verb == "delete"


def test_gke_parts_of_a_large_entry_are_one_call() -> None:
    split = only(read(Form.GKE, 10))

    assert split.audit_id == "33d1f3a6-0f0c-4a2e-8b65-1f0a0e6c0011"


@pytest.mark.parametrize(("line", "why"), [(12, Why.OTHER_CLUSTER), (13, Why.NOT_AN_EVENT)])
def test_gke_another_cluster_and_another_service(line: int, why: Why) -> None:
    assert read(Form.GKE, line).refused == {why: 1}


@pytest.mark.parametrize("form", [Form.EKS, Form.GKE, Form.AKS])
def test_without_a_cluster_the_events_of_each_are_taken(form: Form) -> None:
    assert Why.OTHER_CLUSTER not in read_lines(sample(form), form, now=AT).refused


@pytest.mark.parametrize("form", [Form.EKS, Form.GKE, Form.AKS])
@pytest.mark.parametrize("other", Form)
def test_the_events_of_one_cloud_are_none_of_another(form: Form, other: Form) -> None:
    read_as_other = read_lines(sample(form), other, now=AT)

    # A message of CloudWatch without its envelope is an event of Kubernetes.
    assert form == other or {form, other} == {Form.EKS, Form.KUBERNETES} or not read_as_other.calls

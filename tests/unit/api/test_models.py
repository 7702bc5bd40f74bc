"""What the API server returns is read whole; what is written back is what was read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from curfew.api.access_policy import AccessPolicy, Mode, RoleKind
from curfew.api.access_request import AccessRequest, Phase
from curfew.api.activity import Activity, Changes
from curfew.api.meta import ObjectMeta
from curfew.api.names import binding_name

REQUEST: dict[str, Any] = {
    "apiVersion": "curfew.dev/v1alpha1",
    "kind": "AccessRequest",
    "metadata": {
        "name": "inc-4711",
        "namespace": "payments",
        "uid": "7d9f0d6e-0000-0000-0000-000000000001",
        "resourceVersion": "12",
        "generation": 1,
        "creationTimestamp": "2026-11-23T19:00:00Z",
        "labels": {"team": "payments"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {
        "policyName": "debug",
        "requester": "alice@example.com",
        "submittedBy": "alice@example.com",
        "duration": "1h30m",
        "notBefore": "2026-11-23T20:00:00Z",
        "reason": "workers crash-loop",
    },
    "status": {
        "phase": "Active",
        "approvals": "1/1",
        "decisions": [{"by": "bob@example.com", "decision": "Approve", "stage": "owners"}],
        "expiresAt": "2026-11-23T21:30:00.250000Z",
        "outbox": [{"record": '{"class_uid":3004}', "seal": "00" * 32}],
        "aFieldOfALaterVersion": {"is": "ignored"},
    },
}


def test_a_request_is_read_with_its_times_and_durations() -> None:
    """Texts become what they mean."""
    request = AccessRequest.model_validate(REQUEST)

    assert request.metadata.resource_version == "12"
    assert request.spec.duration == timedelta(minutes=90)
    assert request.spec.not_before == datetime(2026, 11, 23, 20, tzinfo=UTC)
    assert request.status.phase is Phase.ACTIVE
    assert request.status.expires_at == datetime(2026, 11, 23, 21, 30, 0, 250_000, tzinfo=UTC)
    assert request.status.decisions[0].stage == "owners"
    assert request.status.grant is None


def test_a_request_that_nobody_has_looked_at_has_an_empty_status() -> None:
    """No status is not an error: it is how every request begins."""
    request = AccessRequest.model_validate({key: REQUEST[key] for key in ("metadata", "spec")})

    assert request.status.phase is None
    assert request.status.decisions == ()
    assert request.status.outbox == ()


def test_what_was_read_is_written_back_the_same() -> None:
    """Names, times and durations come back as they were; records in the outbox too, to the byte."""
    body = AccessRequest.model_validate(REQUEST).model_dump(by_alias=True, exclude_none=True, mode="json")

    assert body["spec"] == REQUEST["spec"]
    for field in ("phase", "approvals", "decisions", "expiresAt", "outbox"):
        assert body["status"][field] == REQUEST["status"][field]
    assert "endedAt" not in body["status"]


def test_a_policy_needs_only_a_role_and_a_bound() -> None:
    """All else has a default, and the default is that one person must agree."""
    policy = AccessPolicy.model_validate(
        {"metadata": {"name": "debug"}, "spec": {"roleRef": {"kind": "Role", "name": "debug"}, "maxDuration": "4h"}}
    )

    assert policy.spec.role_ref.kind is RoleKind.ROLE
    assert policy.spec.decide_within == timedelta(hours=1)
    assert (policy.spec.approval.mode, policy.spec.approval.count, policy.spec.approval.stages) == (Mode.REVIEW, 1, ())
    assert (policy.spec.limits.active_per_requester, policy.spec.limits.pending_per_requester) == (1, 3)
    assert policy.spec.reason.min_length == 1
    assert not policy.spec.ticket.required
    assert not policy.spec.allow_permanence


def test_attributes_can_be_given_by_their_python_names() -> None:
    """So that code and tests need no camel case."""
    meta = ObjectMeta(name="a", resource_version="3")

    assert meta.resource_version == "3"


def test_a_model_cannot_be_changed() -> None:
    """What was read stays what it was."""
    request = AccessRequest.model_validate(REQUEST)

    with pytest.raises(ValidationError, match="frozen"):
        request.spec.reason = "another"  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("duration", "soon", id="a word for a duration"),
        pytest.param("duration", 3600, id="a number for a duration"),
        pytest.param("notBefore", "2026-11-23T20:00:00", id="a time without a zone"),
        pytest.param("notBefore", 1764000000, id="a number for a time"),
    ],
)
def test_what_cannot_be_read_is_refused(field: str, value: object) -> None:
    """The refusal names the field."""
    with pytest.raises(ValidationError, match=field):
        AccessRequest.model_validate({**REQUEST, "spec": {**REQUEST["spec"], field: value}})


def test_what_the_monitor_wrote_is_read() -> None:
    activity = Activity(changes=Changes.YES, summary="changed 2 objects", writes=2, changed=("deployments.apps/web",))
    status = {**REQUEST["status"], "activity": activity.model_dump(mode="json", exclude_none=True)}

    assert AccessRequest.model_validate({**REQUEST, "status": status}).status.activity == activity


@pytest.mark.parametrize(
    "activity",
    [
        "No",
        17,
        [],
        {},
        {"changes": "Perhaps"},
        {"changes": "No", "reads": -1},
        {"changes": "No", "reads": "many"},
        {"changes": "No", "summary": "x" * 1_000_000},
        {"changes": "No", "changed": ["x"] * 1_000},
        {"changes": "No", "asOf": "yesterday"},
        {"changes": "No", "sources": {"changes": {"changes": {}}}},
    ],
    ids=lambda activity: str(activity)[:40],
)
def test_an_activity_that_cannot_be_read_is_ignored(activity: object) -> None:
    """Otherwise the operator could not read the request, and would end it as unreadable."""
    request = AccessRequest.model_validate({**REQUEST, "status": {**REQUEST["status"], "activity": activity}})

    assert request.status.activity is None
    assert request.status.phase is Phase.ACTIVE


def test_a_binding_is_named_after_the_request_it_grants() -> None:
    """By UID, because names are reused."""
    assert binding_name("u-1") == "curfew-u-1"

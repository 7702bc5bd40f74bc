"""When an access begins and ends, and what waits for a place: whatever was late, by one rule."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.api.access_policy import AccessPolicySpec
from curfew.api.crds import crds
from curfew.api.times import format_time
from curfew.core.keys import RequestKey
from tests.support.builders import NOON, a_decision, a_policy, a_request
from tests.support.stage import Stage, active, pending

ONE_AT_A_TIME = {"activePerRequester": 1, "pendingPerRequester": 5}


def at(**after_noon: float) -> str:
    """Return an instant of the day of the tests, as people write it."""
    return format_time(NOON + timedelta(**after_noon))


def one_at_a_time(**spec: Any) -> dict[str, Any]:
    """Return a policy under which a person holds one grant."""
    return a_policy(limits=ONE_AT_A_TIME, **spec)


async def second(stage: Stage, *, approved: bool = True, **spec: Any) -> None:
    """Ask for another grant."""
    stage.cluster.apply(a_request("second", created=stage.clock.now(), **spec))
    await stage.settle()
    if approved:
        stage.cluster.decide("second", a_decision())
        await stage.settle()


def window_of(stage: Stage, name: str = "inc-4711") -> tuple[str, str]:
    """Return start and end of a grant."""
    status = stage.cluster.status(name)
    return status["startsAt"], status["expiresAt"]


async def test_a_follow_up_begins_when_the_first_grant_ends() -> None:
    """Limits count what is held at the same time: it is accepted, approved meanwhile, and follows without a gap."""
    stage = Stage(policy=one_at_a_time())
    await active(stage)
    await stage.pass_time(minutes=30)
    await second(stage, notBefore=at(hours=1))
    assert (stage.phase("second"), stage.condition("Active", "second")["reason"]) == ("Approved", "WaitingForStart")

    await stage.pass_time(minutes=31)

    assert (stage.phase(), stage.phase("second")) == ("Expired", "Active")
    assert window_of(stage, "second") == (at(hours=1), at(hours=2))
    assert len(stage.bindings()) == 1


async def test_at_the_seam_the_follow_up_waits_until_the_first_binding_is_gone() -> None:
    """However long its removal takes, nobody holds two; and no grant is lost for it."""
    stage = Stage(policy=one_at_a_time())
    first = await active(stage)
    await second(stage, notBefore=at(hours=1))
    follower = {RequestKey.of(request) for request in stage.store.requests()} - {RequestKey(first)}
    stage.clock.advance(hours=1)
    stage.dirty |= follower  # it is looked at before the first, whose binding is still there
    for key in follower:
        await stage.reconciler.reconcile(key)
    assert stage.condition("Active", "second")["reason"] == "LimitReached"
    assert len(stage.bindings()) == 1

    stage.dirty = {RequestKey(first)}  # nothing but the end of the first brings the other back
    await stage.settle()

    assert (stage.phase(), stage.phase("second")) == ("Expired", "Active")


async def test_a_request_over_the_limit_waits_and_says_for_which_grant() -> None:
    """It is approved meanwhile, and is granted when the other is given back; no other instant wakes it."""
    stage = Stage(policy=one_at_a_time())
    await active(stage)
    await second(stage, approved=False)
    assert stage.phase("second") == "Pending"
    stage.cluster.decide("second", a_decision())
    await stage.settle()

    said = stage.condition("Active", "second")
    assert (stage.phase("second"), said["reason"]) == ("Approved", "LimitReached")
    assert said["message"] == (
        "the grant waits until another grant ends or is cancelled: alice@example.com already holds 1 grant of AccessPolicy "
        "debug, which allows 1 (inc-4711)"
    )
    stage.clock.advance(minutes=10)
    stage.cluster.decide("inc-4711", a_decision(by="alice@example.com", decision="Cancel"))
    await stage.settle()

    assert (stage.phase(), stage.phase("second")) == ("Revoked", "Active")
    assert window_of(stage, "second") == (at(minutes=10), at(minutes=70))


async def test_a_place_is_free_when_the_request_that_had_it_was_deleted() -> None:
    """Its binding went with it."""
    stage = Stage(policy=one_at_a_time(approval={"mode": "Automatic"}))
    await pending(stage)
    await second(stage, approved=False)
    assert stage.phase("second") == "Approved"

    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()

    assert stage.phase("second") == "Active"
    assert len(stage.bindings()) == 1


async def test_nobody_waits_for_a_place_for_longer_than_for_approvals() -> None:
    """`decideBy` ends it, in the words of the limit."""
    stage = Stage(policy=one_at_a_time(maxDuration="8h"))
    await active(stage, duration="8h")
    await second(stage)

    await stage.pass_time(minutes=59)
    assert stage.phase("second") == "Approved"
    await stage.pass_time(minutes=1)

    assert (stage.phase("second"), stage.cluster.status("second")["endReason"]) == ("Failed", "LimitReached")
    assert "(inc-4711)" in stage.condition("Active", "second")["message"]
    assert stage.phase() == "Active"


async def test_of_several_that_wait_for_one_place_one_gets_it() -> None:
    """And the others wait on, for that one."""
    stage = Stage(policy=one_at_a_time(approval={"mode": "Automatic"}, decideWithin="8h"))
    await pending(stage)
    for name in ("second", "third"):
        stage.cluster.apply(a_request(name))
        await stage.settle()

    await stage.pass_time(hours=1)
    assert sorted(str(stage.phase(name)) for name in ("second", "third")) == ["Active", "Approved"]
    assert len(stage.bindings()) == 1
    await stage.pass_time(hours=1)

    assert sorted(str(stage.phase(name)) for name in ("second", "third")) == ["Active", "Expired"]
    assert len(stage.cluster.bindings_made) == 3


async def test_a_grant_is_cut_at_not_after_when_the_approval_is_late() -> None:
    """It begins with the approval, and ends where it was to end."""
    stage = Stage()
    await pending(stage, notBefore=at(minutes=10), notAfter=at(minutes=70))
    await stage.pass_time(minutes=40)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert window_of(stage) == (at(minutes=40), at(minutes=70))
    await stage.pass_time(minutes=30)
    assert (stage.phase(), stage.bindings()) == ("Expired", [])


async def test_a_grant_is_cut_at_not_after_when_the_log_was_away() -> None:
    """By the same rule."""
    stage = Stage()
    stage.trail.ok = False
    await pending(stage, notAfter=at(minutes=70))
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Approved"
    await stage.pass_time(minutes=40)
    stage.trail.ok = True
    stage.look_at_all_requests()
    await stage.settle()

    assert window_of(stage) == (at(minutes=40), at(minutes=70))


async def test_without_not_after_the_whole_duration_is_granted() -> None:
    """The duration counts from the start, however late that is."""
    stage = Stage()
    await pending(stage, notBefore=at(minutes=10))
    await stage.pass_time(minutes=40)
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert window_of(stage) == (at(minutes=40), at(minutes=100))


@pytest.mark.parametrize("approved", [True, False])
async def test_nothing_is_granted_if_nothing_is_left(approved: bool) -> None:
    """Whether nobody approved or the log was away, the request ends at its `notAfter`."""
    stage = Stage(policy=a_policy(decideWithin="8h"))
    stage.trail.ok = not approved
    await pending(stage, notAfter=at(minutes=30))
    if approved:
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
    await stage.pass_time(minutes=30)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "WindowElapsed")
    assert "spec.notAfter, 2026-11-23T12:30:00Z, has passed" in stage.condition("Active")["message"]
    assert stage.cluster.bindings_made == []


async def test_a_not_after_that_was_over_before_it_was_asked_for_is_refused() -> None:
    """At once, with the sentence."""
    stage = Stage()
    await pending(stage, notAfter=at(minutes=-1))

    assert stage.cluster.status("inc-4711")["endReason"] == "WindowElapsed"
    assert "apply a new AccessRequest" in stage.condition("Ready")["message"]


@pytest.mark.parametrize(
    ("spec", "starts", "phase"),
    [
        ({}, at(days=7), "Pending"),
        ({}, at(days=7, seconds=1), "Failed"),
        ({"maxLeadTime": "2h"}, at(hours=2), "Pending"),
        ({"maxLeadTime": "2h"}, "2099-06-01T00:00:00Z", "Failed"),
    ],
)
async def test_nobody_is_approved_for_a_day_that_is_too_far_away(spec: dict[str, Any], starts: str, phase: str) -> None:
    """`maxLeadTime` of the policy, by default seven days, counted from the creation."""
    stage = Stage(policy=a_policy(**spec))
    await pending(stage, notBefore=starts)

    assert stage.phase() == phase
    if phase == "Failed":
        assert stage.cluster.status("inc-4711")["endReason"] == "StartTooFarAway"
        assert stage.condition("Ready")["message"] == (
            f"spec.notBefore is more than {spec.get('maxLeadTime', '168h')} away, the maxLeadTime of AccessPolicy debug; "
            "apply the request again nearer to its start"
        )


def test_the_default_lead_time_changes_no_terms_that_are_pinned() -> None:
    """The API server would write a default of the schema into each policy that is there, under the same generation."""
    schema = crds()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

    assert "default" not in schema["properties"]["spec"]["properties"]["maxLeadTime"]
    assert AccessPolicySpec.model_fields["max_lead_time"].get_default(call_default_factory=True) == timedelta(days=7)


async def test_a_grant_of_a_week_lasts_through_restarts_and_ends_on_time() -> None:
    """It is days old when the operator starts anew: nothing is made or told twice, and the end is the announced one."""
    stage = Stage(policy=a_policy(maxDuration="168h"), max_grant=timedelta(hours=744))
    uid = await active(stage, duration="168h")
    made = stage.bindings()
    for _ in range(3):
        await stage.pass_time(days=2)
        stage.restart()
        await stage.settle()
        assert (stage.phase(), stage.bindings()) == ("Active", made)

    await stage.pass_time(hours=23, minutes=59)
    assert stage.phase() == "Active"
    await stage.pass_time(minutes=2)

    assert (stage.phase(), stage.bindings()) == ("Expired", [])
    assert window_of(stage) == (at(), at(hours=168))
    assert [at_ for _, at_ in stage.cluster.bindings_removed] == [NOON + timedelta(hours=168)]
    told = stage.events(uid)
    assert len(told) == len(set(told))

"""What a locked person decides about the requests of others: it gives no access, and takes away what it did before."""

from typing import Any

import pytest

from tests.support.builders import BOB, CAROL, DAVE, NOON, a_decision, a_lock, a_policy, a_request
from tests.support.stage import Stage, active, pending

NAMES_BOB = {"person": "Bob@Example.com"}


def reviewing(count: int) -> Stage:
    return Stage(policy=a_policy(approval={"mode": "Review", "count": count}))


def effects(stage: Stage) -> list[tuple[str, str]]:
    reviews = stage.cluster.status("inc-4711").get("reviews", ())
    return [(one["by"], one["effect"]) for one in reviews]


async def test_an_approval_that_is_first_seen_while_its_author_is_locked_never_counts() -> None:
    """Also after the lock is lifted: nobody knows who made it."""
    stage = reviewing(1)
    await pending(stage)
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(BOB))
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["approvals"]) == ("Pending", "0/1")
    assert effects(stage) == [(BOB, "Locked")]
    refused = stage.log[-1]
    assert (refused.event, refused.block["detail"]["effect"]) == ("review.refused", "Locked")
    assert "(it did not count: access of Bob@Example.com is locked (AccessLock lock of " in refused.message
    assert "credentials leaked" in refused.message

    stage.cluster.delete("AccessLock", "lock", "")
    stage.look_at_all_requests()
    await stage.settle()
    stage.restart()
    await stage.settle()
    assert (stage.phase(), stage.cluster.bindings_made) == ("Pending", [])

    stage.cluster.decide("inc-4711", a_decision(CAROL))
    await stage.settle()
    assert (stage.phase(), effects(stage)) == ("Active", [(BOB, "Locked"), (CAROL, "Counted")])


async def test_the_others_count_and_a_refused_one_is_told_before_the_grant_is_announced() -> None:
    """Both decisions are seen at the same time. The announcement alone would not show which of them counted."""
    stage = reviewing(1)
    await pending(stage)
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(BOB))
    stage.cluster.decide("inc-4711", a_decision(CAROL))
    await stage.settle()

    assert (stage.phase(), effects(stage)) == ("Active", [(BOB, "Locked"), (CAROL, "Counted")])
    told = [record.event for record in stage.log if record.event.startswith(("review.", "grant."))]
    assert told.count("review.refused") == told.count("review.submitted") == 1
    assert told.index("review.refused") < told.index("grant.intended")


@pytest.mark.parametrize("target", [{"person": DAVE}, {"namespace": "elsewhere"}])
async def test_a_lock_on_something_else_refuses_no_approval(target: dict[str, Any]) -> None:
    stage = reviewing(1)
    stage.cluster.apply(a_lock(target=target))
    await active(stage)
    assert effects(stage) == [(BOB, "Counted")]


async def test_a_lock_that_is_over_refuses_no_approval() -> None:
    stage = reviewing(1)
    await pending(stage)
    stage.cluster.apply(a_lock(target=NAMES_BOB, endsAt="2026-11-23T12:01:00Z", created=NOON))
    await stage.pass_time(minutes=2)
    stage.cluster.decide("inc-4711", a_decision(BOB))
    await stage.settle()
    assert stage.phase() == "Active"


@pytest.mark.parametrize(("decision", "phase"), [("Deny", "Denied"), ("Revoke", "Revoked")])
async def test_what_takes_access_away_counts_all_the_same(decision: str, phase: str) -> None:
    stage = reviewing(1)
    await (pending(stage) if decision == "Deny" else active(stage))
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(BOB, decision))
    await stage.settle()
    assert (stage.phase(), stage.bindings()) == (phase, [])
    assert effects(stage)[-1] == (BOB, "TookEffect")


async def test_a_request_that_waits_fails_if_who_approved_it_is_locked() -> None:
    """The approval may be an intruder's, and it would count again after the lock."""
    stage = reviewing(2)
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision(BOB))
    await stage.settle()
    assert stage.cluster.status("inc-4711")["approvals"] == "1/2"
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    await stage.settle()

    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["endReason"]) == ("Failed", "Locked")
    assert f"{BOB} approved it, and access of Bob@Example.com is locked" in str(status["conditions"])


async def test_a_grant_that_was_decided_and_has_not_begun_fails_too() -> None:
    stage = reviewing(1)
    await pending(stage)
    stage.trail.ok = False
    stage.cluster.decide("inc-4711", a_decision(BOB))
    await stage.settle()
    assert stage.phase() == "Approved"
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    stage.trail.ok = True
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "Locked")
    assert stage.cluster.bindings_made == []


async def test_a_grant_that_has_begun_goes_on() -> None:
    stage = reviewing(1)
    await active(stage)
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    stage.look_at_all_requests()
    await stage.settle()
    assert (stage.phase(), len(stage.bindings())) == ("Active", 1)


async def test_a_broken_glass_is_not_reviewed_by_somebody_who_is_locked() -> None:
    stage = Stage(policy=a_policy(approval={"mode": "BreakGlass"}))
    stage.cluster.apply(a_request())
    await stage.settle()
    stage.cluster.apply(a_lock(target=NAMES_BOB))
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Review"))
    await stage.settle()
    assert effects(stage) == [(BOB, "Locked")]
    assert stage.condition("Reviewed")["status"] == "False"

    await stage.pass_time(hours=25)
    assert "review.overdue" in stage.events()
    stage.cluster.decide("inc-4711", a_decision(CAROL, "Review"))
    await stage.settle()
    assert stage.condition("Reviewed")["status"] == "True"
    assert stage.events()[-1] == "request.closed"

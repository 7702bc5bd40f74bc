"""etcd is restored from a snapshot: what the log holds closed stays closed, and nothing is told twice."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from curfew.core.keys import RequestKey
from curfew.processes.operator.lister import Lister
from curfew.processes.operator.revisions import Course, Revisions
from tests.support.builders import BOB, a_decision, a_policy, a_request
from tests.support.stage import Stage, active, pending
from tests.support.world import FakeCluster


async def compared(stage: Stage) -> bool:
    """List everything under the running process, as it does when the API server was away; return whether that went back."""
    went_back = await Lister(stage.store, stage.cluster, stage.dirty.add, lambda _: None).relist()
    await stage.settle()
    return went_back


async def back(stage: Stage, *, restarted: bool) -> None:
    """Go on after a restore, in the same process or in another."""
    if restarted:
        stage.restart()
        await stage.settle()
    else:
        await compared(stage)


def told_twice(stage: Stage) -> list[str]:
    """Return the events of records whose ids are in the log more than once."""
    counted = Counter(record.id for record in stage.log)
    return [record.event for record in stage.log if counted[record.id] > 1]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_grant_that_was_revoked_ends_again(restarted: bool) -> None:
    stage = Stage()
    uid = await active(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()
    told = list(stage.events(uid))
    assert told[-1] == "request.closed"

    stage.cluster.restore(snapshot)
    assert stage.bindings(), "it is there again"
    await back(stage, restarted=restarted)

    assert stage.bindings() == []
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RevokedByApprover")
    assert list(stage.events(uid)) == [*told, "grant.orphan_removed"]
    assert not told_twice(stage)
    assert not stage.store.requests(), "it is out of the watch again"
    assert "the log holds its story as closed" in stage.log[-1].message


async def test_a_grant_whose_time_is_over_before_the_log_is_read_gets_no_second_end() -> None:
    """Its binding goes at once, as always; what that would record is left out once the log shows the story closed."""
    stage = Stage()
    uid = await active(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()
    recorded = list(stage.events(uid))

    stage.cluster.restore(snapshot)
    stage.clock.set(stage.clock.now() + timedelta(days=1))
    stage.restart()
    stage.trail.is_open = False
    await stage.settle()
    assert stage.bindings() == []
    assert stage.phase() == "Expired"

    stage.trail.is_open = True
    stage.dirty.add(RequestKey(uid))
    await stage.settle()
    assert list(stage.events(uid)) == recorded
    assert stage.cluster.status("inc-4711")["outbox"] == []
    assert not stage.store.requests(), "it is out of the watch again"


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_second_restore_from_the_same_snapshot_is_told_as_well(restarted: bool) -> None:
    stage = Stage()
    await active(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()

    for _ in range(2):
        stage.cluster.restore(snapshot)
        await back(stage, restarted=restarted)
        await stage.pass_time(minutes=1)

    assert stage.bindings() == []
    assert list(stage.events()).count("grant.orphan_removed") == 2
    assert not told_twice(stage)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("when", ["new", "pending"])
async def test_what_was_granted_and_over_after_the_snapshot_is_not_granted_again(when: str, restarted: bool) -> None:
    stage = Stage(policy=a_policy(approval={"mode": "Automatic"}) if when == "new" else None)
    if when == "new":
        stage.cluster.apply(a_request())
        snapshot = stage.cluster.snapshot()
        await stage.settle()
    else:
        await pending(stage)
        snapshot = stage.cluster.snapshot()
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
    assert stage.phase() == "Active"
    await stage.pass_time(hours=1)
    told = list(stage.events())
    assert told[-1] == "request.closed"

    stage.cluster.restore(snapshot)
    await back(stage, restarted=restarted)
    await stage.pass_time(minutes=1)

    assert stage.bindings() == []
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "StoryClosed")
    assert list(stage.events()) == told
    assert stage.cluster.bindings_made == [stage.cluster.bindings_made[0]], "one grant in all"


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_decision_after_the_restore_takes_effect(restarted: bool) -> None:
    stage = Stage()
    await pending(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Deny"))
    stage.cluster.restore(snapshot)  # before anybody saw the decision
    await back(stage, restarted=restarted)

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "Active"


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_grant_that_the_log_holds_open_goes_on(restarted: bool) -> None:
    stage = Stage()
    await active(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.apply(a_policy(description="touched"))
    await stage.settle()
    stage.cluster.restore(snapshot)
    await back(stage, restarted=restarted)

    assert len(stage.bindings()) == 1
    assert stage.phase() == "Active"
    await stage.pass_time(hours=1)
    assert stage.phase() == "Expired"
    assert not told_twice(stage)


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_announced_grant_whose_approvals_are_lost_does_not_stay_pending(restarted: bool) -> None:
    """A process that saw the binding reports its loss at once. Another one only knows the announcement, and gives it up."""
    stage = Stage()
    uid = await pending(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.phase() == "Active"

    stage.cluster.restore(snapshot)
    await back(stage, restarted=restarted)
    assert (stage.phase(), stage.bindings()) == ("Pending" if restarted else "Revoked", [])

    await stage.pass_time(hours=2)
    assert stage.phase() == ("Failed" if restarted else "Revoked")
    assert stage.events(uid)[-1] == "request.closed"
    assert not told_twice(stage)


async def test_a_request_that_the_snapshot_does_not_hold_is_told_as_deleted() -> None:
    stage = Stage()
    snapshot = stage.cluster.snapshot()
    uid = await active(stage)
    stage.cluster.restore(snapshot)
    await compared(stage)

    assert list(stage.events(uid))[-3:] == ["request.deleted", "grant.revoked", "request.closed"]


async def test_a_running_process_notices_it() -> None:
    stage = Stage()
    await active(stage)
    snapshot = stage.cluster.snapshot()
    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()
    assert not await compared(stage)

    stage.cluster.restore(snapshot)
    assert await compared(stage)
    assert not await compared(stage), "once"


async def test_a_list_that_was_begun_before_a_change_is_no_restore() -> None:
    stage = Stage()
    await active(stage)

    class Slow(FakeCluster):
        """Lets something change before the answer to a list is taken in."""

        async def list_requests(self) -> list[dict[str, Any]]:
            found = await super().list_requests()
            stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
            await stage.settle()
            return found

    slow = Slow(stage.clock)
    slow.__dict__.update(stage.cluster.__dict__)
    stage.cluster = slow
    assert not await compared(stage)
    assert stage.phase() == "Revoked"


async def test_the_revision_tells_that_the_state_went_back() -> None:
    stage = Stage()
    revisions = Revisions(stage.cluster)
    assert await revisions.look() is Course.ON
    snapshot = stage.cluster.snapshot()
    await active(stage)
    assert await revisions.look() is Course.ON

    stage.cluster.restore(snapshot)
    assert await revisions.look() is Course.BACK
    assert await revisions.look() is Course.BACK, "until somebody has done something about it"
    revisions.start_over()
    assert await revisions.look() is Course.ON


async def test_after_an_outage_a_comparison_is_needed() -> None:
    stage = Stage()
    revisions = Revisions(stage.cluster)
    await revisions.look()

    stage.cluster.is_down = True
    assert await revisions.look() is Course.ON
    stage.cluster.is_down = False
    assert await revisions.look() is Course.UNKNOWN
    assert await revisions.look() is Course.ON


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_policy_that_is_set_back_is_told_and_generations_may_come_again(restarted: bool) -> None:
    """From 2 h to 4 h, back to 2 h by the restore, and to 8 h under the generation that 4 h had."""
    stage = Stage(policy=a_policy(maxDuration="2h"))
    await stage.settle()
    snapshot = stage.cluster.snapshot()
    stage.cluster.apply(a_policy(maxDuration="4h"))
    await stage.settle()

    stage.cluster.restore(snapshot)
    await back(stage, restarted=restarted)
    stage.cluster.apply(a_policy(maxDuration="8h"))
    await stage.settle()
    if restarted:
        await back(stage, restarted=True)

    told = [record for record in stage.log if record.event.startswith("policy.")]
    assert [record.event for record in told] == [
        "policy.created",
        "policy.weakened",
        "policy.updated",
        "policy.weakened",
    ]
    assert [record.block["detail"]["generation"] for record in told] == [1, 2, 1, 2]
    assert told[-1].message.endswith("was weakened: maxDuration is 8h, was 2h")
    assert not told_twice(stage)

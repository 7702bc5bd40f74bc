"""The records of an end come before its status: one patch shows it all, and nothing else becomes of the request meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from curfew.api.times import parse_time
from curfew.audit.record import CURFEW, Story, make_record
from tests.support.builders import ALICE, BOB, CAROL, NOON, a_decision, a_role
from tests.support.stage import FakeTrail, Stage, active, pending
from tests.support.world import FailurePlan


@contextmanager
def slow_log() -> Iterator[None]:
    """Let a log take records and not answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTrail, "flush", lambda trail: set())
        yield


async def look(stage: Stage) -> None:
    """Give everything its turn."""
    stage.look_at_all_requests()
    await stage.settle()


async def test_an_end_is_one_patch_after_its_records() -> None:
    stage = Stage()
    uid = await active(stage)
    stage.plan_failure(counted := FailurePlan())

    await stage.pass_time(hours=1)

    assert counted.calls[:3] == ["delete binding", "append", "patch status Expired"]
    assert stage.cluster.status("inc-4711")["outbox"] == []
    assert stage.condition("Recorded")["reason"] == "Durable"
    assert stage.events(uid)[-2:] == ["grant.expired", "request.closed"]


async def test_a_log_that_does_not_answer_keeps_no_end_from_its_status_for_long() -> None:
    """The access is gone at once; the status shows the end after a second, and holds the records until the log has them."""
    stage = Stage()
    uid = await active(stage)
    with slow_log():
        stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
        await stage.settle()
        assert (stage.phase(), stage.bindings()) == ("Active", [])

        await stage.pass_time(seconds=1)
        assert stage.phase() == "Revoked"
        assert len(stage.cluster.status("inc-4711")["outbox"]) == 3

    await look(stage)
    assert stage.events(uid)[-3:] == ["review.submitted", "grant.revoked", "request.closed"]
    assert stage.cluster.status("inc-4711")["outbox"] == []
    assert stage.store.request(uid) is None


async def test_a_log_that_is_known_to_be_away_is_not_waited_for() -> None:
    stage = Stage()
    await active(stage)
    stage.trail.ok = False

    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()

    assert stage.phase() == "Revoked"


@pytest.mark.parametrize("restarts", [False, True])
async def test_the_end_that_was_told_is_the_end(restarts: bool) -> None:
    """The role is what was approved again before the status shows that it was not; so the log says that nothing was granted."""
    stage = Stage()
    uid = await pending(stage)
    stage.cluster.apply(a_role(rules=[{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]))
    with slow_log():
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
        assert stage.phase() == "Pending"
        stage.cluster.apply(a_role())
        await stage.settle()
        stage.look_at_all_requests()
    stage.trail.flush()
    if restarts:
        stage.restart()
    await look(stage)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "TermsChanged")
    assert stage.cluster.bindings_made == []
    assert stage.events(uid)[-3:] == ["review.submitted", "grant.activation_failed", "request.closed"]


async def test_an_end_that_another_process_told_first_is_the_end() -> None:
    """Its segment came late. The log takes no other end, so no status shows one (decision 0102)."""
    stage = Stage()
    uid = await pending(stage)
    with slow_log():
        stage.cluster.decide("inc-4711", a_decision(BOB, "Deny"))
        await stage.settle()
        assert stage.phase() == "Pending"
        told = replace(Story.of(stage.log[-1]), ended_at=stage.clock.now(), end_reason="CancelledByRequester")
        stage.trail.takes_in(
            make_record("request.cancelled", at=NOON, actor=ALICE, message="alice cancelled it", story=told),
            make_record(
                "request.closed", at=NOON, actor=CURFEW, message="it is over", story=told, detail={"phase": "Cancelled"}
            ),
        )
        await look(stage)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Cancelled", "CancelledByRequester")
    assert stage.cluster.status("inc-4711")["outbox"] == []
    assert (stage.events(uid)[-1], stage.store.request(uid)) == ("request.closed", None)


@pytest.mark.parametrize("removed_by", [CAROL, None])
async def test_a_process_that_dies_before_the_status_leaves_the_end_in_the_log(removed_by: str | None) -> None:
    """The next one starts after the window, and shows what happened then (promise P10)."""
    stage = Stage()
    uid = await active(stage)
    with slow_log():
        if removed_by is not None:
            stage.cluster.decide("inc-4711", a_decision(removed_by, "Revoke"))
        else:
            stage.cluster.delete("RoleBinding", f"curfew-{uid}")
        await stage.settle()
    stage.trail.flush()
    ended_at = stage.clock.now()
    told = stage.events(uid)
    assert (stage.phase(), told[-1]) == ("Active", "request.closed")

    stage.clock.advance(hours=2)
    stage.restart()
    await stage.settle()

    reason = "RevokedByApprover" if removed_by is not None else "BindingRemoved"
    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["endReason"]) == ("Revoked", reason)
    assert parse_time(status["endedAt"]) == ended_at
    assert status["outbox"] == []
    assert (stage.events(uid), len(stage.closed)) == (told, 1)


async def test_a_decision_between_the_records_and_the_status_is_recorded_too() -> None:
    """It was too late to change anything, and nothing that people decide is lost (promise P7)."""
    stage = Stage()
    uid = await active(stage)
    with slow_log():
        await stage.pass_time(hours=1)
        assert stage.phase() == "Active"
    stage.trail.flush()
    stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel"))
    await look(stage)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Expired", "DurationElapsed")
    assert stage.events(uid)[-3:] == ["grant.expired", "request.closed", "review.submitted"]
    assert [review["by"] for review in stage.cluster.status("inc-4711")["reviews"]] == [BOB, ALICE]
    assert stage.cluster.status("inc-4711")["outbox"] == []


async def test_what_somebody_puts_into_the_outbox_meanwhile_is_recorded() -> None:
    """The patch that shows the end would take it out without a word (promise P11)."""
    stage = Stage()
    uid = await active(stage)
    with slow_log():
        await stage.pass_time(hours=1)
        body = stage.cluster._objects["AccessRequest", "payments", "inc-4711"]
        body["status"]["outbox"] = [{"record": "{}", "seal": "00" * 32}]
        stage.cluster._write(("AccessRequest", "payments", "inc-4711"), body)
        stage.trail.flush()
    stage.trail.flush()
    await look(stage)

    assert stage.phase() == "Expired"
    assert stage.events(uid)[-3:] == ["grant.expired", "request.closed", "request.outbox_altered"]
    assert stage.cluster.status("inc-4711")["outbox"] == []


@pytest.mark.parametrize("records", ["are durable", "are on their way", "are lost"])
async def test_a_request_that_is_deleted_after_its_end_was_told_ends_once(records: str) -> None:
    stage = Stage()
    uid = await active(stage)
    with slow_log():
        await stage.pass_time(hours=1)
        if records == "are lost":  # by a log that another process has written to meanwhile
            stage.trail._queued.clear()
        if records != "are durable":
            stage.cluster.delete("AccessRequest", "inc-4711")
            await stage.settle()
    if records == "are durable":
        stage.trail.flush()
        stage.cluster.delete("AccessRequest", "inc-4711")
    await look(stage)

    assert stage.events(uid)[-2:] == ["grant.expired", "request.closed"]
    assert stage.store.request(uid) is None


async def test_the_label_waits_for_others_but_not_for_long() -> None:
    """It takes the request out of the watch, and nobody waits for that."""
    stage = Stage()
    uid = await active(stage)
    stage.reconciler._others_wait = lambda: True

    await stage.pass_time(hours=1)
    await stage.pass_time(seconds=29)
    assert (stage.phase(), stage.closed) == ("Expired", [])

    await stage.pass_time(seconds=1)
    assert [request.uid for request in stage.closed] == [uid]

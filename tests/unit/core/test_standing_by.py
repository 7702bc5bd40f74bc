"""A replica that does not lead ends access, tells of what it ended in the status, and does nothing else."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from curfew.core.facts import Facts, Read
from tests.support.builders import NOON, a_decision, a_lock, a_request
from tests.support.stage import Stage, active, pending

LOCKED_LATER = NOON + timedelta(minutes=1)


async def standing_by(stage: Stage) -> str:
    """Have a grant, and go on as a replica that does not lead. Return the UID of the request."""
    uid = await active(stage)
    await stage.settle()
    stage.stand_by()
    await stage.settle()
    return uid


async def test_it_ends_what_is_over_and_tells_of_it_in_the_status_alone() -> None:
    stage = Stage()
    uid = await standing_by(stage)
    before = list(stage.log)

    await stage.pass_time(hours=1)

    assert stage.bindings() == []
    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["endReason"]) == ("Expired", "DurationElapsed")
    assert status["outbox"] != []
    assert stage.log == before

    stage.take_over()
    await stage.settle()
    assert [record.event for record in stage.log if record.subject == uid].count("grant.expired") == 1
    assert stage.events(uid)[-1] == "request.closed"


async def test_it_ends_what_somebody_revoked() -> None:
    stage = Stage()
    uid = await standing_by(stage)

    stage.cluster.decide("inc-4711", a_decision(decision="Revoke"))
    await stage.settle()

    assert stage.bindings() == []
    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["endReason"]) == ("Revoked", "RevokedByApprover")
    stage.take_over()
    await stage.settle()
    assert stage.events(uid).count("grant.revoked") == 1


async def test_it_ends_what_a_new_lock_covers_and_leaves_an_older_lock_to_the_leader() -> None:
    """Its watch of locks may lag behind: an older lock may have been lifted before the grant."""
    stage = Stage()
    await standing_by(stage)

    stage.cluster.apply(a_lock("older", created=NOON - timedelta(days=1)))
    await stage.settle()
    assert len(stage.bindings()) == 1

    stage.clock.advance(minutes=2)
    stage.cluster.apply(a_lock("newer", created=LOCKED_LATER))
    await stage.settle()
    assert stage.bindings() == []
    assert stage.cluster.status("inc-4711")["endReason"] == "Locked"


async def test_it_ends_the_access_of_a_request_that_was_deleted_and_leaves_the_record_to_the_leader() -> None:
    stage = Stage()
    uid = await standing_by(stage)

    stage.cluster.delete("AccessRequest", "inc-4711", "payments")
    await stage.settle()
    assert stage.bindings() == []
    assert stage.store.request(uid) is None, "nobody else would forget it"

    stage.take_over()
    await stage.settle()
    await stage.reconciler.deleted.close_stories()
    await stage.settle()
    assert stage.events(uid)[-1] == "request.closed"


async def test_it_ends_nothing_for_what_it_has_not_seen() -> None:
    """A binding may be seen before the request that it grants, and before the decision about it."""
    stage = Stage()
    uid = await active(stage)
    (binding,) = stage.bindings()
    stage.stand_by()
    await stage.settle()
    stage.store.forget(uid)
    stage.see_as_handlers_do("MODIFIED", "RoleBinding", {**binding, "metadata": {**binding["metadata"]}})
    await stage.settle()
    assert len(stage.bindings()) == 1


async def test_it_leaves_a_binding_that_is_not_as_it_was_made_to_the_leader() -> None:
    stage = Stage()
    await standing_by(stage)
    stage.cluster.edit_binding(
        stage.bindings()[0]["metadata"]["name"], lambda body: body["subjects"][0].update(name="mallory@example.com")
    )
    await stage.settle()
    assert len(stage.bindings()) == 1
    stage.take_over()
    await stage.settle()
    assert stage.bindings() == []


async def test_it_accepts_nothing_decides_nothing_and_grants_nothing() -> None:
    stage = Stage()
    await pending(stage)
    stage.stand_by()
    stage.cluster.decide("inc-4711", a_decision())
    stage.cluster.apply(a_request("inc-4712"))
    await stage.settle()

    assert stage.bindings() == []
    assert stage.phase() == "Pending"
    assert "phase" not in stage.cluster.status("inc-4712")
    stage.take_over()
    await stage.settle()
    assert stage.phase() == "Active"


async def test_a_leader_that_is_deposed_before_its_post_sends_none() -> None:
    """The question is asked again, right before the call."""
    stage = Stage()
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision())
    gather, led = stage.reconciler.gatherer.gather, list[bool]()

    async def deposed(uid: str, reads: frozenset[Read]) -> Facts | None:
        facts = await gather(uid, reads)
        if facts is not None and facts.intent is not None:  # the next step is the POST
            led.append(facts.leads)
            stage.leading.leads = stage.leading.is_in_office = False
        return facts

    stage.reconciler.gatherer.gather = deposed  # type: ignore[method-assign]
    await stage.settle()
    assert led[0], "the plan was a leader's"
    assert stage.bindings() == []


@pytest.mark.parametrize("bring", [pending, active])
async def test_what_was_deleted_while_the_leader_could_not_renew_its_lease_is_recorded_when_it_can_again(
    bring: Callable[[Stage], Awaitable[str]],
) -> None:
    """Found by chaos: for some seconds it was in office and did not lead, and forgot the request as a standby does."""
    stage = Stage()
    uid = await bring(stage)
    stage.leading.leads = False
    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()
    assert stage.bindings() == []
    assert "request.deleted" not in stage.events(uid)

    stage.leading.leads = True
    await stage.pass_time(seconds=2)
    await stage.settle()

    ended = ["request.deleted", *(["grant.revoked"] if bring is active else []), "request.closed"]
    assert stage.events(uid)[-len(ended) :] == ended
    assert stage.store.request(uid) is None

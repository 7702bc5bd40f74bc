"""Locks in the operator: they end what they cover whatever else is known, refuse what is new, and are recorded once."""

import json
from datetime import timedelta
from typing import Any

import pytest

from curfew.core import locks
from curfew.core.keys import RequestKey
from tests.support.builders import ALICE, BOB, NOON, a_decision, a_lock, a_policy, a_request
from tests.support.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage(policy=a_policy(approval={"mode": "Automatic"}))


async def granted(stage: Stage, *names: str, **spec: Any) -> None:
    for name in names or ("inc-4711",):
        stage.cluster.apply(a_request(name, created=stage.clock.now(), **spec))
    await stage.settle()
    assert {stage.phase(name) for name in names or ("inc-4711",)} == {"Active"}


def of_locks(stage: Stage) -> list[str]:
    return [record.event for record in stage.log if record.event.startswith("lock.")]


@pytest.mark.parametrize(
    "target", [{"person": ALICE}, {"policy": "payments/debug"}, {"namespace": "payments"}, {"everything": True}]
)
async def test_what_is_locked_ends_and_nothing_new_is_granted_until_it_is_lifted(
    stage: Stage, target: dict[str, Any]
) -> None:
    await granted(stage)
    stage.cluster.apply(a_lock(target=target))
    await stage.settle()

    assert stage.bindings() == []
    status = stage.cluster.status("inc-4711")
    assert (status["phase"], status["endReason"]) == ("Revoked", "Locked")
    assert "credentials leaked" in stage.log[-2].message or "credentials leaked" in str([r.message for r in stage.log])

    stage.cluster.apply(a_request("next", created=stage.clock.now()))
    await stage.settle()
    status = stage.cluster.status("next")
    assert (status["phase"], status["endReason"]) == ("Failed", "Locked")
    assert any("credentials leaked" in each["message"] for each in status["conditions"])

    assert [(one.type, one.reason) for one in stage.told.notices if one.regarding.kind == "AccessLock"] == [
        ("Warning", "Locked")
    ]
    stage.cluster.delete("AccessLock", "lock", "")
    await granted(stage, "again")
    assert of_locks(stage) == ["lock.created", "lock.lifted"]
    (lifted,) = (record for record in stage.log if record.event == "lock.lifted")
    assert lifted.block["detail"]["grants_ended"] == 1


async def test_a_request_that_waits_for_people_is_refused(stage: Stage) -> None:
    stage.cluster.apply(a_policy(approval={"mode": "Review", "count": 1}))
    stage.cluster.apply(a_request())
    await stage.settle()
    assert stage.phase() == "Pending"
    stage.cluster.decide("inc-4711", a_decision())
    stage.cluster.apply(a_lock())
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "Locked")
    assert stage.cluster.bindings_made == []


async def test_a_lock_on_somebody_else_ends_nothing(stage: Stage) -> None:
    await granted(stage)
    stage.cluster.apply(a_lock(target={"person": BOB}))
    await stage.settle()
    assert stage.phase() == "Active"


async def test_it_waits_neither_for_the_log_nor_for_the_policy(stage: Stage) -> None:
    await granted(stage)
    stage.trail.ok = False
    stage.cluster.delete("AccessPolicy", "debug")
    stage.cluster.apply(a_lock())
    await stage.settle()

    assert stage.bindings() == []
    assert stage.cluster.status("inc-4711")["endReason"] == "Locked"
    assert of_locks(stage) == []
    stage.trail.ok = True
    await stage.settle()
    assert of_locks(stage) == ["lock.created"]


async def test_before_the_log_is_read_it_ends_access_as_well(stage: Stage) -> None:
    await granted(stage)
    stage.clock.advance(seconds=1)
    stage.restart()
    stage.trail.is_open = False
    stage.cluster.apply(a_lock())
    await stage.settle()

    assert stage.bindings() == []
    stage.trail.is_open = True
    stage.look_at_all_requests()
    stage.dirty |= set(stage.store.locks.all_keys())
    await stage.settle()
    assert stage.cluster.status("inc-4711")["endReason"] == "Locked"
    assert of_locks(stage) == ["lock.created"]


@pytest.mark.parametrize("what", ["unreadable", "unknown"])
async def test_a_binding_alone_is_enough(stage: Stage, what: str) -> None:
    """The request cannot be read, or nothing is known about it: the API server is not even asked."""
    await granted(stage)
    (binding,) = stage.bindings()
    uid = binding["metadata"]["labels"]["curfew.dev/request-uid"]
    if what == "unreadable":
        stage.cluster.watchers = [stage.see_as_handlers_do]
        (body,) = stage.cluster.all("AccessRequest")
        body["spec"]["duration"] = "what?"
        body["metadata"]["resourceVersion"] = "999"
        stage.see_as_handlers_do("MODIFIED", "AccessRequest", body)
    else:
        stage.store.forget(uid)
    stage.store.locks.see(stage.cluster.apply(a_lock()))
    stage.cluster.failures.before = lambda call: pytest.fail(call) if call.startswith("get") else None  # type: ignore[method-assign]

    await stage.reconciler.reconcile(RequestKey(uid))

    assert stage.bindings() == []
    assert [reason for _, _, reason in stage.told.removals] == ["Locked"]


async def test_a_binding_that_was_never_announced_is_recorded_as_that(stage: Stage) -> None:
    await granted(stage)
    (binding,) = stage.bindings()
    stray = {**binding, "metadata": {**binding["metadata"], "name": "curfew-stray"}}
    stray["metadata"]["labels"] = {"curfew.dev/request-uid": "stray"}
    for field in ("uid", "resourceVersion", "ownerReferences"):
        stray["metadata"].pop(field)
    stage.cluster.apply(a_lock())
    stage.cluster.apply(stray)
    await stage.settle()

    assert stage.bindings() == []
    assert [record.event for record in stage.log].count("grant.orphan_removed") == 1
    assert [record.event for record in stage.log].count("grant.activated") == 1


async def test_a_forged_binding_of_a_request_that_waits_is_no_grant(stage: Stage) -> None:
    """A lock must not make a grant out of it."""
    await granted(stage, "model")
    (binding,) = stage.bindings()
    stage.cluster.apply(a_policy(approval={"mode": "Review", "count": 1}))
    uid = stage.cluster.apply(a_request("forged", created=stage.clock.now()))["metadata"]["uid"]
    await stage.settle()
    forged = {**binding, "metadata": {**binding["metadata"], "name": f"curfew-{uid}"}}
    forged["metadata"]["labels"] = {"curfew.dev/request-uid": uid}
    for field in ("uid", "resourceVersion"):
        forged["metadata"].pop(field)
    stage.cluster.watchers = []
    stage.cluster.apply(forged)
    stage.cluster.apply(a_lock())
    stage.restart()
    await stage.settle()

    assert stage.bindings() == []
    assert stage.phase("forged") == "Failed"
    assert [record.event for record in stage.log].count("grant.activated") == 1


async def test_nothing_is_granted_while_nobody_knows_which_locks_there_are(stage: Stage) -> None:
    await granted(stage, "before", duration="10m")
    stage.locks_state = locks.not_listed("the API server refuses it", NOON)
    stage.restart()
    stage.cluster.apply(a_request(created=stage.clock.now()))
    await stage.settle()
    assert stage.phase() == "Approved"
    active = next(one for one in stage.cluster.status("inc-4711")["conditions"] if one["type"] == "Active")
    assert active["reason"] == "LocksNotListed"
    assert "the API server refuses it" in active["message"]

    await stage.pass_time(minutes=10)
    await stage.settle()
    assert stage.phase("before") == "Expired"  # ends go on

    stage.store.locks.state = locks.known(NOON)
    stage.look_at_all_requests()
    await stage.settle()
    assert stage.phase() == "Active"


async def test_a_broken_glass_does_not_get_round_it(stage: Stage) -> None:
    stage.cluster.apply(a_policy(approval={"mode": "BreakGlass", "whenNotRecorded": "Grant"}))
    stage.trail.ok = False
    stage.locks_state = locks.not_listed("no answer", NOON)
    stage.restart()
    stage.trail.ok = False
    stage.cluster.apply(a_request(created=stage.clock.now()))
    await stage.settle()
    assert stage.bindings() == []

    stage.store.locks.state = locks.known(NOON)
    stage.look_at_all_requests()
    await stage.settle()
    assert len(stage.bindings()) == 1
    stage.cluster.apply(a_lock())
    await stage.settle()
    assert stage.bindings() == []


async def test_a_lock_ends_by_itself_and_an_end_in_the_past_locks_nothing(stage: Stage) -> None:
    await granted(stage)
    stage.cluster.apply(a_lock("past", endsAt="2026-11-23T11:00:00Z"))
    await stage.settle()
    assert stage.phase() == "Active"
    assert of_locks(stage) == ["lock.created", "lock.lifted"]

    stage.cluster.apply(a_lock("short", endsAt="2026-11-23T12:30:00Z"))
    await stage.settle()
    assert stage.phase() == "Revoked"
    await stage.pass_time(minutes=31)
    await granted(stage, "again")
    assert of_locks(stage) == ["lock.created", "lock.lifted"] * 2
    (short,) = (body for body in stage.cluster.all("AccessLock") if body["metadata"]["name"] == "short")
    (in_force,) = short["status"]["conditions"]
    assert (in_force["type"], in_force["status"], short["status"]["grantsEnded"]) == ("InForce", "False", 1)


async def test_an_end_that_comes_closer_is_recorded_once(stage: Stage) -> None:
    stage.cluster.apply(a_lock())
    await stage.settle()
    stage.cluster.apply(a_lock(endsAt="2026-11-23T13:00:00Z"))
    await stage.settle()
    stage.restart()
    await stage.settle()
    assert of_locks(stage) == ["lock.created", "lock.changed"]


async def test_each_record_is_there_once_across_restarts_and_what_was_deleted_unseen(stage: Stage) -> None:
    stage.cluster.apply(a_lock("kept"))
    stage.cluster.apply(a_lock("unseen"))
    await stage.settle()
    stage.cluster.watchers = []
    stage.cluster.delete("AccessLock", "unseen", "")
    stage.clock.advance(hours=2)
    stage.restart()
    await stage.settle()
    stage.restart()
    await stage.settle()

    assert of_locks(stage) == ["lock.created", "lock.created", "lock.lifted"]
    assert len({record.id for record in stage.log}) == len(stage.log)
    assert "deleted while Curfew was not watching" in stage.log[-1].message


async def test_a_lock_that_cannot_be_read_keeps_what_it_covered(stage: Stage) -> None:
    body = stage.cluster.apply(a_lock())
    await stage.settle()
    body["spec"]["submittedBy"] = {"not": "a name"}
    body["metadata"]["resourceVersion"] = "998"
    with pytest.raises(Exception, match="AccessLock lock"):
        stage.store.locks.see(body)

    stage.cluster.apply(a_request(created=stage.clock.now()))
    await stage.settle()
    assert stage.cluster.status("inc-4711")["endReason"] == "Locked"
    assert stage.store.locks.unreadable() is not None


async def test_the_self_test_has_its_own_answer_under_a_lock(stage: Stage) -> None:
    stage.cluster.apply(a_lock(target={"everything": True}))
    by = "system:serviceaccount:payments:probe"
    stage.cluster.apply(a_request("curfew-probe", requester=by, submittedBy=by, created=NOON + timedelta(seconds=1)))
    await stage.settle()
    assert stage.cluster.status("curfew-probe")["endReason"] == "SelfTest"


@pytest.mark.parametrize("is_over", [False, True], ids=["by a lock", "because its time is over"])
async def test_what_was_forged_and_ended_before_anything_was_listed_is_no_grant(stage: Stage, is_over: bool) -> None:
    """Its request waits for people still. It must not look as if it had held the access."""
    stage.cluster.apply(a_policy(approval={"mode": "Automatic"}))
    await granted(stage, "model")
    (binding,) = stage.bindings()
    stage.cluster.apply(a_policy("slow", approval={"mode": "Review", "count": 1}))
    uid = stage.cluster.apply(a_request("forged", policyName="slow", created=stage.clock.now()))["metadata"]["uid"]
    await stage.settle()
    forged = json.loads(json.dumps(binding).replace(binding["metadata"]["labels"]["curfew.dev/request-uid"], uid))
    forged["metadata"]["annotations"]["curfew.dev/request"] = "forged"
    forged["metadata"]["annotations"]["curfew.dev/terms"] = stage.cluster.status("forged")["terms"]["digest"]
    if is_over:
        forged["metadata"]["annotations"]["curfew.dev/starts-at"] = "2026-11-23T10:00:00Z"
        forged["metadata"]["annotations"]["curfew.dev/expires-at"] = "2026-11-23T11:00:00Z"
    for field in ("uid", "resourceVersion"):
        forged["metadata"].pop(field)
    stage.cluster.watchers = []
    seen = stage.cluster.apply(forged)
    stage.restart()
    if not is_over:
        stage.store.locks.see(stage.cluster.apply(a_lock()))
    key = stage.store.see_binding(seen)
    assert key is not None
    await stage.reconciler.reconcile(key)  # before anything else is listed
    assert [each["metadata"]["name"] for each in stage.bindings()] == [binding["metadata"]["name"]]
    await stage.settle()

    assert [record.event for record in stage.log].count("grant.activated") == 1
    assert stage.phase("forged") == ("Pending" if is_over else "Failed")

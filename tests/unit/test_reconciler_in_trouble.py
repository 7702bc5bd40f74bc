"""Access ends whatever else is the matter: a binding that is held, an API server that is slow, a request nobody can read."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import RecordRefused
from curfew.core.keys import RequestKey
from curfew.ports import Held
from curfew.processes.operator.turns import Place
from tests.support.builders import ALICE, BOB, NOON, a_decision, a_policy, a_request, a_role
from tests.support.stage import Stage, active, pending
from tests.support.world import FailurePlan


async def test_a_binding_that_a_finalizer_holds_is_not_told_to_be_gone() -> None:
    """It grants until whoever holds it lets go, and is tried on, and told of (promises P1 and P11)."""
    stage = Stage()
    uid = await active(stage)

    def hold(body: dict[str, Any]) -> None:
        body["metadata"]["finalizers"] = ["example.com/hold"]

    stage.cluster.edit_binding(f"curfew-{uid}", hold)
    stage.clock.advance(hours=1)
    for _ in range(3):
        with pytest.raises(Held):
            await stage.reconciler.reconcile(RequestKey(uid))
        stage.clock.advance(seconds=3)
    stage.trail.flush()

    assert stage.phase() == "Active"
    assert stage.store.binding(uid) is not None
    (told,) = (record for record in stage.log if record.event == "grant.removal_failed")
    assert "example.com/hold" in told.block["detail"]["problem"]

    def let_go(body: dict[str, Any]) -> None:
        del body["metadata"]["finalizers"]

    stage.cluster.edit_binding(f"curfew-{uid}", let_go)
    stage.dirty.add(RequestKey(uid))
    await stage.settle()

    assert stage.phase() == "Expired"
    assert stage.bindings() == []


async def test_a_story_that_cannot_be_read_keeps_no_other_from_being_closed() -> None:
    """Both requests were deleted while nobody looked."""
    stage = Stage()
    uids = []
    for name in ("inc-1", "inc-2"):
        uids.append(stage.cluster.apply(a_request(name=name))["metadata"]["uid"])
        await stage.settle()
        stage.cluster.watchers = []
        stage.cluster.delete("AccessRequest", name)
        stage.cluster.watchers = [stage._see]
    accepted = next(record for record in stage.log if record.event == "request.accepted")
    del accepted.block["story"]["uid"]
    stage.restart()

    with pytest.raises(RecordRefused):
        await stage._list()
    stage.trail.flush()

    assert [record.subject for record in stage.log if record.event == "request.closed"] == uids[1:]


async def test_the_end_of_a_grant_waits_in_no_line() -> None:
    """Whatever ends it. All else that is to be done about a request waits in the line of its submitter (promise P3)."""
    stage = Stage()
    uid = await active(stage)
    line = stage.reconciler.place(RequestKey(uid))
    assert (line.line, line.until) == (ALICE, NOON + timedelta(hours=1))

    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    assert stage.reconciler.place(RequestKey(uid)) == Place(None)

    assert await stage.reconciler.reconcile(RequestKey(uid)) == stage.clock.now()  # what is to be written waits
    assert stage.bindings() == []
    assert stage.reconciler.place(RequestKey(uid)) == Place(ALICE, only_shows=True)
    assert stage.phase() == "Active"
    await stage.settle()
    assert stage.phase() == "Revoked"


async def test_the_end_on_a_binding_waits_in_no_line() -> None:
    """Though nobody said so: its time came."""
    stage = Stage()
    uid = await active(stage)

    stage.clock.advance(hours=1)

    assert stage.reconciler.place(RequestKey(uid)) == Place(None)


async def test_what_is_refused_costs_no_more_the_more_of_it_there_is() -> None:
    """What counts towards a limit is kept, not looked for: never more than the limit allows."""
    stage = Stage(policy=a_policy(limits={"pendingPerRequester": 2}))
    for number in range(40):
        stage.cluster.apply(a_request(name=f"inc-{number}"))

    for _ in range(3):
        await stage.settle()
        (claims,) = stage.store._claims.values()
        assert len(claims) == 2
        stage.restart()
    assert Counter(stage.phase(f"inc-{number}") for number in range(40)) == {"Pending": 2, "Failed": 38}

    open_ = [name for name in (f"inc-{number}" for number in range(40)) if stage.phase(name) == "Pending"]
    await stage.settle()
    for name in open_:
        stage.cluster.decide(name, a_decision(ALICE, "Cancel"))
    await stage.settle()
    assert not stage.store._claims


async def test_roles_that_come_and_go_are_not_remembered() -> None:
    """But one that a grant has pinned is remembered as gone, and the grant ends."""
    stage = Stage()
    await active(stage)
    stage.cluster.apply(a_role())  # the watch tells of it
    for number in range(3):
        stage.cluster.apply(a_role(f"passing-{number}"))
        stage.cluster.delete("ClusterRole", f"passing-{number}", "")
    await stage.settle()
    assert len(stage.store.roles._seen) == 1

    stage.cluster.delete("ClusterRole", "payments-debug", "")
    await stage.settle()
    assert stage.phase() == "Revoked"


async def test_requests_that_come_together_do_not_pass_a_limit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees those whose acceptance is only being written."""
    stage = Stage(policy=a_policy(limits={"pendingPerRequester": 1}))
    await stage.settle()
    uids = [stage.cluster.apply(a_request(name=f"inc-{number}"))["metadata"]["uid"] for number in range(5)]
    write = stage.cluster.patch_request_status

    async def write_later(*what: Any) -> dict[str, Any]:
        await asyncio.sleep(0)  # meanwhile all others have been looked at
        return await write(*what)

    monkeypatch.setattr(stage.cluster, "patch_request_status", write_later)
    await asyncio.gather(*map(stage.reconciler.reconcile, map(RequestKey, uids)))
    await stage.settle()

    phases = [stage.phase(f"inc-{number}") for number in range(5)]
    assert sorted(map(str, phases)) == ["Failed"] * 4 + ["Pending"]


async def test_a_request_that_cannot_be_read_is_not_asked_for_without_a_pause() -> None:
    """It is looked for once, and looked at again when its binding has to end, on time."""
    stage = Stage()
    uid = await active(stage)
    stage.cluster._objects["AccessRequest", "payments", "inc-4711"]["status"]["decidedAt"] = "2030-01-01T00:00:00,5Z"
    stage.restart()
    for body in await stage.cluster.list_bindings():
        stage.store.see_binding(body)
    stage.store.is_synced = True

    stage.cluster.failures = FailurePlan()
    assert await stage.reconciler.reconcile(RequestKey(uid)) == NOON
    for _ in range(3):
        assert await stage.reconciler.reconcile(RequestKey(uid)) == NOON + timedelta(hours=1)
    assert stage.cluster.failures.calls == ["get AccessRequest"]
    stage.clock.advance(hours=1)
    assert await stage.reconciler.reconcile(RequestKey(uid)) == stage.clock.now()
    assert stage.bindings() == []
    await stage.reconciler.reconcile(RequestKey(uid))
    stage.trail.flush()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RequestUnreadable")
    assert stage.events(uid)[-2:] == ["grant.revoked", "request.closed"]


async def test_a_request_that_cannot_be_read_gets_an_answer() -> None:
    """What the API server takes, Curfew answers: in the status, as an Event, and once (promise P11)."""
    stage = Stage()
    stage.cluster.apply(a_request(notBefore="2030-01-01T00:00:00,5Z"))
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "RequestUnreadable")
    message = stage.condition("Ready")["message"]
    assert message.startswith("Curfew cannot read this request: spec.notBefore: ")
    assert message.endswith("is not a time such as 2026-11-23T20:00:00Z; apply a new AccessRequest that corrects this")
    assert [(notice.type, notice.reason) for notice in stage.told.notices] == [("Warning", "RequestUnreadable")]
    (body,) = stage.cluster.all("AccessRequest")
    assert "curfew.dev/closed" in body["metadata"]["labels"]


@pytest.mark.parametrize("phase", ["Pending", "Approved", "Active"])
async def test_a_request_that_became_unreadable_while_curfew_was_down_is_ended(phase: str) -> None:
    """Whatever wrote into its status: a request that nobody can read any more does not look open for ever."""
    stage = Stage()
    stage.cluster.apply(a_request())
    stage.cluster._objects["AccessRequest", "payments", "inc-4711"]["status"] = {
        "phase": phase,
        "expiresAt": "2026-02-30T00:00:00Z",
    }
    stage.restart()
    await stage.settle()

    assert stage.phase() == ("Revoked" if phase == "Active" else "Failed")
    assert "status.expiresAt: " in stage.condition("Ready")["message"]
    assert stage.bindings() == []


async def test_a_request_that_cannot_be_read_is_closed_after_its_story_whenever_the_process_dies() -> None:
    """It is answered at once, and stays in the watch until the log holds the end of its story (promises P7 and P10)."""
    stage = Stage()
    uid = await pending(stage)
    stage.cluster._objects["AccessRequest", "payments", "inc-4711"]["status"]["decideBy"] = "2026-02-30T00:00:00Z"
    stage.restart()
    stage.trail.ok = False
    await stage.settle()

    assert stage.phase() == "Failed"
    assert "curfew.dev/closed" not in stage.cluster.all("AccessRequest")[0]["metadata"].get("labels", {})
    assert "request.closed" not in stage.events(uid)

    stage.restart()
    await stage.settle()
    await stage.pass_time(minutes=1)

    assert stage.events(uid).count("request.closed") == 1
    assert "curfew.dev/closed" in stage.cluster.all("AccessRequest")[0]["metadata"]["labels"]


async def test_what_changes_while_the_answer_is_written_is_read_anew() -> None:
    """The answer is about one version of the object; of a newer one nothing is said before it was read."""
    stage = Stage()
    uid = stage.cluster.apply(a_request(notBefore="never"))["metadata"]["uid"]
    await stage._list()
    stage.cluster.watchers = []
    stage.cluster.apply(a_request(notBefore="never again"))
    await stage.reconciler.reconcile(RequestKey(uid))

    assert stage.phase() is None
    assert stage.told.notices == []

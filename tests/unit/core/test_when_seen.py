"""A decision is seen once: every record and the status give the same instant for it, however slow the log is (promise P7)."""

from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.core.keys import RequestKey
from tests.support.builders import BOB, a_decision, a_request
from tests.support.stage import Stage

GRANTED = ["review.submitted", "review.approved", "grant.intended", "grant.activated"]


def times_of(stage: Stage, uid: str) -> set[str]:
    """Return every time that is given for bob's decision: in records, in the status, and as the time of its own record."""
    told = [record for record in stage.log if record.subject == uid]
    seen = {one["seen_at"] for record in told for one in record.block["story"].get("decisions", ()) if one["by"] == BOB}
    seen |= {review["seenAt"] for review in stage.cluster.status("inc-4711")["reviews"]}
    return seen | {record.block["at"] for record in told if record.event == "review.submitted"}


def decided_at(stage: Stage, uid: str) -> set[Any]:
    """Return every time that is given for the moment in which the request was decided."""
    told: list[Record] = [record for record in stage.log if record.subject == uid and record.event in GRANTED[1:]]
    return {record.block["story"].get("decided_at") for record in told} | {
        stage.cluster.status("inc-4711")["decidedAt"]
    }


@pytest.mark.parametrize("restarts", [False, True], ids=["one process", "restarted"])
async def test_a_decision_has_one_time(restarts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The announcement waits for the bucket for a while; who is granted later was decided when it was seen."""
    stage = Stage()
    uid: str = stage.cluster.apply(a_request())["metadata"]["uid"]
    await stage.settle()
    with monkeypatch.context() as slow:
        if not restarts:
            slow.setattr(stage.trail, "flush", set)
        stage.cluster.refuse_bindings = "not yet"
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
    stage.clock.advance(seconds=3, microseconds=1234)
    stage.cluster.refuse_bindings = None
    if restarts:
        stage.restart()
    stage.dirty.add(RequestKey(uid))
    await stage.settle()

    assert stage.phase() == "Active"
    assert stage.events(uid)[-4:] == GRANTED
    assert len(times_of(stage, uid)) == 1
    assert len(decided_at(stage, uid)) == 1

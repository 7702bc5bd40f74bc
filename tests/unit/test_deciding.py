"""A decision is made of values; what the log holds of what it would tell is looked up, and told no second time."""

from dataclasses import replace

import pytest

from curfew.audit.receipt import Receipt
from curfew.core import outbox_size
from curfew.core.facts import Facts, Read
from curfew.core.plan import plan
from curfew.core.seals import Outbox
from curfew.core.steps import Patch
from curfew.processes.operator.deciding import decide
from tests.support.builders import a_decision
from tests.support.stage import Stage, pending
from tests.support.trail import a_record, a_story


async def denied(stage: Stage) -> Facts:
    """Return what is known of a request that somebody has just denied."""
    uid = await pending(stage)
    stage.cluster.decide("inc-4711", a_decision(decision="Deny"))
    request = stage.store.request(uid)
    assert request is not None
    facts = stage.reconciler.gatherer.facts(request)
    return replace(facts, trail=replace(facts.trail, ok=False))  # the records go into the status


async def test_what_the_log_holds_is_not_told_again() -> None:
    """As after a restore of etcd: the status is as it was before, and the log has gone on."""
    stage = Stage()
    facts = await denied(stage)
    told = plan(facts).records
    assert [record.event for record in told] == ["review.submitted", "review.denied", "request.closed"]
    stage.trail.submit(told[:2])
    stage.trail.flush()

    known, step = decide(facts, stage.trail.receipt)

    assert known.durable == {record.id for record in told[:2]}
    assert step == plan(known)
    assert isinstance(step.act, Patch)
    assert step.records == step.act.outbox == told[2:]


async def test_only_what_a_step_would_tell_is_looked_up() -> None:
    """The log remembers for longer what it is asked for."""
    stage = Stage()
    facts = await denied(stage)
    asked: list[str] = []

    def receipt(id_: str) -> Receipt | None:
        asked.append(id_)
        return None

    known, step = decide(facts, receipt)

    assert known is facts
    assert asked == [record.id for record in step.records]


async def test_a_deleted_request_is_forgotten_once_the_log_holds_its_end() -> None:
    """Its last records are in no status; only the log can tell that they were told."""
    stage = Stage()
    facts = replace(await denied(stage), is_gone=True, was_read=frozenset({Read.BINDING}))
    told = decide(facts, stage.trail.receipt)[1].records
    assert told[-1].event == "request.closed"
    stage.trail.submit(told)
    stage.trail.flush()

    assert decide(facts, stage.trail.receipt)[1].records == ()


async def test_what_the_log_holds_needs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change waits for room only with what is still to be told of it."""
    stage = Stage()
    facts = await denied(stage)
    waiting = a_record(1, event="request.created", story=a_story(facts.request.metadata.uid))
    facts = replace(facts, outbox=Outbox((waiting,)))
    told = plan(facts).records
    one_less = outbox_size.stored_bytes(told[:-1])
    monkeypatch.setattr(outbox_size, "OUTBOX_BYTES", one_less)
    assert decide(facts, stage.trail.receipt)[1].act is None, "there is no room"
    stage.trail.submit(told[-1:])
    stage.trail.flush()

    step = decide(facts, stage.trail.receipt)[1]

    assert step.records == told[:-1]
    assert isinstance(step.act, Patch)

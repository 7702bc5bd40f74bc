"""A record that was in an outbox once, sealed by Curfew, and is put back when the log no longer remembers it (P7 and P9)."""

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import Head, seal
from curfew.core.keys import Key
from curfew.processes.operator.open_stories import MOST_TOLD
from curfew.processes.operator.recall import Recall
from tests.support.builders import ALICE, BOB, a_decision, a_policy
from tests.support.stage import FakeTrail, Stage, pending
from tests.support.trail import LOG, SIGNER


class ForgetfulTrail(FakeTrail):
    """A log of which is known what the real memory knows of it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.clock, stage.log)
        self.memory = Recall(LOG, "curfew-1")
        self._head = Head.genesis(LOG)

    def flush(self) -> set[Key]:
        """Append a segment, also one without records."""
        before = len(self.log)
        keys = super().flush()
        told = self.log[before:]
        lines = [record.line() for record in told]
        _, self._head = seal(self._head, lines, at=self._clock.now(), writer="curfew-1", signer=SIGNER)
        self.memory.learn(told, self._head, own=True)
        return keys

    def receipt(self, id_: str) -> Receipt | None:
        """Return a receipt of what is remembered."""
        return self.memory.receipt(id_)

    def is_told(self, record: Record) -> bool:
        """Whether the log holds it, as far as can be known."""
        return self.memory.is_told(record)

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log holds the story closed."""
        return self.memory.is_over(uid, created)


class ForgetfulStage(Stage):
    """A stage whose log is remembered as the real one is."""

    def a_trail(self) -> FakeTrail:
        """Return a log that forgets."""
        return ForgetfulTrail(self)


class Thief:
    """Keeps every entry that is seen in the outbox, and puts entries back."""

    def __init__(self, stage: Stage) -> None:
        self.kept: dict[str, Mapping[str, str]] = {}
        self._stage = stage
        stage.cluster.watchers.append(self._see)

    def _see(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "AccessRequest":
            self.kept |= {entry["record"]: entry for entry in body.get("status", {}).get("outbox", ())}

    def puts_back(self, event: str) -> None:
        """Put all entries of an event back, before those that are there."""
        key = ("AccessRequest", "payments", "inc-4711")
        body = copy.deepcopy(self._stage.cluster._objects[key])
        kept = [entry for entry in self.kept.values() if f'"{event}"' in entry["record"]]
        assert kept, f"{event} was in no outbox"
        body["status"]["outbox"] = [*kept, *body["status"]["outbox"]]
        self._stage.cluster._write(key, body)


@pytest.fixture
def stage() -> Stage:
    """Return a stage whose log is remembered as the real one is, with a policy under which people have two days."""
    return ForgetfulStage(policy=a_policy(decideWithin="48h"))


async def days_pass(stage: Stage, hours: int) -> None:
    """Let time pass, with a sign of life each hour."""
    for _ in range(hours):
        await stage.pass_time(hours=1)
        stage.trail.flush()


async def test_what_is_put_back_as_the_story_closes_is_not_told_again(stage: Stage) -> None:
    """Its first records are older than the memory of the log, which forgets them when the story is closed."""
    thief = Thief(stage)
    uid = await pending(stage)
    await days_pass(stage, 40)
    stage.cluster.decide("inc-4711", a_decision(BOB, "Deny"))
    stage.trail.ok = False
    await stage.settle()
    assert stage.phase() == "Denied"

    stage.trail.ok = True
    stage.trail.flush()
    thief.puts_back("request.created")
    thief.puts_back("request.accepted")
    await stage.settle()

    assert stage.events(uid) == [
        "request.created",
        "request.accepted",
        "review.submitted",
        "review.denied",
        "request.closed",
    ]
    assert stage.cluster.status("inc-4711")["outbox"] == []


async def test_what_is_put_back_into_an_open_story_of_too_many_records_is_not_told_again(stage: Stage) -> None:
    """Whoever forges long enough makes a story longer than what is known of it record by record."""
    thief = Thief(stage)
    uid = await pending(stage)
    assert isinstance(stage.trail, ForgetfulTrail)
    story = stage.trail.memory.open._stories[uid]
    story.told += [story.told[0]] * (MOST_TOLD - len(story.told))
    stage.cluster.decide("inc-4711", a_decision(ALICE, "Approve"))
    await stage.settle()
    await days_pass(stage, 40)
    thief.puts_back("review.refused")
    await stage.settle()

    assert stage.events(uid).count("review.refused") == 1


async def test_what_waited_through_a_long_outage_is_told(stage: Stage) -> None:
    """However old it is: the log forgets nothing while nothing is appended to it."""
    uid = await pending(stage)
    stage.trail.ok = False
    stage.cluster.decide("inc-4711", a_decision(BOB, "Deny"))
    await stage.settle()
    stage.clock.advance(hours=60)
    stage.trail.ok = True
    await stage.settle()

    assert stage.events(uid)[-3:] == ["review.submitted", "review.denied", "request.closed"]

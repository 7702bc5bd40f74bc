"""What the operator recalls of its log: open stories, policies, and who was refused lately."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from curfew.audit.carried import cut
from curfew.audit.record import Record, make_record
from curfew.audit.segment import Head, seal
from curfew.core.counting import OWN_RECORDS, TallyKey
from curfew.core.enforcement_records import lost
from curfew.core.facts import EnforcementState
from curfew.processes.operator.recall import GATHER_SECONDS, Recall
from tests.support.stores import MemoryStore
from tests.support.trail import LOG, SIGNER, START, a_record, a_story, a_trail, running, settle

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


class Teacher:
    """Appends segments to a log that nobody stores, and has a memory learn them."""

    def __init__(self, window: timedelta = 24 * HOUR) -> None:
        self.memory = Recall(LOG, "curfew-1", window)
        self.head = Head.genesis(LOG)

    def teach(self, told: Sequence[Record], *, hours: float = 0, own: bool = True) -> Head:
        lines = [record.line() for record in told]
        _, self.head = seal(self.head, lines, at=START + hours * HOUR, writer="curfew-1", signer=SIGNER)
        self.memory.learn(told, self.head, own=own)
        return self.head


def ids(told: Mapping[str, Record]) -> dict[str, str]:
    """Return the ids of records by UID."""
    return {uid: record.id for uid, record in told.items()}


@pytest.mark.parametrize("event", ["request.created", "request.accepted", "grant.intended", "grant.activated"])
def test_a_milestone_opens_a_story_and_its_closing_ends_it(event: str) -> None:
    teacher = Teacher()
    teacher.teach([a_record(1, event=event, story=a_story("a")), a_record(2, event=event, story=a_story("b"))])
    assert set(teacher.memory.open.stories()) == {"a", "b"}
    teacher.teach([a_record(3, event="request.closed", story=a_story("a"))])

    assert ids(teacher.memory.open.stories()) == {"b": a_record(2, event=event, story=a_story("b")).id}


def test_the_last_milestone_is_the_one_that_is_shown() -> None:
    teacher = Teacher()
    accepted, intended, activated = (
        a_record(0, event=event) for event in ("request.accepted", "grant.intended", "grant.activated")
    )
    teacher.teach([accepted])
    assert teacher.memory.open.intent("uid-0001") is None
    teacher.teach([intended])
    assert teacher.memory.open.intent("uid-0001") == cut(intended)
    teacher.teach([activated, a_record(1, event="review.submitted")])

    assert teacher.memory.open.stories()["uid-0001"] == cut(activated)
    assert teacher.memory.open.intent("uid-0001") == cut(intended)


def test_what_a_closed_story_takes_no_more_waits_for_nothing() -> None:
    """It would stay in a status for a day, and the request with it."""
    teacher, story = Teacher(), a_story()
    closed = make_record("request.closed", at=START, actor="curfew", message="it is over", story=story)
    teacher.teach([a_record(1, event="request.accepted"), closed])

    assert teacher.memory.is_told(a_record(2, event="review.denied"))
    assert not teacher.memory.is_told(a_record(3, event="review.refused"))
    assert not teacher.memory.is_told(a_record(4, event="review.denied", story=a_story("another")))


def test_a_policy_is_remembered_as_it_was_told_last_until_it_is_deleted() -> None:
    teacher = Teacher()
    told = {
        uid: [a_record(number, event=event, story=a_story(uid)) for number, event in enumerate(events)]
        for uid, events in {
            "kept": ["policy.created", "policy.updated", "policy.weakened"],
            "gone": ["policy.created", "policy.deleted"],
        }.items()
    }
    teacher.teach([record for records_ in told.values() for record in records_])

    assert dict(teacher.memory.open.policies()) == {"kept": told["kept"][-1]}
    assert dict(teacher.memory.open.stories()) == {}


def test_a_story_can_be_looked_through_while_it_goes_on() -> None:
    teacher = Teacher()
    teacher.teach([a_record(1, event="request.accepted", story=a_story("a"))])
    stories = teacher.memory.open.stories()
    teacher.teach([a_record(2, event="request.closed", story=a_story("a"))])

    assert "a" in stories
    assert len(stories) == 1
    assert [record.event for record in stories.values()] == ["request.accepted"]


def test_who_had_requests_refused_lately_is_learnt_from_the_log() -> None:
    """So a process that was just started gives nobody twenty more records."""
    teacher, key = Teacher(), TallyKey("alice@example.com", "payments", START)
    told = [
        a_record(number, event="request.rejected", story=a_story(f"uid-{number}"), at=START + number * MINUTE)
        for number in range(25)
    ]
    teacher.teach(told, own=False)

    assert len(teacher.memory.refused_or_withdrawn.refused(key)) == OWN_RECORDS
    assert teacher.memory.refused_or_withdrawn.refused(key._replace(namespace="shop")) == frozenset()
    teacher.teach([a_record(99, event="request.rejected", at=START + 3 * HOUR)], hours=3)
    assert teacher.memory.refused_or_withdrawn.refused(key) == frozenset()


@pytest.mark.looptime
async def test_a_story_is_followed_as_it_is_written() -> None:
    trail = a_trail(MemoryStore())
    intent = a_record(1, event="grant.intended", story=a_story("uid-7"))
    async with running(trail):
        trail.submit([intent])
        await settle()
        assert trail.intent("uid-7") == cut(intent)
        assert dict(trail.open_stories()) == {"uid-7": cut(intent)}
        trail.submit([a_record(2, event="request.closed", story=a_story("uid-7"))])
        await settle()

    assert trail.intent("uid-7") is None
    assert dict(trail.open_stories()) == {}


def test_the_last_record_of_the_guards_is_remembered() -> None:
    teacher = Teacher()
    state = EnforcementState(False, "NotEnforced", "One is not.", START, policies=("a",))
    told = lost(LOG, state, at=START)
    assert teacher.memory.last_of_guards is None
    teacher.teach([told, a_record(1)])

    assert teacher.memory.last_of_guards == told


@pytest.mark.looptime
@pytest.mark.parametrize(("is_crowded", "segments"), [(True, 1), (False, 10)])
async def test_records_of_many_turns_come_together(is_crowded: bool, segments: int) -> None:
    """While turns wait, a segment waits a moment for what they are about to record; otherwise for nothing."""
    store = MemoryStore()
    trail = a_trail(store)
    async with running(trail):
        await settle()
        before = len(store.objects)
        trail.gather_if(lambda: is_crowded)
        for number in range(10):
            trail.submit([a_record(number)])
            await asyncio.sleep(GATHER_SECONDS / 20)
        await asyncio.sleep(GATHER_SECONDS)
        await settle()

    assert len(store.objects) - before == segments

"""The log carries its open stories forward: a start needs the newest set and what follows, and nothing older."""

import asyncio
import itertools
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

import pytest

from curfew.audit.carried import PART_BYTES, STORIES_OPEN, Part, cut
from curfew.audit.record import Record, Story, record_id
from curfew.audit.segment import Head, seal
from curfew.processes.operator.open_stories import CARRY_EVERY
from curfew.processes.operator.recall import Recall
from curfew.trail import People
from curfew.trail.recovery import Recovered, recover
from tests.support.logs import opened
from tests.support.stores import FailingStore, MemoryStore
from tests.support.trail import (
    LOG,
    SIGNER,
    START,
    LoopClock,
    a_record,
    a_story,
    a_trail,
    log_of,
    running,
    settle,
    told_once,
)

pytestmark = pytest.mark.looptime

HOUR = timedelta(hours=1)
WINDOW = 25 * HOUR
RECALL = partial(Recall, LOG, "curfew-0")


def told_of(uid: str, *events: str) -> list[Record]:
    """Return the records of a story."""
    return [a_record(number, event=event, story=a_story(uid)) for number, event in enumerate(events)]


GRANTED = ("request.created", "request.accepted", "review.submitted", "grant.intended", "grant.activated")


class Log:
    """A log that is written a segment at a time, with the sets that are due; what a start finds in it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.memory = Recall(LOG, "curfew-0")
        self.head = Head.genesis(LOG)
        self.at = START
        self.carries = True

    def write(self, told: Iterable[Record] = (), *, hours: float = 0) -> Sequence[Record]:
        """Write one segment, so much later than the last; return what it carries."""
        self.at += hours * HOUR
        carried = self.memory.carry(self.at) if self.carries else ()
        told = [*carried, *told]
        name = self.head.next_name()
        lines = [record.line() for record in told]
        body, self.head = seal(self.head, lines, at=self.at, writer="curfew-0", signer=SIGNER)
        self.store.objects[name] = body
        self.memory.learn(told, self.head, own=True)
        return carried

    def wait(self, days: float) -> None:
        """Write a sign of life every hour for so long."""
        for _ in range(round(days * 24)):
            self.write(hours=1)

    async def recover(self) -> Recovered[Recall]:
        """Read it back as a start does."""
        return await recover(self.store, LOG, [SIGNER.verifier], WINDOW, self.at, RECALL)


async def test_a_start_knows_a_story_of_a_month_ago_by_the_newest_set() -> None:
    log = Log()
    story = told_of("old", *GRANTED)
    log.write(story)
    receipt = log.memory.receipt(story[3].id)
    log.wait(31)
    reading = FailingStore(log.store)

    memory = (await recover(reading, LOG, [SIGNER.verifier], WINDOW, log.at, RECALL)).memory

    assert memory.open.stories() == {"old": cut(story[4])}
    assert memory.open.intent("old") == cut(story[3])
    assert memory.receipt(story[3].id) == log.memory.receipt(story[3].id) == receipt
    assert all(memory.receipt(record.id) is not None for record in story), "so none of them is told twice"
    assert not memory.is_own(story[3].id)
    assert reading.calls.count("get") < 2 * 24 + 10, "no more than two days are read"


async def test_a_set_is_written_every_six_hours_however_little_there_is_to_carry() -> None:
    log = Log()
    log.wait(2)

    told = [record for record in log_of(log.store.objects) if record.event == STORIES_OPEN]
    assert len(told) == 7  # the first 7 hours after the log began: its first hour holds nothing
    assert all(later.at - earlier.at <= CARRY_EVERY + HOUR for earlier, later in itertools.pairwise(told))


async def test_the_log_need_not_be_read_further_back_than_the_newest_complete_set() -> None:
    """A set of which parts are missing counts as none."""
    log = Log()
    for number in range(400):
        log.write(told_of(f"uid-{number}", *GRANTED))
    carried = log.write(hours=7)
    assert len(carried) > 1
    assert log.memory.is_carrying
    assert not any(Part.of(record).is_last for record in carried)
    assert log.memory.open.carried_at == START, "not before its last part"
    while log.memory.is_carrying:
        log.write()
    assert log.memory.open.carried_at == START + 7 * HOUR


async def test_what_is_told_between_the_parts_of_a_set_is_not_undone_by_it() -> None:
    log = Log()
    for number in range(400):
        log.write(told_of(f"uid-{number:03}", *GRANTED))
    log.write(hours=7)
    closed = [a_record(9, event="request.closed", story=a_story(f"uid-{number:03}")) for number in (0, 399)]
    log.write([*closed, *told_of("new", "request.created", "request.accepted")])
    while log.memory.is_carrying:
        log.write()
    log.wait(2)

    memory = (await log.recover()).memory

    assert set(memory.open.stories()) == {f"uid-{number:03}" for number in range(1, 399)} | {"new"}
    assert dict(memory.open.stories()) == dict(log.memory.open.stories())


async def test_locks_are_carried_until_they_are_lifted() -> None:
    log = Log()
    log.write([*told_of("kept", "lock.created", "lock.changed"), *told_of("lifted", "lock.created")])
    log.wait(3)
    log.write(told_of("lifted", "lock.lifted"))
    log.wait(3)

    memory = (await log.recover()).memory

    assert {uid: record.event for uid, record in memory.open.locks().items()} == {"kept": "lock.changed"}
    assert dict(memory.open.policies()) == {}


async def test_policies_are_carried_until_they_are_deleted() -> None:
    log = Log()
    log.write([*told_of("kept", "policy.created", "policy.updated"), *told_of("gone", "policy.created")])
    log.wait(3)
    log.write(told_of("gone", "policy.deleted"))
    log.wait(3)

    memory = (await log.recover()).memory

    assert set(memory.open.policies()) == {"kept"}
    assert memory.open.policies()["kept"].event == "policy.updated"


async def test_a_log_of_an_earlier_version_is_read_as_far_back_as_the_longest_grant() -> None:
    """It has no set: what is older than that is not known, and no story of that time is called over."""
    log = Log()
    log.carries = False
    log.write(told_of("older", *GRANTED))
    log.wait(10)
    log.write(told_of("newer", *GRANTED))
    log.wait(4)
    recovered = await recover(log.store, LOG, [SIGNER.verifier], timedelta(days=7), log.at, RECALL)

    assert set(recovered.memory.open.stories()) == {"newer"}
    assert not recovered.memory.open.is_complete
    assert not recovered.memory.is_over("older", START)
    assert recovered.memory.is_over("nobody", START + timedelta(days=8)), "it is known from then on"

    # The first set of this version is due at once, and says from when on it knows all.
    log.carries, log.memory = True, recovered.memory
    log.write(hours=1)
    log.wait(2)
    memory = (await recover(log.store, LOG, [SIGNER.verifier], timedelta(days=7), log.at, RECALL)).memory
    assert memory.open.is_complete
    assert set(memory.open.stories()) == {"newer"}
    assert not memory.is_over("older", START)
    assert memory.is_over("nobody", START + timedelta(days=8))


async def test_the_keys_of_the_log_are_carried_forward_with_the_open_stories() -> None:
    """So a start knows them all, though it reads one day of the log."""
    log = Log()
    log.write([opened(SIGNER)])
    log.wait(10)

    assert (await log.recover()).memory.lineage.keys == (str(SIGNER.verifier),)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_story_is_over_when_the_log_holds_it_closed_however_long_ago(restarted: bool) -> None:
    log = Log()
    log.wait(0.5)
    created = log.at
    closing = make_closed("closed")
    log.write([*told_of("closed", *GRANTED), closing, *told_of("open", *GRANTED)])

    async def memory() -> Recall:
        return (await log.recover()).memory if restarted else log.memory

    for days in (0, 0.5, 1, 1, 1, 10):
        log.wait(days)
        known = await memory()
        assert known.is_over("closed", created)
        assert not known.is_over("open", created)
        assert not known.is_over("of-this-moment", log.at)
        assert not known.is_over("of-a-while-ago", log.at - 6 * HOUR)


def make_closed(uid: str) -> Record:
    """Return the record that closes a story, with the id that it has in life."""
    closed = a_record(0, event="request.closed", story=a_story(uid))
    body = {**closed.body, "unmapped": {"curfew": {**closed.block, "id": record_id(uid, "request.closed")}}}
    return Record.parse(body)


async def test_a_story_that_was_opened_before_the_log_began_is_not_called_over() -> None:
    log = Log()
    log.wait(10)

    assert not log.memory.is_over("from-another-bucket", START - timedelta(days=1))


async def test_a_set_that_another_writer_came_before_is_made_anew() -> None:
    store = MemoryStore()
    first, second = (a_trail(store, writer=writer, heartbeat=HOUR) for writer in ("curfew-1", "curfew-2"))
    async with running(first):
        first.submit(told_of("kept", *GRANTED) + told_of("closed", *GRANTED))
        await settle()
        await second.open()
        # The second writes the set as well as the close when the first is already about to.
        async with running(second):
            await asyncio.sleep(6 * 3600 - 60)
            second.submit([a_record(9, event="request.closed", story=a_story("closed"))])
            await asyncio.sleep(2 * 3600)

    told_once(store.objects)
    third = a_trail(store)
    await third.open()
    assert set(third.open_stories()) == {"kept"}


async def test_a_set_holds_no_names_where_the_log_holds_pseudonyms() -> None:
    store, names = MemoryStore(), MemoryStore()
    trail = a_trail(store, people=People(names, LoopClock()), heartbeat=HOUR)
    told = Story(
        uid="uid-7",
        namespace="payments",
        request="inc-4711",
        requester="alice@example.com",
        submitted_by="alice@example.com",
        reason="bob@example.com asked alice@example.com",
    )
    records_ = [a_record(number, event=event, story=told) for number, event in enumerate(GRANTED)]
    async with running(trail):
        trail.submit(records_)
        await asyncio.sleep(7 * 3600)
        receipt = trail.receipt(records_[3].id)
    sets = [record for record in log_of(store.objects) if record.event == STORIES_OPEN]
    assert len(sets) == 1
    text = sets[0].line().decode()
    assert "inc-4711" in text
    assert not any(word in text for word in ("alice", "@example.com", *(record.id for record in records_)))

    again = a_trail(store, people=People(names, LoopClock()))
    await again.open()
    assert again.intent("uid-7") == cut(records_[3])
    assert again.receipt(records_[3].id) == receipt
    assert all(again.receipt(record.id) is not None for record in records_)


async def test_many_open_stories_are_carried_a_little_at_a_time() -> None:
    log = Log()
    for start in range(0, 1000, 100):
        log.write([record for number in range(start, start + 100) for record in told_of(f"uid-{number}", *GRANTED)])
    before = len(log.store.objects)
    carried = [log.write(hours=7)]
    while log.memory.is_carrying:
        carried.append(log.write())
    written = list(log.store.objects.values())[before:]

    assert len(carried) > 5
    assert all(len(record.line()) < 2 * PART_BYTES for parts in carried for record in parts)
    assert all(sum(len(record.line()) for record in parts) < 6 * PART_BYTES for parts in carried)
    assert sum(map(len, written)) < 300 * 1000, "bytes in the bucket, every six hours"
    assert len((await log.recover()).memory.open.stories()) == 1000


async def test_a_record_that_only_looks_like_a_part_counts_as_none() -> None:
    log = Log()
    log.write(told_of("kept", "request.accepted"))
    carried = log.write(hours=7)
    for detail in ({}, {"set": "x", "part": "one"}, {**carried[0].block["detail"], "stories": [{"records": []}]}):
        block = {**carried[0].block, "detail": detail}
        log.memory.open.learn(Record.parse({**carried[0].body, "unmapped": {"curfew": block}}), 3)

    assert set(log.memory.open.stories()) == {"kept"}
    assert log.memory.open.is_complete

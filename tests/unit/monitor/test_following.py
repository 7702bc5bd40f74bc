"""The operator's log is read back and followed, and whoever waits knows all that was in it when they asked."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from curfew.audit.record import Record
from curfew.ports import IntakeUnavailable, ObjectStore
from curfew.processes.monitor.following import TrailReader
from tests.support.logs import BEGIN, ALog, a_log, a_record
from tests.support.stores import Flaky, MemoryStore
from tests.support.trail import LoopClock

pytestmark = pytest.mark.looptime


class Learner:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.changes = 0

    def changed(self) -> None:
        """Count."""
        self.changes += 1

    @property
    def subjects(self) -> Sequence[str]:
        """What the records are about, in order."""
        return [record.subject for record in self.records if record.event != "audit.opened"]


def a_reader(store: ObjectStore, learner: Learner) -> TrailReader:
    return TrailReader(
        store,
        "main",
        None,
        LoopClock(BEGIN + timedelta(minutes=10)),
        span=timedelta(hours=24),
        people=None,
        learn=learner.records.append,
        changed=learner.changed,
    )


@asynccontextmanager
async def running(reader: TrailReader) -> AsyncIterator[None]:
    task = asyncio.create_task(reader.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def grown(log: ALog, store: MemoryStore, *numbers: int) -> None:
    log.append([a_record(number) for number in numbers])
    store.objects |= log.objects


async def test_what_is_there_is_read_back_in_order() -> None:
    learner = Learner()
    reader = a_reader(MemoryStore(a_log(2, 2).objects), learner)
    assert "has not been read yet" in reader.trouble
    await reader.open()
    assert reader.trouble == ""
    assert learner.subjects == ["uid-1", "uid-2", "uid-3"]


async def test_a_log_that_is_not_there_yet_is_found_soon_after_it_begins() -> None:
    """At a first installation the monitor may start before the operator has written anything."""
    store, learner = MemoryStore({}), Learner()
    reader = a_reader(store, learner)
    opening = asyncio.create_task(reader.open())
    await asyncio.sleep(3)
    assert "There is no log" in reader.trouble
    store.objects |= a_log(2).objects
    async with asyncio.timeout(3):
        await opening
    assert reader.trouble == ""


async def test_whoever_waits_knows_what_was_in_the_log_when_they_asked() -> None:
    log, learner = a_log(1), Learner()
    store = MemoryStore(dict(log.objects))
    reader = a_reader(store, learner)
    await reader.open()
    async with running(reader):
        await asyncio.sleep(0.5)
        grown(log, store, 7)
        await reader.current()
        assert learner.subjects == ["uid-7"]


async def test_a_look_that_is_under_way_is_not_enough() -> None:
    """What was appended after its question would be missed."""
    log, learner = a_log(1), Learner()

    class Slow(MemoryStore):
        async def get(self, name: str) -> bytes:
            found = name in self.objects
            await asyncio.sleep(1)
            if not found:
                self.objects.pop("none", None)
                return await MemoryStore({}).get(name)
            return await super().get(name)

    store = Slow(dict(log.objects))
    reader = a_reader(store, learner)
    await reader.open()
    async with running(reader):
        await asyncio.sleep(1.5)  # a look is under way, and has its answer already
        grown(log, store, 7)
        await reader.current()
        assert learner.subjects == ["uid-7"]


async def test_news_are_noticed_within_a_second_or_so_if_nobody_waits() -> None:
    log, learner = a_log(1), Learner()
    store = MemoryStore(dict(log.objects))
    reader = a_reader(store, learner)
    await reader.open()
    async with running(reader):
        await asyncio.sleep(5)
        before = learner.changes
        grown(log, store, 7)
        await asyncio.sleep(1.2)
        assert learner.subjects == ["uid-7"]
        assert learner.changes == before + 1


async def test_while_the_store_is_away_nobody_is_told_that_all_is_known() -> None:
    log, learner = a_log(1), Learner()
    store = Flaky(dict(log.objects))
    reader = a_reader(store, learner)
    await reader.open()
    async with running(reader):
        store.is_away = True
        with pytest.raises(IntakeUnavailable, match="the bucket is away"):
            await reader.current()
        assert reader.trouble == "the bucket is away."
        grown(log, store, 7)
        store.is_away = False
        await asyncio.sleep(5)
        await reader.current()
    assert reader.trouble == ""
    assert learner.subjects == ["uid-7"]


async def test_after_an_altered_segment_nobody_is_told_that_all_is_known_ever_again() -> None:
    log, learner = a_log(1), Learner()
    store = MemoryStore(dict(log.objects))
    reader = a_reader(store, learner)
    await reader.open()
    name = log.append([a_record(7)])
    log.append([a_record(8)])
    store.objects |= log.objects
    store.objects[name] = store.objects[name][:-1] + bytes([store.objects[name][-1] ^ 1])
    async with running(reader):
        with pytest.raises(IntakeUnavailable, match="is not whole"):
            await reader.current()
        await asyncio.sleep(600)
        with pytest.raises(IntakeUnavailable, match="is not whole"):
            await reader.current()
    assert learner.subjects == []


async def test_a_start_is_tried_until_it_succeeds() -> None:
    log, learner = a_log(2), Learner()
    store = Flaky()
    reader = a_reader(store, learner)
    opening = asyncio.create_task(reader.open())
    await asyncio.sleep(30)
    assert "There is no log" in reader.trouble
    store.is_away, store.objects = True, dict(log.objects)
    await asyncio.sleep(60)
    assert reader.trouble == "the bucket is away."
    store.is_away = False
    await opening
    assert learner.subjects == ["uid-1"]


async def test_a_start_that_is_interrupted_goes_on_where_it_was() -> None:
    log, learner = a_log(2, 2, 2, 2), Learner()

    class Interrupted(Flaky):
        calls = 0

        async def get(self, name: str) -> bytes:
            self.calls += 1
            self.is_away = name == log.names[2] and self.calls < 10
            return await super().get(name)

    reader = a_reader(Interrupted(dict(log.objects)), learner)
    await reader.open()
    assert learner.subjects == [f"uid-{number}" for number in range(1, 8)]

"""One log and several writers, of which one at a time may write: what a new one begins with, and what an old one cannot do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from curfew.audit.record import Record, make_record
from curfew.core.trail_state import TrailReason
from curfew.processes.operator.recall import Trail
from tests.support.stores import MemoryStore
from tests.support.trail import START, Observer, a_record, a_story, a_trail, log_of, records, segments, settle, until

pytestmark = pytest.mark.looptime(start=0)


class Writer:
    """A replica, as far as the log knows it."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self.store = store
        self.leads = False
        self.observer = Observer()
        self.trail: Trail = a_trail(store, self.observer, writer=name, leads=lambda: self.leads, worm_required=False)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[Trail]:
        """Lead as long as the block."""
        self.leads = True
        self.trail.begin()
        await self.trail.open()
        task = asyncio.create_task(self.trail.run())
        try:
            yield self.trail
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.leads = False
            self.trail.stand_by()

    @asynccontextmanager
    async def standing_by(self) -> AsyncIterator[Trail]:
        """Read along as long as the block."""
        task = asyncio.create_task(self.trail.keep_up())
        try:
            yield self.trail
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class Counted(MemoryStore):
    """A store that counts what is asked of it, and can hold a PUT back."""

    def __init__(self) -> None:
        super().__init__()
        self.gets = 0
        self.held: asyncio.Event | None = None
        self.waiting = asyncio.Event()

    async def get(self, name: str) -> bytes:
        self.gets += 1
        return await super().get(name)

    async def create(self, name: str, body: bytes) -> None:
        if self.held is not None:
            self.waiting.set()
            await self.held.wait()
        await super().create(name, body)


async def written(writer: Writer, number: int) -> None:
    writer.trail.submit(records(number, number))
    await until(writer.observer, lambda: writer.trail.receipt(a_record(number).id) is not None)


async def test_a_process_that_does_not_lead_says_so_and_writes_nothing() -> None:
    writer = Writer(MemoryStore(), "a")
    async with writer.standing_by():
        writer.trail.submit(records(1, 1))
        await asyncio.sleep(60)
    assert writer.store.objects == {}
    assert (writer.trail.health.ok, writer.trail.health.reason) == (False, TrailReason.NOT_LEADING)
    assert writer.trail.seals is not None, "the records in a status can be sealed and read"


async def test_a_new_leader_begins_with_a_segment_that_names_it() -> None:
    store = MemoryStore()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading():
        await written(first, 1)
    async with second.standing_by():
        await asyncio.sleep(1)
    async with second.leading():
        await written(second, 2)
    told = [record for record in log_of(store.objects) if record.event == "audit.leader_changed"]
    assert [record.block["detail"] for record in told] == [{"before": "a", "segment": 0, "writer": "b"}]
    found = segments(store.objects)
    of_second = next(segment for segment in found if segment.writer == "b")
    assert of_second.lines[0] == told[0].line()


async def test_the_same_writer_goes_on_without_a_word() -> None:
    store = MemoryStore()
    writer = Writer(store, "a")
    for number in (1, 2):
        async with writer.leading():
            await written(writer, number)
    assert "audit.leader_changed" not in {record.event for record in log_of(store.objects)}


async def test_what_was_read_along_is_not_read_again() -> None:
    store = Counted()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading(), second.standing_by():
        for number in range(30):
            await written(first, number)
        await asyncio.sleep(11)
        assert second.trail.unread is None
        store.gets = 0
    async with second.leading():
        assert store.gets < 15
        assert all(second.trail.receipt(a_record(number).id) is not None for number in range(30))
        await written(second, 99)


async def test_a_leader_that_cannot_show_it_writes_nothing_until_it_can() -> None:
    writer = Writer(MemoryStore(), "a")
    async with writer.leading():
        await written(writer, 1)
        writer.leads = False
        writer.trail.submit(records(2, 2))
        await asyncio.sleep(30)
        assert writer.trail.health.reason == TrailReason.NOT_LEADING
        assert writer.trail.receipt(a_record(2).id) is None
        writer.leads = True
        await until(writer.observer, lambda: writer.trail.receipt(a_record(2).id) is not None)
        await settle()
        assert writer.trail.health.ok


async def test_a_put_that_was_on_its_way_when_another_leads_meets_a_name_that_is_taken() -> None:
    """It cannot be called back. The first segment of the new leader has its name."""
    store = Counted()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading():
        await written(first, 1)
        store.held = late = asyncio.Event()
        first.trail.submit(records(2, 2))
        await store.waiting.wait()
        first.leads, store.held = False, None  # another one leads
        async with second.leading():
            await written(second, 3)
            late.set()
            await asyncio.sleep(5)
            assert first.trail.receipt(a_record(3).id) is not None, "it takes in what is there"
            assert first.trail.receipt(a_record(2).id) is None
    writers = [segment.writer for segment in segments(store.objects)]
    assert writers.index("b") == len(writers) - writers.count("b")
    assert a_record(2).id not in {record.id for record in log_of(store.objects)}


async def test_a_put_that_lands_before_the_new_leader_s_is_taken_in() -> None:
    store = Counted()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading():
        await written(first, 1)
        store.held = late = asyncio.Event()
        first.trail.submit(records(2, 2))
        await store.waiting.wait()
        first.leads = False
        second.leads = True
        second.trail.begin()
        await second.trail.open()  # up to record 1
        late.set()
        await asyncio.sleep(1)
        store.held = None
        async with asyncio.timeout(100):
            task = asyncio.create_task(second.trail.run())
            await until(second.observer, lambda: second.trail.receipt(a_record(2).id) is not None)
            await written(second, 3)
        task.cancel()
    assert [record.id for record in log_of(store.objects)].count(a_record(2).id) == 1


def of_story(*events: str) -> list[Record]:
    """Return records of one request's story."""
    return [make_record(event, at=START, actor="curfew", message=event, story=a_story()) for event in events]


GOES_ON = ("request.deleted", "review.denied", "grant.intended")


async def test_a_story_that_another_writer_has_closed_does_not_go_on() -> None:
    """The request was deleted, and the new leader found that before it had read the log to its end (promise P10)."""
    store = MemoryStore()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading() as trail:
        trail.submit(of_story("request.created", "request.closed"))
        await until(first.observer, lambda: trail.receipt(of_story("request.closed")[0].id) is not None)
    second.trail.submit(of_story(*GOES_ON, "review.refused"))
    async with second.leading() as trail:
        await until(second.observer, lambda: trail.receipt(of_story("review.refused")[0].id) is not None)
        trail.submit(of_story(*GOES_ON))
        await written(second, 1)
    told = [record.event for record in log_of(store.objects) if record.subject == a_story().uid]
    assert told == ["request.created", "request.closed", "review.refused", "review.submitted"]


async def test_a_story_that_is_being_closed_does_not_go_on() -> None:
    """The leader has handed over one end, and finds another one in the status (promise P10)."""
    store = Counted()
    writer = Writer(store, "a")
    async with writer.leading() as trail:
        await written(writer, 1)
        store.held = late = asyncio.Event()
        trail.submit(of_story("grant.expired", "request.closed"))
        trail.submit(of_story("grant.revoked"))
        await store.waiting.wait()
        trail.submit(of_story("grant.revoked", "request.closed"))
        late.set()
        await written(writer, 2)
    told = [record.event for record in log_of(store.objects) if record.subject == a_story().uid]
    assert told == ["review.submitted", "grant.expired", "request.closed", "review.submitted"]


async def test_a_story_that_a_late_segment_closes_does_not_go_on() -> None:
    """The segment of the leader before lands while the new one is writing (promise P10)."""
    store = Counted()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading() as trail:
        await written(first, 1)
        store.held = late = asyncio.Event()
        trail.submit(of_story("request.closed"))
        await store.waiting.wait()
        first.leads = False
        second.leads = True
        second.trail.begin()
        await second.trail.open()  # up to record 1
        second.trail.submit(of_story(*GOES_ON))
        late.set()
        await asyncio.sleep(1)
        store.held = None
        task = asyncio.create_task(second.trail.run())
        await written(second, 3)
        task.cancel()
    assert {record.event for record in log_of(store.objects)}.isdisjoint(GOES_ON)


async def test_nothing_is_kept_from_an_earlier_leadership() -> None:
    """What another writer may have told meanwhile, and this one has forgotten, would be told twice."""
    store = Counted()
    first = Writer(store, "a")
    async with first.leading():
        await written(first, 1)
        store.held = asyncio.Event()
        first.trail.submit(records(2, 2))
        await store.waiting.wait()
        first.trail.submit(records(3, 3))
    store.held = None
    assert first.trail.receipt(a_record(1).id) is None
    async with first.leading():
        await written(first, 4)
    held = {record.id for record in log_of(store.objects)}
    assert a_record(3).id not in held
    assert a_record(1).id in held


async def test_a_log_that_changed_its_past_is_read_anew() -> None:
    """A bucket that was restored: what was read along is not believed."""
    store = MemoryStore()
    first, second = Writer(store, "a"), Writer(store, "b")
    async with first.leading():
        for number in range(3):
            await written(first, number)
    async with second.standing_by():
        await asyncio.sleep(1)
        assert second.trail.unread is None
    other = MemoryStore()
    third = Writer(other, "c")
    async with third.leading():
        for number in range(10, 15):
            await written(third, number)
    store.objects.clear()
    store.objects.update(other.objects)
    async with second.leading():
        assert second.trail.receipt(a_record(14).id) is not None
        assert second.trail.receipt(a_record(1).id) is None

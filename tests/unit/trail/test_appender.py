"""Appending: records become durable in order, once, whatever the store does."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from curfew.audit.record import Record
from curfew.audit.segment import Head, follow
from curfew.trail import queue
from tests.support.stores import FailingStore, MemoryStore, StallingStore, When
from tests.support.trail import (
    LOG,
    SIGNER,
    START,
    LoopClock,
    Observer,
    a_record,
    a_trail,
    log_of,
    records,
    running,
    segments,
    settle,
    told_once,
    until,
)

pytestmark = pytest.mark.looptime


def ids(told: list[Record]) -> list[str]:
    """Return the ids of records, in order."""
    return [record.id for record in told]


async def test_a_log_begins_by_naming_its_key() -> None:
    store = MemoryStore()
    async with running(a_trail(store)):
        await settle()

    first = log_of(store.objects)[0]
    assert first.event == "audit.opened"
    assert first.block["detail"] == {"verifier_key": SIGNER.verifier_key}
    assert first.at == START


async def test_a_record_that_is_handed_over_becomes_durable_and_its_receipt_fits_the_log() -> None:
    store, observer = MemoryStore(), Observer()
    trail = a_trail(store, observer)
    record = a_record()
    async with running(trail):
        await settle()
        assert trail.receipt(record.id) is None
        trail.submit([record])
        await settle()

    receipt = trail.receipt(record.id)
    assert receipt is not None
    assert record in observer.told
    assert trail.is_own(record.id)
    assert log_of(store.objects)[receipt.index] == record
    head = Head.genesis(LOG)
    for segment in segments(store.objects):
        _, head = follow(head, segment.name, store.objects[segment.name], SIGNER.verifier)
        if head.range.size == receipt.size:
            assert head.range.root().hex() == receipt.root
            break
    else:
        pytest.fail("the log never had the size of the receipt")


async def test_what_comes_while_a_segment_is_on_its_way_goes_together_into_the_next() -> None:
    inner = MemoryStore()
    store = StallingStore(inner)
    trail = a_trail(store)
    async with running(trail):
        await settle()
        before = len(inner.objects)
        store.stall()
        trail.submit(records(1, 1))
        await settle()
        for number in range(2, 30):
            trail.submit([a_record(number)])
            await settle()
        store.let_go()
        await settle()

    assert [len(segment.lines) for segment in segments(inner.objects)[before:]] == [1, 28]
    assert told_once(inner.objects) == ids(records(1, 29))


async def test_a_segment_is_bounded_in_records_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "MOST_RECORDS", 10)
    monkeypatch.setattr(queue, "MOST_BYTES", 5 * len(a_record(10).line()))
    store = MemoryStore()
    trail = a_trail(store)
    huge = a_record(99, detail={"text": "x" * (2 * queue.MOST_BYTES - 4096)})
    async with running(trail):
        await settle()
        before = len(store.objects)
        trail.submit([*records(10, 21), huge, *records(22, 23)])
        await settle()

    assert [len(segment.lines) for segment in segments(store.objects)[before:]] == [5, 5, 2, 1, 2]
    assert told_once(store.objects) == ids([*records(10, 21), huge, *records(22, 23)])


async def test_handing_over_twice_writes_once() -> None:
    inner = MemoryStore()
    store = StallingStore(inner)
    trail = a_trail(store)
    trail.submit(records(1, 3))
    trail.submit(records(1, 3))  # queued
    async with running(trail):
        await settle()
        trail.submit(records(1, 3))  # durable
        store.stall()
        trail.submit(records(4, 4))
        await settle()
        trail.submit(records(4, 4))  # on its way
        store.let_go()
        await settle()

    assert told_once(inner.objects) == ids(records(1, 4))


async def test_what_was_durable_before_the_start_is_told_and_not_written_again() -> None:
    store = MemoryStore()
    async with running(first := a_trail(store)):
        first.submit(records(1, 3))
        await settle()

    observer = Observer()
    second = a_trail(store, observer, writer="curfew-2")
    second.submit(records(2, 5))
    async with running(second):
        await settle()

    assert told_once(store.objects) == ids(records(1, 5))
    assert [record for record in observer.told if record.event == "review.submitted"] == records(2, 5)
    assert not second.is_own(a_record(3).id)
    assert second.is_own(a_record(4).id)
    assert not second.is_own(a_record(9).id)


async def test_a_quiet_log_shows_signs_of_life_and_a_busy_one_needs_none() -> None:
    store = MemoryStore()
    trail = a_trail(store, heartbeat=timedelta(seconds=60))
    async with running(trail):
        await settle()
        before = len(store.objects)
        await asyncio.sleep(181)
        assert [segment.lines for segment in segments(store.objects)[before:]] == [(), (), ()]
        for number in range(5):
            trail.submit([a_record(number)])
            await asyncio.sleep(50)

    found = segments(store.objects)[before + 3 :]
    assert [len(segment.lines) for segment in found] == [1] * 5
    assert all(b.at - a.at <= timedelta(seconds=60) for a, b in itertools.pairwise(found))


async def test_the_log_does_not_go_back_when_the_clock_of_an_earlier_writer_was_ahead() -> None:
    store = MemoryStore()
    ahead = LoopClock(START + timedelta(hours=1))
    async with running(a_trail(store, clock=ahead)):
        await settle()
    async with running(second := a_trail(store)):
        second.submit(records(1, 1))
        await settle()

    times = [segment.at for segment in segments(store.objects)]
    assert times == sorted(times)
    assert told_once(store.objects) == ids(records(1, 1))


@pytest.mark.parametrize("when", list(When))
async def test_a_failed_try_is_repeated_with_the_same_bytes_under_the_same_name(when: When) -> None:
    class Noting(FailingStore):
        tries: list[tuple[str, bytes]]

        async def create(self, name: str, body: bytes) -> None:
            self.tries.append((name, body))
            await super().create(name, body)

    inner = MemoryStore()
    store = Noting(inner, when=when)
    store.tries = []
    trail = a_trail(store)
    async with running(trail):
        await settle()
        already = len(store.tries)
        store.fails = lambda number: True
        trail.submit(records(1, 1))
        await settle()
        trail.submit(records(2, 2))
        await asyncio.sleep(30)
        assert trail.receipt(a_record(1).id) is None
        tries = set(store.tries[already:])
        assert len(tries) == 1
        store.fails = lambda number: False
        await asyncio.sleep(3)

    (name, body) = tries.pop()
    assert inner.objects[name] == body
    assert told_once(inner.objects) == ids(records(1, 2))
    assert trail.is_own(a_record(1).id)
    assert "audit.writer_changed" not in {record.event for record in log_of(inner.objects)}


async def test_tries_come_apart_and_never_more_than_two_seconds() -> None:
    times: list[float] = []

    class Timed(MemoryStore):
        async def create(self, name: str, body: bytes) -> None:
            times.append(asyncio.get_running_loop().time())
            await FailingStore(self, fails=lambda number: True).create(name, body)

    async with running(a_trail(Timed())):
        await asyncio.sleep(20)

    pauses = [round(b - a, 3) for a, b in itertools.pairwise(times)]
    assert pauses[:7] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert set(pauses[7:]) == {2.0}


async def test_a_call_that_never_comes_back_is_given_up_and_repeated() -> None:
    inner = MemoryStore()
    store = StallingStore(inner)
    trail = a_trail(store, call_timeout=timedelta(seconds=5))
    async with running(trail):
        await settle()
        store.stall()
        trail.submit(records(1, 1))
        await asyncio.sleep(60)
        assert trail.health.message == "memory:// has not answered within 5 s."
        store.let_go()
        await asyncio.sleep(5)

    assert told_once(inner.objects) == ids(records(1, 1))


async def test_closing_writes_what_is_queued() -> None:
    store = MemoryStore()
    trail = a_trail(store)
    task = asyncio.create_task(trail.run())
    await settle()
    trail.submit(records(1, 5))
    await trail.close()
    await task

    assert told_once(store.objects) == ids(records(1, 5))


async def test_closing_waits_no_longer_than_it_may() -> None:
    store = StallingStore(MemoryStore())
    trail = a_trail(store)
    async with running(trail):
        await settle()
        store.stall()
        trail.submit(records(1, 1))
        await trail.close(within=timedelta(seconds=3))

        assert asyncio.get_running_loop().time() == pytest.approx(3)


async def test_closing_what_was_never_started_is_harmless() -> None:
    await a_trail(MemoryStore()).close()


async def test_a_record_that_cannot_be_written_is_refused_at_once_and_harms_no_other() -> None:
    store = MemoryStore()
    trail = a_trail(store)
    async with running(trail):
        with pytest.raises(ValueError, match="canonical"):
            trail.submit([a_record(1), a_record(2, detail={"not json": object()})])
        trail.submit([a_record(3)])
        await settle()

    assert told_once(store.objects) == ids([a_record(1), a_record(3)])


async def test_a_commit_is_measured() -> None:
    observer = Observer()
    inner = MemoryStore()
    store = StallingStore(inner)
    trail = a_trail(store, observer)
    async with running(trail):
        await settle()
        observer.commits.clear()
        store.stall()
        trail.submit(records(1, 3))
        await asyncio.sleep(0.1)
        trail.submit(records(4, 5))  # they wait for the segment that is under way
        await asyncio.sleep(0.05)
        trail.submit(records(6, 6))
        await asyncio.sleep(0.1)
        store.let_go()
        await settle()

    assert [seconds for seconds, _, _ in observer.commits] == pytest.approx([0.25, 0.15])
    assert [count for _, count, _ in observer.commits] == [3, 3]
    assert observer.commits[-1][2] == len(max(inner.objects.items())[1])


async def test_a_writer_that_ends_by_a_mistake_says_so() -> None:
    class Broken(MemoryStore):
        async def create(self, name: str, body: bytes) -> None:
            raise ZeroDivisionError("a mistake")

    trail = a_trail(Broken())
    with pytest.raises(ZeroDivisionError):
        await trail.run()

    assert (trail.health.ok, trail.health.reason) == (False, "Stopped")


async def test_nothing_is_told_before_it_is_durable() -> None:
    inner = MemoryStore()
    store = StallingStore(inner)
    observer = Observer()
    trail = a_trail(store, observer)
    async with running(trail):
        await until(observer, lambda: len(observer.told) == 2)  # opened, attested
        store.stall()
        trail.submit(records(1, 1))
        await settle()
        assert ids(observer.told) == ids(log_of(inner.objects))
        assert trail.intent("uid-0001") is None
        store.let_go()
        await settle()
        assert ids(observer.told) == ids(log_of(inner.objects))

"""The writer: records become durable in order, once, whatever the store does."""

import asyncio
import itertools
from contextlib import suppress
from datetime import timedelta

import pytest

from curfew.audit.carried import cut
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.record import Record
from curfew.audit.segment import Head, follow, seal
from curfew.trail import queue
from tests.support.stores import FailingStore, MemoryStore, StallingStore, When
from tests.support.trail import (
    LOG,
    OTHER_SIGNER,
    SIGNER,
    START,
    LoopClock,
    Observer,
    a_record,
    a_story,
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


# --- what else may stand in our place ---------------------------------------------------------------------------------


def append(objects: dict[str, bytes], told: list[Record], *, signer: Ed25519Signer = SIGNER) -> str:
    """Append a segment as another process would, and return its name."""
    head = Head.genesis(LOG)
    for segment in segments(objects):
        _, head = follow(head, segment.name, objects[segment.name], SIGNER.verifier)
    lines = [record.line() for record in told]
    body, _ = seal(head, lines, at=START + timedelta(seconds=1), writer="curfew-2", signer=signer)
    objects[head.next_name()] = body
    return head.next_name()


async def test_the_segment_of_another_writer_is_taken_in_and_gone_on_from() -> None:
    store, observer = MemoryStore(), Observer()
    trail = a_trail(store, observer)
    async with running(trail):
        await settle()
        append(store.objects, records(1, 2))
        trail.submit(records(2, 4))
        await settle()

        assert trail.health.ok
        assert trail.receipt(a_record(1).id) is not None
        assert [trail.is_own(a_record(number).id) for number in (1, 2, 3)] == [False, False, True]

    assert told_once(store.objects) == ids(records(1, 4))
    assert {record.id for record in observer.told} >= set(ids(records(1, 4)))
    (alarm,) = (record for record in log_of(store.objects) if record.event == "audit.writer_changed")
    assert alarm.block["detail"] == {"other": "curfew-2", "records": 2, "segment": 2, "writer": "curfew-1"}


async def test_what_waited_is_dropped_when_another_writer_has_written_it() -> None:
    inner = MemoryStore()
    store = StallingStore(inner)
    trail = a_trail(store)
    async with running(trail):
        await settle()
        store.stall()
        trail.submit(records(1, 1))
        await settle()
        trail.submit(records(2, 3))
        append(inner.objects, records(2, 2))
        store.let_go()
        await settle()

    assert told_once(inner.objects) == ids([a_record(2), a_record(1), a_record(3)])


RUBBISH = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"\x28\xb5\x2f\xfd rubbish" * 9, id="no segment"),
    pytest.param(None, id="a segment of another key"),
]


@pytest.mark.parametrize("rubbish", RUBBISH)
async def test_rubbish_in_our_place_is_left_there_loudly_and_gone_on_after(rubbish: bytes | None) -> None:
    store, observer = MemoryStore(), Observer()
    trail = a_trail(store, observer)
    async with running(trail):
        await settle()
        name = append(store.objects, records(1, 1), signer=OTHER_SIGNER)
        if rubbish is not None:
            store.objects[name] = rubbish
        there = store.objects[name]
        trail.submit(records(1, 2))
        await settle()
        assert trail.health.ok

    assert store.objects[name] == there
    assert told_once(store.objects) == ids(records(1, 2))
    assert observer.reasons[-2:] == ["SlotTaken", "Writing"]
    (alarm,) = (health.message for health in observer.healths if health.reason == "SlotTaken")
    assert alarm.startswith(f"The object {name} stands where the next segment belongs, and ")
    (failed,) = (record for record in log_of(store.objects) if record.event == "audit.sink_failed")
    assert failed.block["detail"]["reason"] == "SlotTaken"
    assert alarm in failed.message


async def test_rubbish_in_place_of_a_sign_of_life_is_noticed_too() -> None:
    store, observer = MemoryStore(), Observer()
    async with running(a_trail(store, observer)):
        await settle()
        store.objects[append(store.objects, [])] = b"rubbish"
        await asyncio.sleep(61)

    assert observer.reasons[-2:] == ["SlotTaken", "Writing"]
    assert [record.event for record in log_of(store.objects)][-2:] == ["audit.sink_failed", "audit.sink_recovered"]


async def test_a_log_with_a_void_place_is_read_back() -> None:
    store = MemoryStore()
    async with running(first := a_trail(store)):
        await settle()
        store.objects[append(store.objects, [])] = b"rubbish"
        first.submit(records(1, 2))
        await settle()
    second = a_trail(store, writer="curfew-2")
    async with running(second):
        second.submit(records(2, 3))
        await settle()
        assert second.health.ok

    assert told_once(store.objects) == ids(records(1, 3))


async def test_rubbish_in_two_places_in_a_row_stops_the_trail_and_loses_nothing() -> None:
    # Whoever writes the first knows the name after it; an auditor takes no more than one on our word.
    store = MemoryStore()
    trail = a_trail(store)
    async with running(trail):
        await settle()
        store.objects[append(store.objects, [])] = b"rubbish"
        assert trail._head is not None
        second = trail._head.voided(b"rubbish").next_name()
        store.objects[second] = b"more of it"
        trail.submit(records(1, 2))
        await asyncio.sleep(300)
        assert (trail.health.ok, trail.health.reason) == (False, "SlotTaken")
        assert second in trail.health.message

        del store.objects[second]  # somebody cleans up, where the store lets them
        await asyncio.sleep(31)
        assert trail.health.ok

    assert told_once(store.objects) == ids(records(1, 2))


async def test_a_place_is_not_given_up_after_a_single_reading() -> None:
    class Flickering(MemoryStore):
        """A store that gets one reading of an object wrong."""

        is_wrong = False

        async def get(self, name: str) -> bytes:
            stored = await super().get(name)
            is_wrong, self.is_wrong = self.is_wrong, False
            return b"noise" if is_wrong else stored

    store = Flickering()
    trail = a_trail(store)
    async with running(trail):
        await asyncio.sleep(1)
        store.is_wrong = True
        append(store.objects, records(1, 1))
        trail.submit(records(2, 2))
        await asyncio.sleep(1)

    assert told_once(store.objects) == ids(records(1, 2))


async def test_a_segment_of_a_later_version_is_not_passed_over() -> None:
    store = MemoryStore()
    trail = a_trail(store)
    later = a_record(1)
    later.body["unmapped"]["curfew"]["schema"] = "curfew.audit/v9"
    async with running(trail):
        await settle()
        name = append(store.objects, [later])
        trail.submit(records(2, 2))
        await settle()

        assert trail.health.reason == "SlotTaken"
        assert f"The object {name} stands where the next segment belongs, and holds record" in trail.health.message
    assert trail.receipt(a_record(2).id) is None


async def test_a_name_that_is_taken_by_something_unreadable_stops_the_trail() -> None:
    class Hidden(MemoryStore):
        """A versioned bucket in which an object was deleted: its name stays taken."""

        hidden: str | None = None

        async def create(self, name: str, body: bytes) -> None:
            if name == self.hidden:
                self.objects.setdefault(name, b"")
            try:
                await super().create(name, body)
            finally:
                if name == self.hidden:
                    self.objects.pop(name, None)

    store = Hidden()
    trail = a_trail(store)
    async with running(trail):
        await settle()
        name = append(store.objects, [])
        del store.objects[name]
        store.hidden = name
        trail.submit(records(1, 1))
        await settle()

        assert trail.health.reason == "SlotTaken"
        assert trail.health.message.endswith("cannot be read; it may have been deleted.")


async def test_two_writers_over_one_store_write_one_chain() -> None:
    store = MemoryStore()
    trails = [a_trail(store, writer=f"curfew-{number}") for number in (1, 2, 3)]
    tasks = [asyncio.create_task(trail.run()) for trail in trails]
    for number in range(0, 60, 2):
        for trail in trails:
            trail.submit(records(number, number + 3))  # most of them are handed to all
        await asyncio.sleep(0)
    await settle()
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    assert sorted(told_once(store.objects)) == sorted(ids(records(0, 61)))
    owners = [[trail.is_own(record.id) for trail in trails] for record in records(0, 61)]
    assert all(sum(own) == 1 for own in owners)


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

"""One segment at each place of the log, whatever stands there and whoever was faster."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.record import Record
from curfew.audit.segment import Head, follow, seal
from tests.support.stores import MemoryStore, StallingStore
from tests.support.trail import (
    LOG,
    OTHER_SIGNER,
    SIGNER,
    START,
    Observer,
    a_record,
    a_trail,
    log_of,
    records,
    running,
    segments,
    settle,
    told_once,
)

pytestmark = pytest.mark.looptime


def ids(told: list[Record]) -> list[str]:
    """Return the ids of records, in order."""
    return [record.id for record in told]


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
    assert alarm.startswith(f"The object {name} is in the place of the next segment, and ")
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
        assert f"The object {name} is in the place of the next segment, and holds record" in trail.health.message
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

"""Segments are read back: what was altered or removed in the store is found while the operator runs (promises P7, P11)."""

import asyncio
import hashlib
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.audit.segment import Head
from curfew.trail.samples import MOST, Sample, Samples, reread
from tests.support.stores import FailingStore, MemoryStore
from tests.support.trail import START, Observer, a_trail, log_of, records, running, settle, until

pytestmark = pytest.mark.looptime

WINDOW = timedelta(hours=25)


def after(number: int, seconds: float) -> Head:
    """Return the state of a log after a segment."""
    digest = hashlib.sha256(str(number).encode()).digest()
    return replace(Head.genesis("main"), seq=number, object_hash=digest, at=START + timedelta(seconds=seconds))


def samples_of(times: range, lot: float = 1.0) -> Samples:
    """Return what is kept in mind of segments stored at these seconds."""
    samples = Samples(WINDOW, lambda: lot)
    for number, seconds in enumerate(times):
        samples.learn(f"segment-{number}", after(number, seconds))
    return samples


# --- which are read ---------------------------------------------------------------------------------------------------


def test_few_segments_are_kept_in_mind_however_many_there_are() -> None:
    samples = samples_of(range(0, 2 * 25 * 3600, 7))

    assert 0.9 * MOST <= len(samples) <= MOST + 2


def test_each_segment_of_a_part_can_be_the_one_that_is_kept() -> None:
    assert {samples_of(range(10), lot)._kept[-1].name for lot in (0.0, 1.0)} == {"segment-1", "segment-9"}


def test_there_is_always_one_before_the_newest() -> None:
    """However the lot falls in the first minute of a log's life."""
    drawn = samples_of(range(10), lot=0.0).draw()

    assert drawn is not None
    assert drawn.name == "segment-0"


def test_what_is_older_than_the_window_is_not_read_any_more() -> None:
    """Its lock may be over, and whoever cleans up then does nothing wrong."""
    samples = samples_of(range(0, 60 * 3600, 3600), lot=0.0)
    oldest = samples.draw()

    assert oldest is not None
    assert oldest.at == START + timedelta(hours=59 - 25)


def test_one_segment_alone_is_the_newest_and_no_other() -> None:
    samples = samples_of(range(1))

    assert samples.newest is not None
    assert samples.draw() is None


# --- what is found ----------------------------------------------------------------------------------------------------


async def test_a_reading_that_was_cut_off_is_no_alarm() -> None:
    class CutOffOnce(MemoryStore):
        cuts = 1

        async def get(self, name: str) -> bytes:
            body = await super().get(name)
            cut, self.cuts = self.cuts, 0
            return body[: len(body) - cut]

    sample = Sample("name", hashlib.sha256(b"body").digest(), START)

    assert await reread(CutOffOnce({"name": b"body"}), sample) is None


def spoil(store: MemoryStore, name: str, how: str) -> bytes:
    """Alter or remove an object; return what it was."""
    body = store.objects.pop(name)
    if how == "altered":
        store.objects[name] = body[:-1] + bytes([body[-1] ^ 1])
    return body


@pytest.mark.parametrize("how", ["altered", "removed"])
@pytest.mark.parametrize(
    ("which", "minutes", "found_within"),
    [
        pytest.param(-1, 10, timedelta(minutes=6), id="the newest"),
        pytest.param(2, 70, timedelta(hours=24), id="an early one, when the lot falls on it"),
    ],
)
@pytest.mark.parametrize("required", [True, False])
async def test_what_does_not_read_back_is_told_everywhere_and_nothing_is_granted(
    how: str, which: int, minutes: int, found_within: timedelta, required: bool
) -> None:
    """Also where the store need not be proved write-once: what does not hold the records is no record (P2)."""
    store, observer = MemoryStore(), Observer()
    lot = random.Random(7).random  # noqa: S311  a test that is the same each time
    trail = a_trail(store, observer, worm_required=required, heartbeat=timedelta(hours=1), jitter=lot)
    async with running(trail):
        await asyncio.sleep(minutes * 60)
        name = sorted(store.objects)[which]
        body = spoil(store, name, how)
        await until(observer, lambda: bool(observer.discrepancies), within=found_within.total_seconds())

        assert (trail.health.ok, trail.health.reason) == (False, "VerificationFailed")
        assert name in trail.health.message
        await asyncio.sleep(3600)
        trail.submit(records(1, 1))  # records of what ends access are written all the same
        await settle()
        assert trail.receipt(records(1, 1)[0].id) is not None

        store.objects[name] = body
        await asyncio.sleep(31)
        assert trail.health.ok

    (discrepancy,) = observer.discrepancies
    (told,) = (record for record in log_of(store.objects) if record.event == "audit.verification_failed")
    assert told.message == str(discrepancy)
    assert told.block["detail"] == {
        "segment": name,
        "stored": hashlib.sha256(body).hexdigest(),
        "writer": "curfew-1",
        **({} if how == "removed" else {"found": discrepancy.found}),  # nothing in a record is ever null
    }
    assert (discrepancy.found is None) is (how == "removed")
    assert told.body["status_id"] == 2


async def test_a_store_that_cannot_be_read_is_no_tampering() -> None:
    store, observer = FailingStore(MemoryStore()), Observer()
    trail = a_trail(store, observer)
    async with running(trail):
        await settle()
        store.fails = lambda number: store.calls[number - 1] == "get"
        await asyncio.sleep(3600)

    assert observer.discrepancies == []
    assert trail.health.ok


async def test_what_was_there_at_the_start_is_read_back_too() -> None:
    store, observer = MemoryStore(), Observer()
    async with running(a_trail(store)):
        await asyncio.sleep(3600)
    trail = a_trail(store, observer, writer="curfew-2", jitter=lambda: 0.0)
    first = min(store.objects)
    async with running(trail):
        await until(observer, lambda: trail.health.ok)
        for name in sorted(store.objects)[:-1]:
            spoil(store, name, "removed")
        await until(observer, lambda: bool(observer.discrepancies), within=1000)

    assert trail.health.reason == "VerificationFailed"
    assert first not in store.objects

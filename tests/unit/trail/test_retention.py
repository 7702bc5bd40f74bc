"""Once a day the log states from where on it is kept, of what was really read, and never more than is old enough."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from curfew.audit.beginning import EVENT, Beginning, stated_in
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.record import Record
from curfew.audit.segment import sequence
from curfew.trail.lineage import Lineage
from curfew.trail.retention import LOOK_EVERY, MOST_OPENED, Retention
from tests.support.logs import ALog, a_record, a_signer, opened
from tests.support.stores import FailingStore, MemoryStore
from tests.support.trail import LOG, LoopClock, Observer, a_trail, running, until

pytestmark = pytest.mark.looptime

BEGUN = datetime(2026, 1, 1, 9, tzinfo=UTC)
KEEP_FOR = timedelta(days=40)


def a_long_log(days: int = 60, *, signer: Ed25519Signer | None = None, silent: range = range(0)) -> ALog:
    """Return a log with three segments a day, at nine, three and nine."""
    log = ALog(signer=signer or a_signer())
    log.append([opened(log.signer)], BEGUN)
    for day in range(days):
        for number in range(3) if day not in silent else ():
            at = BEGUN + timedelta(days=day, hours=6 * number)
            log.append([a_record(3 * day + number, at=at)], at)
    return log


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    at: datetime

    def now(self) -> datetime:
        """Return the time that it is set to."""
        return self.at


async def stated(log: ALog, at: datetime, known: Lineage | None = None, store: object = None) -> Beginning | None:
    """Return what is stated at a time, or None."""
    told: list[Record] = []
    retention = Retention(
        store or MemoryStore(log.objects),  # type: ignore[arg-type]
        SetClock(at),
        told.extend,
        log=LOG,
        writer="curfew-1",
        keep_for=KEEP_FOR,
        verifiers=[log.verifier],
        known=lambda: known or Lineage(),
    )
    await retention._state()
    assert len(told) <= 1
    return stated_in(LOG, told[0].body) if told else None


async def test_the_newest_segment_that_is_old_enough_may_go() -> None:
    log = a_long_log()
    at = BEGUN + timedelta(days=50, hours=1)
    found = await stated(log, at)
    assert found is not None
    assert found.head in log.heads
    assert found.head.at is not None
    assert at - KEEP_FOR - timedelta(days=2) < found.head.at <= at - KEEP_FOR
    assert found.verifier == log.verifier


@pytest.mark.parametrize("days", range(39, 47))
async def test_nothing_that_is_younger_is_ever_stated(days: int) -> None:
    """Neither of a log that is young itself."""
    log = a_long_log(47)
    at = BEGUN + timedelta(days=days)
    found = await stated(log, at)
    assert found is None or (found.head.at is not None and found.head.at <= at - KEEP_FOR)
    assert (found is None) == (days <= 40)


async def test_a_long_silence_is_no_reason_to_keep_what_was_before_it() -> None:
    """The rule of the bucket goes by age, so all that is before the silence may go."""
    log = a_long_log(60, silent=range(5, 52))
    found = await stated(log, BEGUN + timedelta(days=59))
    assert found is not None
    assert found.head.at == BEGUN + timedelta(days=4, hours=12)
    kept = log.names[found.segment]
    assert sequence(kept) == found.segment
    assert "dt=2026-01-05/" in kept  # in the partition of the day before the silence, and written after it


async def test_what_cannot_be_read_or_is_not_ours_is_passed_over() -> None:
    """An older one is stated then, and nothing breaks."""
    log = a_long_log()
    at = BEGUN + timedelta(days=50, hours=1)
    found = await stated(log, at)
    assert found is not None
    newest = log.names[found.segment - 1]
    for wrong in (b"", b"rubbish", log.objects[newest][:-1] + b"\0", log.objects[log.names[3]]):
        log.objects[newest] = wrong
        other = await stated(log, at)
        assert other is not None
        assert other.segment == found.segment - 2  # that the one before is followed cannot be seen any more
    del log.objects[newest]
    other = await stated(log, at)
    assert other is not None
    assert other.segment < found.segment


async def test_segments_that_were_removed_already_are_not_needed() -> None:
    """The statement was late, the rule was not."""
    log = a_long_log()
    at = BEGUN + timedelta(days=50, hours=1)
    found = await stated(log, at)
    assert found is not None
    for name in log.names[: found.segment - 1]:
        del log.objects[name]
    assert await stated(log, at) == found


async def test_a_key_that_was_exchanged_twice_is_known_from_the_log() -> None:
    """And if it is not, nothing of its time is stated."""
    log = a_long_log(20, signer=a_signer(seed=7))
    old = log.verifier
    log.append(at=BEGUN + timedelta(days=20))
    for seed in (8, 9):
        log.signer = a_signer(seed=seed)
    known = Lineage()
    known.keys = (str(old), str(log.verifier), "no key")
    at = BEGUN + timedelta(days=55)
    assert await stated(log, at) is None
    found = await stated(log, at, known)
    assert found is not None
    assert found.verifier == old


async def test_a_flood_of_strays_costs_a_bounded_number_of_reads() -> None:
    """Whatever lies there, a look reads no more."""
    log = a_long_log()
    at = BEGUN + timedelta(days=50, hours=1)
    for day in range(1, 12):
        for number in range(100):
            log.objects[f"v1/log=main/dt=2026-01-{day:02}/{10**11 + number:012d}-{number:016x}.jsonl.zst"] = b"x"
    store = FailingStore(MemoryStore(log.objects))
    await stated(log, at, store=store)
    assert store.calls.count("get") <= MOST_OPENED + 2


async def test_a_trail_states_it_once_a_day_and_across_a_restart_not_again() -> None:
    """Each time a later segment; and each record has an id of its own."""
    store = MemoryStore()
    clock = LoopClock(BEGUN)
    begun = Observer()
    trail = a_trail(store, begun, clock=clock, heartbeat=timedelta(hours=4), attest_every=timedelta(days=1))
    async with running(trail):
        await asyncio.sleep(timedelta(days=44).total_seconds())
    told: list[Record] = []
    for _ in range(3):
        observer = Observer()
        trail = a_trail(store, observer, clock=clock, heartbeat=timedelta(hours=1), keep_for=KEEP_FOR)
        async with running(trail):
            await until(observer, lambda observer=observer: bool(observer.told), within=LOOK_EVERY * 3)  # type: ignore[misc]
            await asyncio.sleep(timedelta(hours=8).total_seconds())
        told += [record for record in observer.told if record.event == EVENT]
    async with running(
        a_trail(store, observer := Observer(), clock=clock, heartbeat=timedelta(hours=1), keep_for=KEEP_FOR)
    ):
        await asyncio.sleep(timedelta(hours=30).total_seconds())
    told += [record for record in observer.told if record.event == EVENT]
    assert len(told) == 3
    beginnings = [stated_in(LOG, record.body) for record in told]
    segments = [one.segment for one in beginnings if one is not None]
    assert segments == sorted(set(segments))
    assert len({record.id for record in told}) == len(told) == len(segments)

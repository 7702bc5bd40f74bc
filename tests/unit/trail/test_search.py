"""Looking for a segment to begin with: whatever else lies in the log's folder, it is found, and at a bounded cost."""

import copy
import tracemalloc
from datetime import timedelta

import pytest

from curfew.audit.segment import ChainBroken
from curfew.ports import MOST_READ
from curfew.trail import search
from curfew.trail.recovery import recover
from tests.support.histories import HOUR, RECALL, WINDOW, History, six_days
from tests.support.stores import FailingStore, MemoryStore
from tests.support.trail import (
    LOG,
    SIGNER,
    START,
    a_record,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
def history() -> History:
    """Return six days of it, a record an hour, an empty segment in between."""
    return copy.deepcopy(six_days())


def stray(day: str, number: int) -> str:
    """Return a name that a segment of that day and number could have."""
    return f"v1/log={LOG}/dt={day}/{number:012d}-{number:016x}.jsonl.zst"


DAYS = [f"{START.date() + timedelta(days=days)}" for days in range(-40, 400)] + ["2099-01-01", "9999-12-31"]


@pytest.mark.parametrize("first", [0, 100, 10**11], ids=["lower numbers", "numbers that are taken", "higher numbers"])
async def test_strays_in_every_partition_keep_no_log_from_being_read(history: History, first: int) -> None:
    for day in DAYS:
        history.store.objects |= {stray(day, first + number): b"x" for number in range(70)}
    store = FailingStore(history.store)

    assert (await history.recover(store)).head == history.head
    assert store.calls.count("get") < 2 * 24 * 6 + search.MOST_OBJECTS


async def test_no_more_strays_are_read_than_are_stated_and_one_at_a_time(history: History) -> None:
    day = f"{START.date() + timedelta(days=6)}"
    strays = {stray(day, 10**11 + number): b"" for number in range(2000)}
    history.store.objects |= strays
    read: list[str] = []

    class Watched(MemoryStore):
        async def get(self, name: str) -> bytes:
            read.append(name)
            return await super().get(name)

    assert (await history.recover(Watched(history.store.objects))).head == history.head
    # In the partition itself, and once more at the end: whether segments are missing between the last one and these.
    assert len(strays.keys() & set(read)) <= 2 * (search.NEWEST + search.BY_LOT)


async def test_large_strays_are_read_in_part_and_are_in_memory_one_at_a_time() -> None:
    """Twenty objects of 79 MiB, named like segments, filled a pod's memory at each start."""
    history = History()
    history.write([a_record(0)], 0)
    history.write([a_record(1)], 1)
    history.store.objects |= {stray(f"{START.date()}", 10**11 + number): bytes(79 << 20) for number in range(4)}

    tracemalloc.start()
    try:
        assert (await history.recover()).head == history.head
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_READ
    finally:
        tracemalloc.stop()


async def test_the_first_segment_is_found_where_nothing_else_is(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_OBJECTS", 1)
    for day in DAYS:
        history.store.objects |= {stray(day, 10**11 + number): b"x" for number in range(70)}

    recovered = await history.recover()
    assert recovered.head == history.head
    assert recovered.memory.receipt(a_record(143).id) is not None


async def test_a_log_whose_end_is_in_days_to_come_is_found_from_before_it(history: History) -> None:
    """The clock of another writer was years ahead; time does not go back in a log."""
    history.write([a_record(1000)], 24 * 365 * 70)
    history.write([a_record(1001)], 24 * 365 * 70)
    now = START + 7 * 24 * HOUR

    assert (await recover(history.store, LOG, [SIGNER.verifier], WINDOW, now, RECALL)).head == history.head


async def test_a_log_of_which_only_the_end_is_left_is_not_begun_anew(history: History) -> None:
    for name in history.names[:-1]:
        del history.store.objects[name]
    with pytest.raises(ChainBroken, match="is missing"):
        await history.recover()
    del history.store.objects[history.names[-1]]
    history.store.objects |= {f"v1/log={LOG}/aaa{number}": b"x" for number in range(search.ONE_REQUEST)}
    with pytest.raises(ChainBroken, match="is missing, and so is everything that was written recently"):
        await history.recover()

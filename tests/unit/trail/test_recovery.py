"""Reading the log back: its end is found whatever lies about, and damage is named instead of being written over."""

import asyncio
import copy
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from curfew.audit.carried import cut
from curfew.audit.segment import ChainBroken, Head, partition
from curfew.ports import Keep, every
from curfew.processes.operator.recall import Recall
from curfew.trail import ahead, search
from curfew.trail.keys import KeyUnknown
from tests.support.histories import HOUR, History, six_days
from tests.support.stores import FailingStore, MemoryStore, StallingStore
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
    records,
    running,
    told_once,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
def history() -> History:
    """Return six days of it, a record an hour, an empty segment in between."""
    return copy.deepcopy(six_days())


async def test_a_log_that_has_not_begun_is_at_its_genesis() -> None:
    recovered = await History().recover()

    assert (recovered.head, recovered.samples.newest, len(recovered.memory)) == (Head.genesis(LOG), None, 0)


async def test_the_end_and_the_window_before_it_are_found(history: History) -> None:
    recovered = await history.recover()

    assert recovered.head == history.head
    assert recovered.samples.newest is not None
    assert recovered.samples.newest.name == history.names[-1]
    known = [hour for hour in range(6 * 24) if recovered.memory.receipt(a_record(hour).id) is not None]
    assert known[-1] == 6 * 24 - 1
    assert 6 * 24 - 1 - 25 >= known[0] > 6 * 24 - 1 - 25 - 36  # whole days are read, and no more of them than needed


async def test_no_more_is_read_than_is_needed(history: History) -> None:
    store = FailingStore(history.store)
    await history.recover(store)

    assert store.calls.count("list") <= 6
    assert store.calls.count("get") <= 2 * (25 + 36) + 3


async def test_what_was_found_belongs_to_others(history: History) -> None:
    recovered = await history.recover()

    assert not recovered.memory.is_own(a_record(143).id)


async def test_the_window_is_measured_from_the_last_segment(history: History) -> None:
    # Whether that was a minute ago or a year.
    history.write([a_record(1000)], 6 * 24 + 8760)
    history.write([a_record(1001)], 6 * 24 + 8761)
    recovered = await history.recover()

    assert recovered.head == history.head
    assert recovered.memory.receipt(a_record(1000).id) is not None
    assert recovered.memory.receipt(a_record(1001).id) is not None


async def test_every_length_of_log_is_read_back() -> None:
    history = History()
    for hour in range(40):
        history.write([a_record(hour)], hour * 2.3)
        recovered = await history.recover()
        assert recovered.head == history.head
        assert recovered.samples.newest is not None
        assert recovered.samples.newest.name == history.names[-1]
        for recent in range(hour + 1):
            if (hour - recent) * 2.3 <= 25:
                assert recovered.memory.receipt(a_record(recent).id) is not None


async def test_open_stories_are_found() -> None:
    history = History()
    intent = a_record(1, event="grant.intended", story=a_story("a"))
    history.write([a_record(0, event="request.accepted", story=a_story("a"))], 0)
    history.write([intent, a_record(2, event="grant.intended", story=a_story("b"))], 1)
    history.write([a_record(3, event="request.closed", story=a_story("b"))], 2)
    recovered = await history.recover()

    assert dict(recovered.memory.open.stories()) == {"a": cut(intent)}
    assert recovered.memory.open.intent("a") == cut(intent)
    assert recovered.memory.open.intent("b") is None


async def test_a_listing_that_is_behind_does_not_matter(history: History) -> None:
    class Behind(MemoryStore):
        """A store whose listings do not show what was stored lately."""

        async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
            return [name for name in await super().list(prefix, keep=keep) if name not in history.names[-5:]]

    recovered = await history.recover(Behind(history.store.objects))
    assert recovered.head == history.head


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param("v1/log=main/dt=9999-12-31/999999999999-0123456789abcdef.jsonl.zst", id="a later day"),
        pytest.param("v1/log=main/dt=9999-12-31/readme.txt", id="no segment at all"),
        pytest.param("v1/log=main/dt=2026-11-30/000000000999-0123456789abcdef.jsonl.zst", id="a later number"),
        pytest.param("v1/log=main/dt=2026-11-28/000000000100-0123456789abcdef.jsonl.zst", id="in the middle"),
        pytest.param("v1/log=main/dt=tomorrow/000000000999-0123456789abcdef.jsonl.zst", id="no day"),
        pytest.param("v1/log=main/dt=2026-99-99/000000000999-0123456789abcdef.jsonl.zst", id="no day of a calendar"),
        pytest.param("v1/log=main/notes/000000000999-0123456789abcdef.jsonl.zst", id="no partition"),
        pytest.param("v1/log=main/000000000999-0123456789abcdef.jsonl.zst", id="beside the partitions"),
    ],
)
async def test_a_stray_object_changes_nothing(history: History, stray: str) -> None:
    for body in (b"rubbish", history.store.objects[history.names[3]]):
        history.store.objects[stray] = body
        assert (await history.recover()).head == history.head


async def test_an_empty_partition_changes_nothing(history: History) -> None:
    class WithEmptyFolder(MemoryStore):
        """A folder store whose process died between making a folder and the object in it."""

        async def list_partitions(self, prefix: str) -> Sequence[str]:
            return [*await super().list_partitions(prefix), "v1/log=main/dt=2026-12-24/"]

    recovered = await history.recover(WithEmptyFolder(history.store.objects))
    assert recovered.head == history.head


def flipped(body: bytes) -> bytes:
    """Return an object of which one bit was changed."""
    return body[:20] + bytes([body[20] ^ 1]) + body[21:]


@pytest.mark.parametrize("back", [1, 2, 10, 30])
async def test_an_altered_segment_is_named(history: History, back: int) -> None:
    name = history.names[-back]
    history.store.objects[name] = flipped(history.store.objects[name])

    with pytest.raises(ChainBroken, match="altered") as broken:
        await history.recover()
    assert broken.value.name == name


@pytest.mark.parametrize("back", [2, 10, 30])
async def test_a_missing_segment_is_named(history: History, back: int) -> None:
    del history.store.objects[history.names[-back]]

    with pytest.raises(ChainBroken, match="is missing, though there are segments after it") as broken:
        await history.recover()
    assert broken.value.name == history.names[-back]


async def test_swapped_segments_are_found(history: History) -> None:
    a, b = history.names[-3], history.names[-2]
    objects = history.store.objects
    objects[a], objects[b] = objects[b], objects[a]

    with pytest.raises(ChainBroken) as broken:
        await history.recover()
    assert broken.value.name == a


async def test_two_void_places_in_a_row_are_one_too_many(history: History) -> None:
    first = history.head.next_name()
    for rubbish in (b"rubbish", b"more of it"):
        history.store.objects[history.head.next_name()] = rubbish
        history.head = history.head.voided(rubbish)
    history.write([a_record(1000)], 6 * 24 + 1)

    with pytest.raises(ChainBroken) as broken:
        await history.recover()
    assert broken.value.name == first


async def test_a_log_of_another_key_is_not_gone_on_with(history: History) -> None:
    with pytest.raises(KeyUnknown, match=f"is signed with key {SIGNER.verifier.key_hash.hex()}"):
        await history.recover(verifier=OTHER_SIGNER.verifier)


async def test_a_short_log_of_another_key_is_not_begun_anew() -> None:
    history = History()
    history.write([a_record(1)], 0)

    with pytest.raises(KeyUnknown, match=f"is signed with key {SIGNER.verifier.key_hash.hex()}"):
        await history.recover(verifier=OTHER_SIGNER.verifier)


async def test_a_forked_log_is_found(history: History) -> None:
    # The same key wrote another end, elsewhere, and both were put into one bucket; the listing shows the other one last.
    forks = [copy.deepcopy(history) for _ in range(20)]
    for minute, fork in enumerate(forks):
        fork.write([], 6 * 24 + minute / 60)
        fork.write([], 6 * 24 + 1)
        history.store.objects[fork.names[-1]] = fork.store.objects[fork.names[-1]]
    history.write([], 6 * 24 + 0.5)
    history.write([], 6 * 24 + 1)

    with pytest.raises(ChainBroken, match="is there twice: the log has been forked"):
        await history.recover()


async def test_a_record_of_a_later_version_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History()
    history.write([a_record(0)], 0)
    later = a_record(1)
    later.body["unmapped"]["curfew"]["schema"] = "curfew.audit/v9"
    history.write([later], 1)

    with pytest.raises(ChainBroken, match=r"holds record 1, which cannot be read: its schema is curfew\.audit/v9"):
        await history.recover()


async def test_a_name_is_read_ahead_only_where_no_other_claims_its_place(history: History) -> None:
    folder = partition(LOG, START.date() + timedelta(days=5))
    for number in range(200, len(history.names)):
        for variant in range(3):
            history.store.objects[f"{folder}{number:012d}-{variant:016x}.jsonl.zst"] = b"x"
    store = FailingStore(history.store)

    assert (await history.recover(store)).head == history.head
    assert store.calls.count("get") < 2 * (25 + 36) + 2 * (search.NEWEST + search.BY_LOT) + 10


async def test_objects_are_fetched_together_and_not_all_at_once(history: History) -> None:
    most = now = 0

    class Counting(StallingStore):
        async def get(self, name: str) -> bytes:
            nonlocal most, now
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.05)
            now -= 1
            return await super().get(name)

    await history.recover(Counting(history.store))
    assert most == ahead.AT_ONCE
    assert asyncio.get_running_loop().time() < 1.5


async def test_others_have_their_turn_while_a_long_log_is_read(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_stretch = most = 0

    def count(*told: Any, **how: Any) -> None:
        nonlocal at_a_stretch, most
        at_a_stretch += 1
        most = max(most, at_a_stretch)

    async def others() -> None:
        nonlocal at_a_stretch
        while True:
            at_a_stretch = 0
            await asyncio.sleep(0)

    monkeypatch.setattr(Recall, "learn", count)
    waiting = asyncio.create_task(others())
    await history.recover()
    waiting.cancel()

    assert most <= 2


# --- of a whole trail -----------------------------------------------------------------------------------------------


async def test_a_broken_log_stops_the_trail_until_it_is_whole_again(history: History) -> None:
    name = history.names[-2]
    body = history.store.objects.pop(name)
    observer = Observer()
    trail = a_trail(history.store, observer, clock=LoopClock(START + 7 * 24 * HOUR))
    async with running(trail):
        trail.submit(records(1000, 1001))
        await observer.moved.wait()
        assert (trail.health.ok, trail.health.reason, trail.health.is_open) == (False, "ChainBroken", False)
        assert name in trail.health.message
        before = dict(history.store.objects)
        await asyncio.sleep(300)
        assert history.store.objects == before  # nothing is written after what is not whole

        history.store.objects[name] = body
        await asyncio.sleep(31)
        assert trail.health.ok

    assert told_once(history.store.objects)[-2:] == [record.id for record in records(1000, 1001)]


async def test_the_partition_is_the_day_of_the_segment_before() -> None:
    history = History()
    history.write([], 0)
    history.write([], 11)
    history.write([], 13)  # past midnight
    history.write([], 14)

    days = [date.fromisoformat(name.split("dt=")[1][:10]) for name in history.names]
    assert days == [date(1970, 1, 1), START.date(), START.date(), START.date() + timedelta(days=1)]
    assert (await history.recover()).head == history.head

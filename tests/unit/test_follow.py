"""A log is followed as it grows: verified, from any place, and over trouble with the store."""

from datetime import timedelta

import pytest

from curfew.audit.segment import ChainBroken, Head
from curfew.ports import StoreUnavailable
from curfew.reader.errors import CannotRead, Unfounded
from curfew.reader.follow import Follower, find_start
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer, opened
from tests.support.stores import MemoryStore

TODAY = (BEGIN + timedelta(minutes=2)).date()


async def read(follower: Follower) -> list[int]:
    """Return the numbers of the segments that were appended."""
    return [segment.seq async for segment in follower.appended()]


def following(log: ALog, bad: list[ChainBroken] | None = None) -> tuple[Follower, MemoryStore]:
    store = MemoryStore(dict(log.objects))
    return Follower(store, Head.genesis(log.log), a_signer().verifier, (bad if bad is not None else []).append), store


async def test_each_look_reads_what_was_appended_since() -> None:
    log = a_log(1, 2)
    follower, store = following(log)
    assert await read(follower) == [0, 1]
    assert await read(follower) == []
    log.append([a_record(9)])
    store.objects |= log.objects
    assert await read(follower) == [2]


async def test_a_store_that_is_away_is_asked_again_from_the_same_place() -> None:
    log = a_log(1, 2, 1)

    class Away(MemoryStore):
        calls = 0

        async def get(self, name: str) -> bytes:
            self.calls += 1
            if self.calls == 2:
                raise StoreUnavailable("the bucket is away.")
            return await super().get(name)

    follower = Follower(Away(log.objects), Head.genesis("main"), log.verifier)
    segments = follower.appended()
    assert (await anext(segments)).seq == 0
    with pytest.raises(StoreUnavailable):
        await anext(segments)
    assert await read(follower) == [1, 2]


async def test_an_exchanged_key_is_followed() -> None:
    log = a_log(1)
    log.hand_over(a_signer(seed=2))
    log.append([a_record(5)])
    follower, _ = following(log)
    assert await read(follower) == [0, 1, 2]


async def test_an_object_that_the_next_segment_voids_is_reported_and_passed_over() -> None:
    log, bad = a_log(1), list[ChainBroken]()
    stray = log.head.next_name()
    log.objects[stray] = b"rubbish"
    log.heads.append(log.head.voided(b"rubbish"))
    follower, store = following(log, bad)
    assert await read(follower) == [0]
    assert follower.doubt is not None
    assert follower.doubt.name == stray
    log.append([a_record(5)])
    store.objects |= log.objects
    assert await read(follower) == [2]
    assert follower.doubt is None
    assert [broken.name for broken in bad] == [stray]


async def test_an_altered_segment_stays_in_doubt_for_ever() -> None:
    log = a_log(1, 2, 1)
    name = log.names[1]
    log.objects[name] = log.objects[name][:-1] + bytes([log.objects[name][-1] ^ 1])
    follower, _ = following(log)
    assert await read(follower) == [0]
    assert await read(follower) == []
    assert follower.doubt is not None
    assert follower.doubt.seq == 1


def over_days(days: int, each: int = 3) -> ALog:
    log = ALog()
    for number in range(days * each):
        at = BEGIN + timedelta(days=number // each, minutes=number % each)
        log.append([opened(log.signer)] if number == 0 else [a_record(number)], at)
    return log


async def from_start(log: ALog, days: int) -> list[int]:
    """Return the numbers of the segments from the start that is found for this day of the log on."""
    store = MemoryStore(log.objects)
    start = await find_start(store, "main", None, (BEGIN + timedelta(days=days)).date())
    follower = Follower(store, start.head, start.verifier)
    first = [start.segment.seq] if start.segment is not None else []
    return first + [segment.seq async for segment in follower.listed(start.names)]


async def test_everything_since_a_day_is_read_and_little_before() -> None:
    log = over_days(5)
    seen = await from_start(log, 3)
    assert seen == list(range(seen[0], 15))
    early = [
        head for head in log.heads[1:] if head.at is not None and head.at.date() < (BEGIN + timedelta(days=3)).date()
    ]
    assert 0 <= len(early) - seen[0] <= 3


async def test_a_short_log_is_read_from_its_first_record() -> None:
    assert await from_start(over_days(2), -30) == [0, 1, 2, 3, 4, 5]


async def test_a_start_after_an_exchange_of_keys_is_found_with_the_first_key() -> None:
    log = over_days(2)
    log.hand_over(a_signer(seed=2))
    for number in range(4):
        log.append([a_record(50 + number)], BEGIN + timedelta(days=2 + number))
    seen = await from_start(log, 4)
    assert seen[-1] == 10
    assert seen == list(range(seen[0], 11))


async def test_a_stray_object_at_the_place_to_begin_is_passed_over() -> None:
    log = over_days(4)
    early = max(name for name in log.objects if name < f"v1/log=main/dt={BEGIN + timedelta(days=2):%Y-%m-%d}")
    stray = early.rpartition("-")[0] + "-ffffffffffffffff.jsonl.zst"
    log.objects[stray] = b"rubbish"
    seen = await from_start(log, 2)
    assert seen == list(range(seen[0], 12))


async def test_no_log_and_a_log_without_a_key_are_errors() -> None:
    with pytest.raises(CannotRead, match="There is no log"):
        await find_start(MemoryStore(), "main", None, TODAY)
    log = a_log(1)
    log.objects = {log.names[0]: b"rubbish"}
    with pytest.raises(Unfounded):
        await find_start(MemoryStore(log.objects), "main", None, TODAY)

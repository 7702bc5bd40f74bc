"""Fail anywhere, die anywhere, start again: each record is in the log once, and the log verifies.

The same life is lived again and again, and each time another call to the store goes wrong.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import looptime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curfew.audit.record import Record
from curfew.audit.segment import seal
from curfew.ports import Keep, ObjectStore, every
from curfew.processes.operator.recall import Trail
from tests.support.scale import times
from tests.support.stores import FailingStore, MemoryStore, PowerCut, StallingStore, When
from tests.support.trail import (
    SIGNER,
    START,
    LoopClock,
    Observer,
    a_trail,
    records,
    running,
    segments,
    settle,
    told_once,
    until,
)

WAVES = (records(1, 3), records(4, 4), records(5, 9), records(10, 10))
ALL = [record.id for wave in WAVES for record in wave]

pytestmark = pytest.mark.looptime


async def live(
    store: ObjectStore,
    waves: Sequence[Sequence[Record]] = WAVES,
    writer: str = "curfew-1",
    clock: LoopClock | None = None,
) -> bool:
    """Live through some waves of records, each handed over when the one before is durable. False: died on the way."""
    observer = Observer()
    trail = a_trail(store, observer, writer=writer, clock=clock)
    task = asyncio.create_task(trail.run())
    task.add_done_callback(lambda _: observer.moved.set())
    try:
        for wave in waves:
            trail.submit(wave)
            await until(observer, functools.partial(ended_or_durable, task, trail, wave))
            if task.done():
                return False
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, PowerCut):
            await task
    return True


def ended_or_durable(task: asyncio.Task[None], trail: Trail, told: Sequence[Record]) -> bool:
    """Whether all of these are durable, or never will be."""
    return task.done() or all(trail.receipt(record.id) is not None for record in told)


def at(*numbers: int) -> Callable[[int], bool]:
    """Return what says yes to calls of these numbers."""
    return frozenset(numbers).__contains__


async def calls_of_a_life(objects: dict[str, bytes]) -> int:
    """Return how many calls to the store a life makes in which nothing goes wrong."""
    store = FailingStore(MemoryStore(dict(objects)))
    assert await live(store)
    return len(store.calls)


async def beginnings() -> list[dict[str, bytes]]:
    """Return the stores that a life may begin with: an empty one, and one that holds some of it already."""
    earlier = MemoryStore()
    assert await live(earlier, WAVES[:2], writer="curfew-0")
    return [{}, earlier.objects]


@pytest.mark.parametrize("when", list(When))
async def test_death_at_any_call_loses_nothing_and_doubles_nothing(when: When) -> None:
    for objects in await beginnings():
        for number in range(1, await calls_of_a_life(objects) + 1):
            disk = MemoryStore(dict(objects))
            dying = FailingStore(disk, fails=at(number), when=when, error=PowerCut)
            await live(dying)
            assert await live(disk, writer="curfew-2")

            assert sorted(told_once(disk.objects)) == sorted(ALL), f"died {when} call {number}"


@pytest.mark.parametrize("when", list(When))
async def test_death_and_death_again(when: When) -> None:
    """The second life dies as well, at each of its calls, where the first died at each of the calls that write."""
    for objects in await beginnings():
        for first in range(3, await calls_of_a_life(objects) + 1, 2):
            for second in range(1, 8):
                disk = MemoryStore(dict(objects))
                for number, writer in ((first, "curfew-1"), (second, "curfew-2")):
                    dying = FailingStore(disk, fails=at(number), when=when, error=PowerCut)
                    await live(dying, writer=writer)
                assert await live(disk, writer="curfew-3")

                assert sorted(told_once(disk.objects)) == sorted(ALL), f"died {when} calls {first} and {second}"


@pytest.mark.parametrize("when", list(When))
async def test_a_failure_at_any_call_loses_nothing_and_doubles_nothing(when: When) -> None:
    for objects in await beginnings():
        for number in range(1, await calls_of_a_life(objects) + 1):
            disk = MemoryStore(dict(objects))
            assert await live(FailingStore(disk, fails=at(number), when=when))

            assert told_once(disk.objects) == ALL, f"failed {when} call {number}"


@pytest.mark.parametrize("when", list(When))
async def test_an_outage_from_any_call_on_loses_nothing_and_doubles_nothing(when: When) -> None:
    for objects in await beginnings():
        for number in range(1, await calls_of_a_life(objects) + 1):
            disk = MemoryStore(dict(objects))
            store = FailingStore(disk, fails=at(*range(number, number + 20)), when=when)
            assert await live(store)

            assert told_once(disk.objects) == ALL, f"away {when} calls {number} to {number + 20}"


async def test_a_segment_of_the_dead_that_arrives_late_is_taken_in_or_refused() -> None:
    """A process dies with a PUT in the network. It arrives at any moment of the next life, or never."""
    for moment in range(1, 40):
        disk = MemoryStore()
        network = StallingStore(disk)
        first = a_trail(network)
        async with running(first):
            await settle()
            network.stall()
            first.submit(records(1, 3))
            await settle()
            # What is in the network does not die with who sent it.
            ((name, body),) = in_flight(first).items()

        arrived = FailingStore(disk, fails=arrive_at(moment, disk, name, body))
        assert await live(arrived, writer="curfew-2")

        assert sorted(told_once(disk.objects)) == sorted(ALL), f"arrived at call {moment}"


def in_flight(trail: Trail) -> dict[str, bytes]:
    """Return the object that a trail is writing."""
    head = trail._head
    assert head is not None
    lines = [entry.line for entry in trail._queue.in_flight.values()]
    body, _ = seal(head, lines, at=LoopClock().now(), writer=trail._writer, signer=SIGNER)
    return {head.next_name(): body}


def arrive_at(moment: int, disk: MemoryStore, name: str, body: bytes) -> Callable[[int], bool]:
    """Return what fails no call, but has an object arrive before the call of that number, if its name is free."""

    def arrive(number: int) -> bool:
        if number == moment:
            disk.objects.setdefault(name, body)
        return False

    return arrive


def test_any_sequence_of_failures_and_deaths_ends_well() -> None:
    """Under a plan of what goes wrong at which call, over several lives."""

    @settings(max_examples=times(300), deadline=None)
    @given(
        lives=st.lists(
            st.tuples(
                st.dictionaries(
                    st.integers(1, 30), st.sampled_from(["fail before", "fail after", "die before", "die after"])
                ),
                st.integers(0, 4),
            ),
            max_size=4,
        )
    )
    @example(lives=[({3: "die after"}, 4), ({4: "die before"}, 2)])
    def holds(lives: list[tuple[dict[int, str], int]]) -> None:
        async def all_lives() -> dict[str, bytes]:
            disk = MemoryStore()
            for number, (plan, waves) in enumerate(lives):
                await live(Planned(disk, plan), WAVES[:waves], writer=f"curfew-{number}")
            assert await live(disk, writer="curfew-last")
            return disk.objects

        loop = looptime.new_event_loop(noop_cycles=1)
        try:
            objects = loop.run_until_complete(all_lives())
        finally:
            loop.close()
        assert sorted(told_once(objects)) == sorted(ALL)

    holds()


class Planned(FailingStore):
    """A store at which each call goes as planned."""

    def __init__(self, inner: ObjectStore, plan: dict[int, str]) -> None:
        """Plan by the number of the call; what is not planned goes well."""
        super().__init__(inner)
        self.plan = plan
        self.fails = self._goes_wrong

    def _goes_wrong(self, number: int) -> bool:
        what = self.plan.get(number)
        if what is None:
            return False
        how, when = what.split()
        self.when = When(when)
        self.error = PowerCut if how == "die" else FailingStore(self.inner).error
        return True


async def test_two_writers_that_both_lose_answers_write_one_chain() -> None:
    for period in range(3, 10):
        for when in When:
            disk = MemoryStore()
            tellers = [FailingStore(disk, fails=at(*range(period, 10_000, period)), when=when) for _ in range(2)]
            shared = records(100, 104)
            done = await asyncio.gather(
                live(tellers[0], (records(1, 5), shared, records(6, 9)), writer="curfew-1"),
                live(tellers[1], (records(11, 15), shared, records(16, 19)), writer="curfew-2"),
            )

            assert all(done)
            expected = [*records(1, 9), *records(11, 19), *shared]
            assert sorted(told_once(disk.objects)) == sorted(record.id for record in expected)


# --- a store and a clock that are behind -------------------------------------------------------------------------------


class Behind(MemoryStore):
    """A store whose listings do not show what was stored last: the newest `lag` objects, and their partitions."""

    def __init__(self, objects: dict[str, bytes], lag: int) -> None:
        """Lag behind by so many objects."""
        super().__init__(objects)
        self.lag = lag

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names of what is old enough."""
        return await self._shown().list(prefix, keep=keep, most=most)

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the partitions of what is old enough."""
        return await self._shown().list_partitions(prefix)

    def _shown(self) -> MemoryStore:
        names = list(self.objects)  # in the order in which they were stored
        return MemoryStore({name: self.objects[name] for name in names[: max(0, len(names) - self.lag)]})


@pytest.mark.parametrize("lag", [1, 2, 3, 5, 100])
async def test_listings_that_lag_lose_nothing_and_double_nothing(lag: int) -> None:
    """Each life reads back less than there is, down to nothing at all, and dies at each call on the way."""
    for objects in await beginnings():
        for number in range(1, await calls_of_a_life(objects) + 1):
            disk = Behind(dict(objects), lag)
            await live(FailingStore(disk, fails=at(number), when=When.AFTER, error=PowerCut))
            assert await live(disk, writer="curfew-2")

            assert sorted(told_once(disk.objects)) == sorted(ALL), f"behind by {lag}, died after call {number}"


async def test_two_writers_whose_listings_lag_write_one_chain() -> None:
    disk = Behind({}, lag=4)
    done = [
        await asyncio.gather(
            live(disk, WAVES[:count], writer=f"curfew-{count}a"),
            live(disk, WAVES[: count + 1], writer=f"curfew-{count}b"),
        )
        for count in range(1, len(WAVES))
    ]

    assert all(all(both) for both in done)
    assert sorted(told_once(disk.objects)) == sorted(ALL)


class SetBack(LoopClock):
    """A clock that somebody sets back by an hour before each second look at it."""

    def __init__(self) -> None:
        """Begin shortly after midnight, so that an hour ago is yesterday."""
        super().__init__(START.replace(hour=0, minute=20))
        self.looks = 0

    def now(self) -> datetime:
        """Return the time, or an hour less."""
        self.looks += 1
        return self.start + timedelta(minutes=30 if self.looks % 2 else -30)


@pytest.mark.parametrize("when", list(When))
async def test_a_clock_that_is_set_back_by_an_hour_loses_nothing_and_doubles_nothing(when: When) -> None:
    for objects in await beginnings():
        for number in range(1, await calls_of_a_life(objects) + 1):
            disk = MemoryStore(dict(objects))
            await live(FailingStore(disk, fails=at(number), when=when, error=PowerCut), clock=SetBack())
            assert await live(disk, writer="curfew-2", clock=SetBack())

            assert sorted(told_once(disk.objects)) == sorted(ALL), f"died {when} call {number}"
            times = [segment.at for segment in segments(disk.objects)]
            assert times == sorted(times)


async def test_two_writers_an_hour_apart_write_one_chain() -> None:
    disk = MemoryStore()
    behind = LoopClock(START - timedelta(hours=1))
    done = await asyncio.gather(
        live(disk, WAVES, writer="curfew-1"), live(disk, WAVES, writer="curfew-2", clock=behind)
    )

    assert all(done)
    assert sorted(told_once(disk.objects)) == sorted(ALL)
    times = [segment.at for segment in segments(disk.objects)]
    assert times == sorted(times)


# --- what it costs -----------------------------------------------------------------------------------------------------


async def test_a_life_without_trouble_makes_few_calls() -> None:
    store = FailingStore(MemoryStore())
    await live(store)

    # See that the log has not begun, begin it, read that back, prove the store and tell so, and one PUT for each wave.
    assert store.calls[:2] == ["get", "list"]
    assert store.calls.count("create") <= 2 + len(WAVES)
    assert set(store.calls) == {"list", "create", "get", "attest"}
    assert store.calls.count("get") == 2
    assert asyncio.get_running_loop().time() == 0

"""Too much of something: one person's flood delays nobody else and fills no memory, counted in turns and items."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Final

import pytest

from curfew.core.keys import Key, RequestKey
from curfew.processes.operator.queue import STALE, WorkQueue
from curfew.processes.operator.turns import AT_ONCE, EACH, Place
from tests.support.builders import NOON
from tests.support.world import FakeClock

pytestmark = pytest.mark.looptime(start=0)

FLOOD: Final = 5000
"""How many requests one person has at the same time."""


class Turned:
    """Gives each key a turn of the same length, and remembers the order in which turns began."""

    def __init__(self) -> None:
        self.begun: list[Key] = []
        self.clock = FakeClock(NOON)
        self.queue = WorkQueue(self.work, self.clock, place=self.place, on_error=lambda *_: None)

    async def work(self, key: Key) -> datetime | None:
        """Take a turn."""
        self.begun.append(key)
        await asyncio.sleep(0.01)
        return None

    def place(self, key: Key) -> Place:
        """Return the line of the person who is named before the slash."""
        return Place(str(key).partition("/")[0])

    def flood(self) -> None:
        """Have mallory ask, all at once."""
        for number in range(FLOOD):
            self.queue.add(RequestKey(f"mallory/{number}"))


async def test_nobody_waits_for_more_than_one_round_of_turns() -> None:
    """Whoever comes in the middle of it is served before another of the flood, and nobody is left out."""
    world, draw = Turned(), random.Random(4711)  # noqa: S311  the same each time
    world.flood()
    waited: list[int] = []
    for number in range(100):
        await asyncio.sleep(draw.uniform(0, 0.02))
        before, key = len(world.begun), RequestKey(f"person-{number % 20}/{number}")
        world.queue.add(key)
        while key not in world.begun[before:]:  # noqa: ASYNC110  the turns are a plain list
            await asyncio.sleep(0.001)
        waited.append(world.begun.index(key, before) - before)

    assert max(waited) <= 1
    while world.queue.waiting:  # noqa: ASYNC110  as above
        await asyncio.sleep(1)
    assert len(world.begun) == FLOOD + 100
    await world.queue.close()


async def test_a_crowd_that_floods_is_served_in_a_circle() -> None:
    """A hundred people with fifty requests each: somebody with one waits for one turn of each at most."""
    world = Turned()
    for person in range(100):
        for number in range(50):
            world.queue.add(RequestKey(f"mallory-{person}/{number}"))
    await asyncio.sleep(0.005)
    before = len(world.begun)
    world.queue.add(RequestKey("alice/1"))
    while world.queue.waiting:  # noqa: ASYNC110  as above
        await asyncio.sleep(1)

    assert world.begun.index(RequestKey("alice/1")) - before <= 100
    await world.queue.close()


async def test_a_flood_has_only_its_share_of_the_turns() -> None:
    """Even if nobody else is there: the next person finds a free turn."""
    world = Turned()
    world.flood()
    await asyncio.sleep(0.005)

    assert len(world.begun) == EACH < AT_ONCE
    await world.queue.close()


async def test_deadlines_that_were_replaced_fill_no_memory() -> None:
    """A request may be changed as often as its owner likes, and each change may move its next deadline, days ahead."""
    world, key = Turned(), RequestKey("mallory/1")
    for number in range(FLOOD):
        world.queue.wake_at(key, NOON + timedelta(days=1, seconds=number % 7))

    assert world.queue.deadlines <= STALE + 2
    world.clock.advance(days=2)
    await asyncio.sleep(1)
    assert world.begun == [key]
    await world.queue.close()


async def test_nothing_is_kept_of_keys_that_are_done() -> None:
    """Neither deadlines nor lines."""
    world = Turned()
    world.flood()
    while world.queue.waiting:  # noqa: ASYNC110  as above
        await asyncio.sleep(1)
    await asyncio.sleep(1)

    assert (world.queue.known, world.queue.deadlines) == (0, 0)
    await world.queue.close()

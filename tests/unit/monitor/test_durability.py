"""Whoever waits for records goes on when all of them are durable, and not before."""

import asyncio
from datetime import timedelta

import pytest

from curfew.audit.receipt import Receipt
from curfew.processes.monitor.durability import Durability

pytestmark = pytest.mark.looptime

SOON = timedelta(seconds=20)


class Log:
    """Knows which records are durable."""

    def __init__(self) -> None:
        self.durable: set[str] = set()

    def receipt(self, record_id: str) -> Receipt | None:
        """Return a receipt for what is durable."""
        return Receipt("log", 0, 1, "00" * 32) if record_id in self.durable else None


async def test_it_waits_for_the_last_one() -> None:
    log, durability = Log(), Durability()
    waiting = asyncio.create_task(durability.wait(log, ["a", "b"], SOON))
    for id_ in ("b", "x"):
        await asyncio.sleep(1)
        log.durable.add(id_)
        durability.moved()
    await asyncio.sleep(1)
    assert not waiting.done()
    log.durable.add("a")
    durability.moved()
    assert await waiting


async def test_what_is_durable_already_is_not_waited_for() -> None:
    log = Log()
    log.durable = {"a"}
    assert await Durability().wait(log, ["a"], SOON)
    assert await Durability().wait(log, [], SOON)


async def test_it_gives_up_in_time() -> None:
    began = asyncio.get_running_loop().time()
    assert not await Durability().wait(Log(), ["a"], SOON)
    assert asyncio.get_running_loop().time() - began == 20

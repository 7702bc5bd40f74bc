"""Reads that are shared: few for many who ask, and none older than the question."""

import asyncio

import pytest

from curfew.ports import Unavailable
from curfew.processes.operator.sharing import SharedReads

pytestmark = pytest.mark.looptime(start=0)


class Source:
    """Takes a second for each read, and returns when it began."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.shared: SharedReads[str, float] = SharedReads()
        self.fails = False

    async def read(self) -> float:
        """Read."""
        at = asyncio.get_running_loop().time()
        self.begun.append(at)
        await asyncio.sleep(1)
        if self.fails:
            raise Unavailable("no answer")
        return at

    async def asked_at(self, at: float, key: str = "role") -> tuple[float, float]:
        """Ask at an instant; return it, and when the read began."""
        await asyncio.sleep(at)
        return at, await self.shared.get(key, self.read)


async def test_many_who_ask_share_few_reads() -> None:
    """Five hundred within three seconds need five."""
    source = Source()
    answers = await asyncio.gather(*(source.asked_at(number / 200) for number in range(500)))

    assert all(begun >= asked for asked, begun in answers)
    assert source.begun == [0.0, 1.0, 2.0, 3.0]


async def test_who_is_alone_waits_for_nobody() -> None:
    """Neither for one that was done before, nor for another key."""
    source = Source()
    answers = await asyncio.gather(source.asked_at(0), source.asked_at(0.5, "other"), source.asked_at(5))

    assert [begun for _, begun in answers] == [0.0, 0.5, 5.0]


async def test_a_failure_is_that_of_all_who_shared_it_and_of_nobody_else() -> None:
    """The next read is a new one."""
    source = Source()
    source.fails = True
    answers = await asyncio.gather(*(source.asked_at(0) for _ in range(3)), return_exceptions=True)
    source.fails = False

    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert (await source.asked_at(0))[1] == 1.0


async def test_one_who_gives_up_ends_it_for_nobody_else() -> None:
    """Such as a turn that ends with the process."""
    source = Source()
    impatient, patient = (asyncio.create_task(source.asked_at(0)) for _ in range(2))
    await asyncio.sleep(0.5)
    impatient.cancel()

    assert await patient == (0, 0.0)
    assert source.begun == [0.0]

"""The line between a replica and a server: calls take time, are lost, lose their answers, or arrive when nobody waits for them.

A call has left its sender for good. Whether the sender dies, stands still or gives up, the call arrives all the same.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.simulation.process import SimulatedProcess, outside
from tests.simulation.schedule import TroubleComes

R = TypeVar("R")


@dataclass
class CallCounter:
    """Counts the calls of all replicas, and lets the n-th fail as planned."""

    die_at: int = 0
    after_effect: bool = False
    died: Callable[[str], None] = lambda replica: None
    calls: list[str] = field(default_factory=list)

    def next(self, replica: str, name: str) -> bool:
        """Count a call, and return whether its sender dies of it."""
        self.calls.append(f"{replica} {name}")
        return len(self.calls) == self.die_at


class SimulatedLine:
    """The line of one replica to one server ("cluster" or "bucket")."""

    def __init__(
        self,
        server: str,
        process: SimulatedProcess,
        troubles: Sequence[TroubleComes],
        lot: random.Random,
        counter: CallCounter,
        unavailable: Callable[[str], Exception],
    ) -> None:
        """`troubles` are those of this replica. Those that a call used up are not used again."""
        self._server = server
        self._process = process
        self._troubles = troubles
        self._lot = lot
        self._counter = counter
        self._unavailable = unavailable
        self.used: set[TroubleComes] = set()
        self._travelling: set[asyncio.Task[None]] = set()

    def is_cut(self, now: float) -> bool:
        """Whether nothing gets through now."""
        return any(
            one.kind == "cut" and one.what == self._server and one.at <= now < one.at + one.lasts
            for one in self._troubles
        )

    async def call(self, name: str, act: Callable[[], Awaitable[R]], within: float) -> R:
        """Let a server do something, and return its answer."""
        if self._process.is_dead:
            raise self._unavailable("this process is dead")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        answer.add_done_callback(_retrieved)
        dies = self._counter.next(self._process.name, name)
        if dies and not self._counter.after_effect:
            self._counter.died(self._process.name)
            raise self._unavailable(f"{name}: this process dies")
        travel = loop.create_task(
            self._travel(name, act, answer, self._trouble(name, loop.time()), dies=dies), context=outside()
        )
        self._travelling.add(travel)
        travel.add_done_callback(self._travelling.discard)
        try:
            async with asyncio.timeout(within):
                return await answer
        except TimeoutError:
            raise self._unavailable(f"{name}: no answer within {within:g} s") from None

    def _trouble(self, name: str, now: float) -> TroubleComes | None:
        for one in self._troubles:
            if (
                one.kind in ("lose", "lose answer", "late")
                and one.what == name
                and one.at <= now
                and one not in self.used
            ):
                self.used.add(one)
                return one
        return None

    async def _travel(
        self,
        name: str,
        act: Callable[[], Awaitable[R]],
        answer: "asyncio.Future[R]",
        trouble: TroubleComes | None,
        *,
        dies: bool,
    ) -> None:
        loop = asyncio.get_running_loop()
        kind = trouble.kind if trouble is not None else ""
        await asyncio.sleep(
            self._lot.uniform(0.0005, 0.004) + (trouble.by if trouble is not None and kind == "late" else 0)
        )
        if kind == "lose" or (self.is_cut(loop.time()) and kind != "late"):
            return
        result: R | None = None
        error: Exception | None = None
        try:
            result = await act()
        except Exception as raised:  # noqa: BLE001  it is the answer
            error = raised
        if dies:
            self._counter.died(self._process.name)
            return
        await asyncio.sleep(self._lot.uniform(0.0005, 0.004))
        if kind == "lose answer" or self.is_cut(loop.time()) or answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]


def _retrieved(answer: "asyncio.Future[R]") -> None:
    """Nobody may be waiting any more."""
    if not answer.cancelled():
        answer.exception()

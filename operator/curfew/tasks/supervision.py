"""Keeps tasks alive: which tasks may never end, what happens when one does, and which run only while the process leads."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Protocol, TypeVar

import structlog

from curfew.ports import ClusterError

log = structlog.get_logger("curfew")

R = TypeVar("R")

AGAIN_SECONDS = 30.0
"""How soon a task begins again after a defect ended it."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


class Runs(Enum):
    """Which replica runs a task."""

    EVERYWHERE = "everywhere"
    """Each replica needs the task: in the operator, to know the state of the cluster and to end access."""

    ON_THE_LEADER = "on the leader"
    """The task writes, grants or reports, so only one replica may run it."""

    STANDING_BY = "standing by"
    """The task prepares a replica that does not lead, so that it can take over."""


@dataclass(frozen=True, slots=True)
class Task:
    """One of a process's tasks, for as long as the process runs.

    If a vital task ends, the process stops, because nothing else would do its work. Any other task begins again after a
    defect. Whatever happens to a task of the operator, access ends on time (promise P1).
    """

    name: str
    run: Callable[[], Awaitable[None]]
    runs: Runs
    is_vital: bool = False


class Leadership(Protocol):
    """Whether this process leads. The process goes on when it no longer does."""

    async def won(self) -> asyncio.Event:
        """Return when this process leads, with the event that is set when it no longer does."""
        ...

    def began(self) -> None:
        """Take note that the tasks of the leader are about to begin: nothing may be left of an earlier leadership."""
        ...

    def ended(self) -> None:
        """Take note that the tasks of the leader have ended."""
        ...


class Supervisor:
    """Runs all tasks until it is asked to stop or a vital task ends."""

    def __init__(self, failed: Callable[[str], None] = lambda task: None) -> None:
        """Run nothing yet. `failed` is called with the name of a task, each time that a defect ends it."""
        self.stop = asyncio.Event()
        self._failed = failed
        self._failure: Exception | None = None
        self._ended: dict[str, str] = {}

    @property
    def ended(self) -> Mapping[str, str]:
        """The tasks that a defect has ended and that have not begun again yet, with a sentence for people, by name."""
        return MappingProxyType(self._ended)

    async def run(
        self, tasks: Sequence[Task], wind_up: Callable[[], Awaitable[None]], leadership: Leadership | None = None
    ) -> None:
        """Run the tasks until `stop` is set, then `wind_up` while they still run, then cancel them.

        Without a `leadership`, this process always leads. Raise the error that ended a vital task.
        """
        always = [task for task in tasks if leadership is None or task.runs is Runs.EVERYWHERE]
        led = [task for task in tasks if task.runs is Runs.ON_THE_LEADER]
        aside = [task for task in tasks if task.runs is Runs.STANDING_BY]
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._keep(task), name=task.name) for task in always]
            if leadership is not None:
                running.append(group.create_task(self._lead(led, aside, leadership), name="leading"))
            try:
                await self.stop.wait()
            finally:
                self.stop.set()
                await wind_up()
                for each in running:
                    each.cancel()
        if self._failure is not None:
            raise self._failure

    async def _lead(self, led: Sequence[Task], aside: Sequence[Task], leadership: Leadership) -> None:
        """Run some tasks whenever this process leads, and others whenever it does not."""
        while True:
            async with self._running(aside):
                lost = await leadership.won()
            leadership.began()
            try:
                async with self._running(led):
                    await lost.wait()
            finally:
                leadership.ended()

    @asynccontextmanager
    async def _running(self, tasks: Sequence[Task]) -> AsyncIterator[None]:
        """Run tasks until the context ends."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._keep(task), name=task.name) for task in tasks]
            try:
                yield
            finally:
                for each in running:
                    each.cancel()

    async def _keep(self, task: Task) -> None:
        if not task.is_vital:
            await repeat(task.name, functools.partial(self._once, task))
        try:
            await task.run()
        except Exception as error:  # any error is raised again after an orderly stop
            if self.stop.is_set():
                log.exception("task failed while stopping", task=task.name)
            else:
                self._failure = error
        else:
            if not self.stop.is_set():
                self._failure = RuntimeError(f"the task {task.name!r} ended, and nothing else does its work")
        self.stop.set()

    async def _once(self, task: Task) -> None:
        """Run a task. If a defect ends it, that shows until it begins again."""
        self._ended.pop(task.name, None)
        try:
            await task.run()
        except Exception as error:
            self._ended[task.name] = f"A defect has ended it ({type(error).__name__}); it begins again soon."
            self._failed(task.name)
            raise


async def repeat(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Call `run` again and again. A defect is logged and ends nothing else."""
    while True:
        try:
            await run()
        except Exception:  # whatever the error is, the tasks that end access go on
            log.exception("task failed", task=name, again_in=AGAIN_SECONDS)
        await asyncio.sleep(AGAIN_SECONDS)


async def insist(what: str, act: Callable[[], Awaitable[R]]) -> R:
    """Call `act` until it succeeds, and return its result. Each failure is logged."""
    delay = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await act()
        except ClusterError as error:
            log.warning("cannot do it yet", what=what, problem=str(error), again_in=delay)
            await asyncio.sleep(delay)
            delay = min(_LONGEST_PAUSE_SECONDS, delay * 2)
        except Exception:  # nothing else does this work: if it ended here, nobody would know
            log.exception("task failed", task=what, again_in=AGAIN_SECONDS)
            await asyncio.sleep(AGAIN_SECONDS)

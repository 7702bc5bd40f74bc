"""A process in the event loop that all share: it can stand still in the middle of anything, and die.

Each of its tasks asks before each step whether the process may go on. So a process that stands still knows nothing of it
afterwards, except by its clock.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any

_current: ContextVar["SimulatedProcess | None"] = ContextVar("the process that a task belongs to", default=None)


class SimulatedProcess:
    """The tasks of one process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_dead = False
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_suspended(self) -> bool:
        """Whether it stands still."""
        return not self._goes_on.is_set()

    def start(self, main: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin: every task that is made from here on belongs to this process."""
        context = copy_context()
        context.run(_current.set, self)
        return asyncio.get_running_loop().create_task(main, context=context)

    def suspend(self) -> None:
        """Stand still, as with SIGSTOP."""
        self._goes_on.clear()

    def resume(self) -> None:
        """Go on, as with SIGCONT."""
        self._goes_on.set()

    async def kill(self) -> None:
        """Die, as with SIGKILL: nothing that it does from now on reaches anybody."""
        self.is_dead = True
        self.resume()
        await self.bury()

    async def bury(self) -> None:
        """Let its tasks end, whatever they want to do first."""
        while left := {task for task in self._tasks if not task.done()}:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)

    def own(self, task: asyncio.Task[Any]) -> None:
        """Take a task as one of this process."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @types.coroutine
    def steps(self, coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Run a coroutine, and let it take no step while the process stands still."""
        act: Callable[[], Any] = lambda: coroutine.send(None)  # noqa: E731
        while True:
            cancelled: BaseException | None = None
            while self.is_suspended:
                try:
                    yield from self._goes_on.wait().__await__()
                except asyncio.CancelledError as error:
                    cancelled = error
            if cancelled is not None:
                act = _thrown(coroutine, cancelled)
            try:
                waits_for = act()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield waits_for
                act = _sent(coroutine, sent)
            except BaseException as error:  # noqa: BLE001  it is the coroutine's
                act = _thrown(coroutine, error)


def _sent(coroutine: Coroutine[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: coroutine.send(value)


def _thrown(coroutine: Coroutine[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: coroutine.throw(error)


def make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None, **more: Any
) -> "asyncio.Task[Any]":
    """Make a task of the process that is current: the loop's task factory."""
    process = (context or copy_context()).get(_current)
    if process is None:
        return asyncio.Task(coroutine, loop=loop, context=context, **more)
    task: asyncio.Task[Any] = asyncio.Task(_wrapped(process, coroutine), loop=loop, context=context, **more)
    task.add_done_callback(lambda _: coroutine.close())  # it may never have begun
    process.own(task)
    return task


async def _wrapped(process: SimulatedProcess, coroutine: Coroutine[Any, Any, Any]) -> Any:
    return await process.steps(coroutine)


def outside() -> Context:
    """Return the context of what belongs to no process: the servers and the lines."""
    context = copy_context()
    context.run(_current.set, None)
    return context

"""Following a file of JSON lines, such as the log of kube-apiserver (--audit-log-path)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog

from curfew.adapters.intake.handing import hand_over
from curfew.adapters.intake.settings import FollowSettings
from curfew.adapters.intake.tail import Lines, Tail
from curfew.ports import Batch, BatchSink, IntakeObserver, IntakeRefusal

_PAUSE = 1.0  # seconds, after something could not be read

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class FileFollower:
    """Hands over the lines of a file as they come.

    After a crash, the last batch may be handed over a second time. If the file is rotated by renaming, nothing is lost
    that is still there; copying and cutting loses what is written between the two.
    """

    def __init__(self, settings: FollowSettings, sink: BatchSink, observer: IntakeObserver) -> None:
        """Read nothing before `run`."""
        self._settings = settings
        self._sink = sink
        self._observer = observer
        self._tail = Tail(settings, self._lost)
        # Of its own: a disk that hangs holds up this file only, and the tail is used by one thread.
        self._thread = ThreadPoolExecutor(1, "following")
        self._troubles: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """Why the file cannot be read, or the position not be kept, as clauses for people; empty if all is well."""
        return "; ".join(self._troubles.values())

    async def run(self) -> None:
        """Follow the file until cancelled."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                lines = await self._tried("read", self._tail.read)
                if lines is None:
                    await asyncio.sleep(_PAUSE if "read" in self._troubles else self._settings.look_seconds)
                    continue
                if lines.body:
                    await hand_over(self._batch(lines), self._sink, self._observer)
                await self._tried("keep", partial(self._tail.taken, lines))
        finally:
            self._thread.submit(self._tail.close)
            self._thread.shutdown(wait=False)

    def _batch(self, lines: Lines) -> Batch:
        return Batch(self._settings.source, self._settings.form, lines.body, is_lines=True)

    async def _tried(self, what: str, work: Callable[[], _T]) -> _T | None:
        """Do it in the thread, and return None if it cannot be done."""
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            trouble = f"{error.filename or self._settings.path}: {error.strerror or error}"
            if trouble != self._troubles.get(what):
                self._troubles[what] = trouble
                _log.warning("a file cannot be followed as it should", source=self._settings.source, problem=trouble)
            return None
        if self._troubles.pop(what, None):
            _log.info("the file can be followed again", source=self._settings.source)
        return result

    def _lost(self, reason: IntakeRefusal) -> None:
        """Report it. The tail calls this in its thread, and observers are not made for that."""
        self._loop.call_soon_threadsafe(self._observer.refused, reason, self._settings.source)
        _log.warning("lines of a file are lost", source=self._settings.source, reason=str(reason))

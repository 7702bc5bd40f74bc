"""What was read of the logs is kept for a while: reading them takes longer than a person waits for a page."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.ports import Clock

PATIENCE: Final = 3.0
"""How many seconds a page waits for a log before it says that the log is being read."""

MOST_KEPT: Final = 50


@dataclass(slots=True)
class KeptReading:
    """What is known of one thing. `value` is what was read last, or the exception that came instead."""

    value: Any = None
    read_at: datetime | None = None  # None: nothing was read yet
    running: asyncio.Future[Any] | None = None
    is_unwanted: bool = False  # to be read again, whatever its age

    @property
    def is_running(self) -> bool:
        """Whether it is being read."""
        return self.running is not None


class KeptReadings:
    """Reads in threads, each thing once at a time, and keeps the newest that were asked for."""

    def __init__(self, clock: Clock, threads: ThreadPoolExecutor, patience: float = PATIENCE) -> None:
        """`patience` is how many seconds `get` waits."""
        self._clock = clock
        self._threads = threads
        self._patience = patience
        self._kept: OrderedDict[Hashable, KeptReading] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], Any], fresh: timedelta) -> KeptReading:
        """Return what is known, after it was read if it is older than `fresh` and that does not take long."""
        kept = self._kept.setdefault(key, KeptReading())
        self._kept.move_to_end(key)
        age = self._clock.now() - kept.read_at if kept.read_at is not None else None
        if kept.running is None and (kept.is_unwanted or age is None or age > fresh):
            kept.is_unwanted = False
            kept.running = asyncio.ensure_future(self._read(kept, read))
        if kept.running is not None:
            await asyncio.wait([kept.running], timeout=self._patience)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return kept

    def forget(self, key: Hashable) -> None:
        """Read a thing again when it is asked for. What was read last is shown until then."""
        if (kept := self._kept.get(key)) is not None:
            kept.is_unwanted = True

    async def _read(self, kept: KeptReading, read: Callable[[], Any]) -> None:
        try:
            kept.value = await asyncio.get_running_loop().run_in_executor(self._threads, read)
        except Exception as error:  # noqa: BLE001  the page shows it
            kept.value = error
        finally:
            kept.read_at, kept.running = self._clock.now(), None

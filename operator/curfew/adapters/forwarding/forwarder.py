"""The queue of records to forward, and the retries."""

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

import structlog

from curfew.adapters.forwarding.formats import Forwarded
from curfew.adapters.forwarding.sinks import Sink, SinkRefused, SinkUnavailable
from curfew.ports import Clock

CAPACITY = 16 * 1024 * 1024
"""Most bytes of records that may wait: about 8,000 records."""

AT_ONCE = 200
BYTES_AT_ONCE = 512 * 1024
"""The most records, and the most bytes of records, that are sent at a time."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between two attempts: after the first failure, and at most."""

_log = structlog.get_logger(__name__)


class ForwardObserver(Protocol):
    """Counts the records that were forwarded, and those that were not."""

    def forwarded(self, records: int) -> None:
        """Count records that were forwarded."""
        ...

    def not_forwarded(self, records: int, reason: str) -> None:
        """Count records that will never be forwarded: QueueFull or Refused. The log holds them all the same."""
        ...


class Forwarder:
    """Takes durable records, and forwards them in a task of its own, in order, each at least once or never.

    It begins with the records that become durable after its start. If the queue is full, the oldest are dropped.
    """

    def __init__(
        self,
        sink: Sink,
        clock: Clock,
        log: str,
        observer: ForwardObserver,
        *,
        capacity: int = CAPACITY,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Send nothing before `run`."""
        self._sink = sink
        self._clock = clock
        self._log = log
        self._observer = observer
        self._capacity = capacity
        self._jitter = jitter
        self._waiting: deque[Forwarded] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    @property
    def waiting(self) -> int:
        """How many records wait."""
        return len(self._waiting)

    @property
    def lag(self) -> timedelta:
        """How long the oldest waiting record has waited since it became durable; zero if none waits."""
        return self._clock.now() - self._waiting[0].since if self._waiting else timedelta(0)

    def appended(self, first: int, lines: Sequence[bytes]) -> None:
        """Take records that have just become durable; `first` is the index of the first of them. Returns at once."""
        now = self._clock.now()
        for index, line in enumerate(lines, first):
            self._waiting.append(Forwarded(self._log, index, line, now))
            self._bytes += len(line)
        dropped = 0
        while self._bytes > self._capacity and len(self._waiting) > 1:
            self._drop_first()
            dropped += 1
        if dropped:
            self._observer.not_forwarded(dropped, "QueueFull")
        if self._waiting:
            self._none.clear()
            self._some.set()

    async def run(self) -> None:
        """Send the waiting records, until cancelled."""
        try:
            while True:
                await self._some.wait()
                await self._send_all()
                self._some.clear()
                self._none.set()
        finally:
            await self._sink.close()

    async def drain(self, within: timedelta = timedelta(seconds=2)) -> None:
        """Give the waiting records a last chance. `run` must be running; any that are left then are not forwarded."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._none.wait()

    async def _send_all(self) -> None:
        at_once, pause, trouble = AT_ONCE, FIRST_PAUSE, ""
        while self._waiting:
            batch = self._next_batch(at_once)
            try:
                not_taken = await self._sink.send(batch)
            except SinkRefused as error:
                if len(batch) > 1:
                    at_once = len(batch) // 2  # to find out which of them is refused
                    continue
                _log.error("a record was refused and is not sent on", index=batch[0].index, problem=str(error))
                self._done_with(batch, not_taken=1)
            except SinkUnavailable as error:
                if str(error) != trouble:
                    trouble = str(error)
                    _log.warning("records cannot be sent on; the log holds them", waiting=self.waiting, problem=trouble)
                await asyncio.sleep(pause * (0.5 + self._jitter() / 2))
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            else:
                self._done_with(batch, not_taken)
            if trouble:
                _log.info("records are sent on again", waiting=self.waiting)
            at_once, pause, trouble = min(2 * at_once, AT_ONCE), FIRST_PAUSE, ""

    def _next_batch(self, at_once: int) -> list[Forwarded]:
        """Return the first records in the queue; at least one, however large it is."""
        batch: list[Forwarded] = []
        size = 0
        for one in itertools.islice(self._waiting, at_once):
            size += len(one.line)
            if batch and size > BYTES_AT_ONCE:
                break
            batch.append(one)
        return batch

    def _done_with(self, batch: Sequence[Forwarded], not_taken: int) -> None:
        """Take these records out and count them, except those that were dropped in the meantime."""
        done = 0
        while self._waiting and self._waiting[0].index <= batch[-1].index:
            self._drop_first()
            done += 1
        not_taken = min(not_taken, done)
        if not_taken:
            self._observer.not_forwarded(not_taken, "Refused")
        self._observer.forwarded(done - not_taken)

    def _drop_first(self) -> None:
        self._bytes -= len(self._waiting.popleft().line)

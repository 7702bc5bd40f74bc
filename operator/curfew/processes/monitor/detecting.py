"""Runs the detectors: reads both logs back at a start, then follows them, and has what is found recorded.

All that the detectors know comes from the two logs. So a restart comes to the same alerts, and the log of activity shows
which of them it holds already. Reading back takes a while; audit events are taken all along.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.audit.segment import ChainBroken
from curfew.audit.wording import sentence
from curfew.core.detectors.alert import Severity, WhichLog
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.records import CHECKED, CONFIGURED, position_of, told
from curfew.ports import Clock, StoreError
from curfew.processes.monitor.reading import LogReader, take_earlier
from curfew.reader.errors import CannotRead, Unfounded

log = structlog.get_logger("curfew")

SLICE_SECONDS = 0.005
"""How long records are learnt without a break. Then others have their turn: audit events must not wait for detectors."""

LOOK_SECONDS = 1.0
"""How often to look whether something is due, besides when records were written."""

LEARN_SECONDS = 1.0
"""How long records are learnt at most before it is looked what is due: under a flood, the end of a log is never reached."""

RETRY_SECONDS = 2.0
LASTING_SECONDS = 60.0
"""Between two tries while a log cannot be read, and while it is not whole, which only a person can mend."""

CHECK_EVERY = timedelta(minutes=10)
"""How often it is recorded up to where the detectors have looked."""

TELL_AGAIN = timedelta(hours=1)
"""At a start, alerts whose record is not older may still be owed a notification; those that were sent are known."""


class Reports(Protocol):
    """Where alerts go whose records are durable."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be reported."""
        ...

    def again(self, record: Record, *, is_new: bool) -> None:
        """Report an alert that the log held at the start, unless that was done.

        If it is not new, only its notification may be missing.
        """
        ...


class DetectionNumbers(Protocol):
    """Numbers about the detectors."""

    def set_detection(self, *, ok: bool) -> None:
        """Set whether both logs are looked at."""
        ...

    def detection_started(self, seconds: float) -> None:
        """Set how long it took to read both logs back."""
        ...

    def set_detection_losses(self, unreadable: Mapping[str, int], dropped: int) -> None:
        """Set how many records could not be read, by detector, and how many findings were dropped, since the start."""
        ...


class Detecting:
    """The detectors at work. `engine` may be asked about open alerts and silences once `has_begun` is set."""

    def __init__(
        self,
        trail: LogReader,
        own: LogReader,
        engine: Engine,
        clock: Clock,
        *,
        look_back: timedelta,
        configured: Callable[[Record | None, datetime], Record | None],
        submit: Callable[[Record], None],
        reports: Reports,
        numbers: DetectionNumbers,
    ) -> None:
        """`configured` returns the record of the detectors' settings if the last one in the log, or None, is not the same.

        `look_back` is how much of both logs is read at the start; `submit` appends to the log of activity.
        """
        self._readers: Sequence[LogReader] = (trail, own)
        self.engine = engine
        self._clock = clock
        self._look_back = look_back
        self._configured = configured
        self._submit = submit
        self._reports = reports
        self._numbers = numbers
        self._news = asyncio.Event()
        self._checked_at: datetime | None = None
        self._was_checked: Record | None = None  # the last `detection.checked` of the log, at the start
        self._was_configured: Record | None = None
        self._learn_also: list[Callable[[Record], None]] = []
        # The alerts of the log at the start that were not looked at before: place, time of sealing, record.
        self._raised: list[tuple[int, datetime | None, Record]] = []
        self._is_at_end = False  # both logs were read to their ends
        self.has_begun = asyncio.Event()
        self.trouble = "The logs are being read."
        """Why alerts may be missing now, as a sentence for people; empty if all is well."""

    def changed(self) -> None:
        """Have the logs read soon: something was written."""
        self._news.set()

    def also(self, learn: Callable[[Record], None]) -> None:
        """Have somebody learn each record of the log of activity as well, in order."""
        self._learn_also.append(learn)

    def open_by_severity(self) -> Mapping[str, int]:
        """Return how many alerts are open, by their severity: Low, Medium, High and Critical."""
        number = Counter(alert.severity for alert in self.engine.open())
        return {severity.name.capitalize(): number[severity] for severity in Severity}

    async def run(self) -> None:
        """Read both logs, then follow them, for ever. While one cannot be read, the detectors wait."""
        try:
            await self._follow()
        except Exception as error:
            # Whoever runs this begins again later; until then, nobody may think that all is well.
            self.trouble = f"A defect has ended the detectors ({type(error).__name__}); they begin again soon."
            self._numbers.set_detection(ok=False)
            raise

    async def _follow(self) -> None:
        await self._insist(self._open)
        if not self.has_begun.is_set():
            await self._begin()
        while True:
            self._news.clear()
            await self._insist(self._learn)
            self._find()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue

    def settle(self) -> None:
        """Record up to where the detectors have looked, at an orderly end."""
        if self.has_begun.is_set():
            self._find(is_last=True)

    async def _begin(self) -> None:
        started = asyncio.get_running_loop().time()
        await self._insist(self._learn)
        now = self._clock.now()
        self.engine.begin(now)
        self._tell_again(now)
        if (record := self._configured(self._was_configured, now)) is not None:
            self._append(record)
        self.has_begun.set()
        seconds = asyncio.get_running_loop().time() - started
        self._numbers.detection_started(seconds)
        log.info("the detectors have read both logs", seconds=round(seconds, 1))

    def _tell_again(self, now: datetime) -> None:
        """Report the alerts that may not have been reported before the process ended."""
        first = position_of(self._was_checked).activity if self._was_checked is not None else None
        for index, sealed_at, record in self._raised:
            is_recent = sealed_at is not None and now - sealed_at < TELL_AGAIN
            is_new = index >= first if first is not None else is_recent
            if is_new or is_recent:
                self._reports.again(record, is_new=is_new)
        self._raised.clear()

    async def _insist(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act until it succeeds; until then, `trouble` shows what is wrong."""
        while True:
            pause = RETRY_SECONDS
            try:
                await act()
            except (StoreError, CannotRead) as error:
                trouble = str(error)
            except (Unfounded, ChainBroken) as error:
                trouble, pause = sentence(str(error)), LASTING_SECONDS
            else:
                doubts = [reader.trouble for reader in self._readers if reader.trouble]
                self.trouble = doubts[0] if doubts else ""
                self._numbers.set_detection(ok=not self.trouble)
                return
            if trouble != self.trouble:
                log.warning("the detectors cannot read a log yet", problem=trouble, again_in=pause)
            self.trouble = trouble
            self._numbers.set_detection(ok=False)
            await asyncio.sleep(pause)

    async def _open(self) -> None:
        since = (self._clock.now() - self._look_back).date()
        for reader in self._readers:
            await reader.open(since)

    async def _learn(self) -> None:
        """Learn what was appended to either log: at a start all of it, later for a second at most."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        pause_at = began + SLICE_SECONDS
        self._is_at_end = False
        own = self._readers[-1]
        while (seen := await take_earlier(self._readers)) is not None:
            self.engine.learn(seen)
            if seen.log is WhichLog.ACTIVITY:
                self._learn_own(seen.record, seen.index, own.sealed_at)
            if loop.time() >= pause_at:
                await asyncio.sleep(0)
                pause_at = loop.time() + SLICE_SECONDS
            if self.has_begun.is_set() and loop.time() - began >= LEARN_SECONDS:
                self._news.set()  # there is more
                return
        self._is_at_end = True

    def _learn_own(self, record: Record, index: int, sealed_at: datetime | None) -> None:
        for learn in self._learn_also:
            learn(record)
        if self.has_begun.is_set():
            return
        if record.event == CHECKED:
            try:
                first = position_of(record).activity
            except (KeyError, TypeError, ValueError):
                return  # written by a version that writes it in another way
            self._was_checked = record
            since = (sealed_at or self._clock.now()) - TELL_AGAIN
            self._raised = [one for one in self._raised if one[0] >= first or (one[1] or since) > since]
        elif record.event == CONFIGURED:
            self._was_configured = record
        elif told(record) is not None:
            self._raised.append((index, sealed_at, record))

    def _find(self, *, is_last: bool = False) -> None:
        """Look what is due, and have what is new recorded."""
        now = self._clock.now()
        for reader in self._readers:
            if self._is_at_end and reader.sealed_at is not None:
                self.engine.heard(reader.which, reader.sealed_at)
        self.engine.look(now)
        for record in self.engine.take():
            self._append(record)
        # Alerts before that place are not reported again after a restart, so all of them have to be reported by now.
        is_due = is_last or self._checked_at is None or now - self._checked_at >= CHECK_EVERY
        checked = self.engine.checked(now) if is_due and self._reports.is_idle else None
        if checked is not None:
            self._append(checked)
            self._checked_at = now
        self._numbers.set_detection_losses(dict(self.engine.unreadable), self.engine.dropped)

    def _append(self, record: Record) -> None:
        try:
            self._submit(record)
        except NotCanonical as error:
            log.warning("a record of the detectors cannot be written", record=record.event, problem=str(error))

"""Takes audit events: finds the sessions that they belong to, has them recorded, and returns when the records are durable.

Most events belong to nobody; they are only counted. The sender of a batch that was not taken brings it again, and the same
event twice appends nothing twice. So a process that dies anywhere in here loses nothing that the sender still has.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

import structlog

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.core.activity.attribution import Found
from curfew.core.activity.call import Call
from curfew.core.activity.external.mapping import LineMapping
from curfew.core.activity.external.taking import take_lines
from curfew.core.activity.formats.forms import EventRefused, Why
from curfew.core.activity.formats.reading import Events, read_event_list, read_lines
from curfew.core.activity.sessions import Sessions
from curfew.ports import Clock
from curfew.ports.intake import Batch, BatchRefused, IntakeError, IntakeUnavailable, Overloaded
from curfew.processes.monitor.durability import Durability
from curfew.processes.monitor.feed import Feed
from curfew.processes.monitor.recollection import Recollection
from curfew.trail import Appender

log = structlog.get_logger("curfew")

MOST_WAITING = 8 * 1024 * 1024
"""Most bytes of batches that are not done. One batch more is let in than fits, so that any batch can be taken."""

RETRY_AFTER_SECONDS = 3.0
"""When an overloaded intake may be asked again: an API server repeats ten times within 30 s."""

DURABLE_WITHIN = timedelta(seconds=20)
"""How long the records of a batch may take. An API server waits 30 s for the answer."""

MOST_UNWRITTEN = 500
"""How many records of one batch may wait to become durable: a call of somebody with many grants has a record in each."""

MOST_BATCHES = 16
"""How many batches are attributed and written at a time."""

AT_ONCE = 50
"""After how many events others get their turn: reading the calls of one batch takes 20 ms and more."""

ALERT_RESPONSES = "alertresponses"
_ANSWERS = frozenset({"create", "delete", "deletecollection"})


class Numbers(Protocol):
    """Counts what arrives."""

    def event(self, outcome: str, number: int = 1) -> None:
        """Count events that could be read."""
        ...

    def events_refused(self, reason: str, number: int) -> None:
        """Count events that could not be read."""
        ...

    def lines_not_taken(self, reason: str, number: int) -> None:
        """Count lines of other systems that became no record."""
        ...

    def set_waiting(self, size: int) -> None:
        """Set how many bytes of events are not done."""
        ...


class OperatorsLog(Protocol):
    """The operator's log, as far as batches wait for it."""

    async def current(self) -> None:
        """Return when it was read up to now, or raise `IntakeUnavailable`."""
        ...


class OwnCalls(Protocol):
    """The test calls that are waited for."""

    def take(self, call: Call) -> bool:
        """Whether a call is one of them, which is then noted."""
        ...


class Notices(Protocol):
    """Notices what calls show besides the use of grants."""

    def notice(self, call: Call, found: Sequence[Found]) -> Iterable[Record]:
        """Return the records of what a call shows. `found` is what it leads to as the use of a grant."""
        ...


class Intake:
    """The way in, as `curfew.ports.intake.BatchSink`."""

    def __init__(
        self,
        trail: OperatorsLog,
        own: Appender[Recollection],
        durability: Durability,
        canaries: OwnCalls,
        feed: Feed,
        clock: Clock,
        numbers: Numbers,
        *,
        sessions: Sessions,
        mappings: Mapping[str, LineMapping],
        answered: Callable[[], None] = lambda: None,
        notices: Notices | None = None,
    ) -> None:
        """`trail` is the operator's log, `own` is the log that the records are appended to. `mappings` are by system.

        `answered` is called when somebody has answered alerts.
        """
        self._answered = answered
        self._trail = trail
        self._own = own
        self._durability = durability
        self._canaries = canaries
        self._feed = feed
        self._clock = clock
        self._numbers = numbers
        self._sessions = sessions
        self._mappings = mappings
        self._notices = notices
        self._waiting = 0  # bytes
        self._turns = asyncio.Semaphore(MOST_BATCHES)

    async def take(self, batch: Batch) -> None:
        """Return when everything good in a batch is durable or belongs to nobody. Raise an `IntakeError` if not."""
        if batch.mapping is not None:  # other systems have no part in the coverage of the API servers
            with self._room(len(batch.body)):
                await self._take(batch)
            return
        with self._feed.in_hand():
            try:
                with self._room(len(batch.body)):
                    await self._take(batch)
            except (BatchRefused, Overloaded):
                raise  # nobody waits for it: the coverage gets a hole at once
            except (IntakeError, asyncio.CancelledError):
                self._feed.refused(batch)
                raise
            self._feed.taken(batch)

    @contextmanager
    def _room(self, size: int) -> Iterator[None]:
        if self._waiting >= MOST_WAITING:
            raise Overloaded(RETRY_AFTER_SECONDS)
        self._waiting += size
        self._numbers.set_waiting(self._waiting)
        try:
            yield
        finally:
            self._waiting -= size
            self._numbers.set_waiting(self._waiting)

    async def _take(self, batch: Batch) -> None:
        if not self._own.health.ok:
            raise IntakeUnavailable(f"Nothing can be recorded now: {self._own.health.message}")
        if not self._feed.knows(batch.source):
            raise BatchRefused("There are too many sources; only the first ones are taken.")
        await self._trail.current()
        async with self._turns:
            await self._written(self._take_lines(batch) if batch.mapping is not None else await self._take_calls(batch))

    async def _written(self, ids: set[str]) -> None:
        """Return when records are durable, or raise `IntakeUnavailable`."""
        if not await self._durability.wait(self._own, ids, DURABLE_WITHIN):
            raise IntakeUnavailable("The records did not become durable in time.")

    async def _take_calls(self, batch: Batch) -> set[str]:
        """Hand over the records about the calls in a batch, and return the ids of those that may not be durable yet."""
        events = self._read(batch)
        attribution, ids, outcomes = self._own.memory.attribution, set[str](), Counter[str]()
        lost = attribution.lost
        if events.calls:
            self._feed.heard(batch.source, max(call.at for call in events.calls))
            if not batch.is_lines:  # who sends lines may keep them for as long as it takes
                self._feed.delivered(batch, min(call.at for call in events.calls))
        for number, call in enumerate(events.calls):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if self._canaries.take(call):
                outcomes["Canary"] += 1
                continue
            if call.resource == ALERT_RESPONSES and call.verb in _ANSWERS:
                self._answered()
            found = attribution.attribute(call)
            outcomes["Session" if found else "Nobody"] += 1
            ids |= self._submit(one.record for one in found)
            if self._notices is not None:
                ids |= self._submit(self._notices.notice(call, found))
            if len(ids) >= MOST_UNWRITTEN:
                await self._written(ids)
                ids = set()
        for outcome, times in outcomes.items():
            self._numbers.event(outcome, times)
        if attribution.lost > lost:
            self._feed.lose("too many calls were allowed by bindings of grants that are not known yet")
        return ids

    def _take_lines(self, batch: Batch) -> set[str]:
        """Hand over the records about the lines of another system, and return their ids."""
        mapping = self._mappings.get(batch.mapping or "")
        if mapping is None:
            raise BatchRefused("There is no mapping of that name.")
        found, not_taken = take_lines(batch.body, mapping, self._sessions.all(), self._clock.now())
        for why, number in not_taken.items():
            self._numbers.lines_not_taken(why, number)
        return self._submit(found)

    def _read(self, batch: Batch) -> Events:
        now = self._clock.now()
        try:
            events = (
                read_lines(batch.body, batch.form, now=now) if batch.is_lines else read_event_list(batch.body, now=now)
            )
        except EventRefused as error:
            raise BatchRefused(str(error)) from error
        for why, number in events.refused.items():
            self._numbers.events_refused(why, number)
            if why.hides and why is not Why.OLD:  # what is that old has had its answer, and its sessions are forgotten
                self._feed.lose(f"an audit event of {batch.source} could not be read: {why}")
        return events

    def _submit(self, records: Iterable[Record]) -> set[str]:
        """Hand over records, and return their ids."""
        ids = set()
        for record in records:
            try:
                self._own.submit([record])
            except NotCanonical as error:
                log.warning("a record cannot be written", record=record.event, problem=str(error))
                self._feed.lose("a record about a call could not be written")
                continue
            ids.add(record.id)
        return ids

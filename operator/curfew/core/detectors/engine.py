"""From the records of both logs to the records of alerts: each alert once, also if it is all read again after a restart.

A start reads both logs again from long before, in the order of time as far as it is known, and calls `begin`. What was
found until then and is recorded stays as it is; what was found and is not recorded is recorded now, if it comes from
something that no `detection.checked` says was looked at. So a kill at any place neither loses nor repeats an alert.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from curfew.audit.record import CURFEW, Record
from curfew.core.detectors.alert import Alert, Resolution, Seen, WhichLog
from curfew.core.detectors.detector import Detector, Finding, Hears, Looks
from curfew.core.detectors.opened import OpenAlert, OpenAlerts
from curfew.core.detectors.records import (
    CHECKED,
    RESOLVED,
    Position,
    ToldAlert,
    checked,
    position_of,
    raised,
    resolved,
    told,
)
from curfew.core.detectors.silences import Silences

UNREADABLE: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError)
"""What a record that is not as it should be may raise in a detector. It teaches nothing, and is counted."""

MOST_PENDING: Final = 20_000
"""How many findings wait to be recorded. More come only from a flood, and the oldest are dropped, and counted."""

_TIMED_BY_OTHERS: Final = frozenset({"external.called"})
"""Events whose time somebody else than Curfew or the API server names: no deadline passes by them."""


class Learner(Protocol):
    """Common knowledge of several detectors, such as which roles are privileged: it learns a record before they do."""

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that it learns from."""
        ...

    def learn(self, record: Record) -> None:
        """Learn a record."""
        ...


@dataclass(frozen=True, slots=True)
class _ByPerson:
    """A person resolves an alert, by its id."""

    alert: str
    by: str
    reason: str
    at: datetime


_Pending = Alert | Resolution | ToldAlert | _ByPerson | str  # a text: the id of an alert that a record says is over


class Engine:
    """Folds the records of both logs into the records of alerts, which its caller appends in their order.

    Give it each record of both logs with `learn`, those of one log in order, its own log's too. At a start, call `begin`
    after all that the logs hold. Then call `look` often, and append what `take` returns. All state has a bound.
    """

    def __init__(
        self,
        detectors: Iterable[Detector],
        *,
        log: str,
        now: datetime,
        common: Iterable[Learner] = (),
        is_off: Callable[[Alert], bool] = lambda alert: False,
    ) -> None:
        """Know nothing yet. `log` is the id of the log of activity; `now` the time of the start.

        `is_off` says of an alert whether its detector is switched off for what it is about.
        """
        known = tuple(detectors)
        self._looking = tuple(one for one in known if isinstance(one, Looks))
        self._hearing = tuple(one for one in known if isinstance(one, Hears))
        self._log = log
        self._is_off = is_off
        self._learners: defaultdict[str, list[Learner]] = defaultdict(list)
        for learner in common:
            for event in learner.events:
                self._learners[event].append(learner)
        self._by_event: defaultdict[str, list[Detector]] = defaultdict(list)
        for detector in known:
            for event in detector.events:
                self._by_event[event].append(detector)
        self._ledger = OpenAlerts()
        self._pending: deque[_Pending] = deque()
        self._owed: deque[Record] = deque(maxlen=MOST_PENDING)  # ends of alerts that the log should hold, and does not
        self._now, self._clock = now, datetime.min.replace(tzinfo=UTC)
        self._learnt = dict.fromkeys(WhichLog, 0)  # the index of the next record of each log
        self._settled: Position | None = None  # what was looked at, with every alert recorded
        self._has_begun = False
        self._is_live = False  # whether all that was found while the logs were read is settled
        self.silences = Silences()
        self.unreadable: defaultdict[str, int] = defaultdict(int)
        """How many records a detector could not read, by its name."""
        self.dropped = 0
        """How many findings were dropped because too many were waiting."""

    def learn(self, seen: Seen) -> None:
        """Learn a record. What was due before it is found first, at the time at which it was due."""
        if not self._has_begun and seen.record.event not in _TIMED_BY_OTHERS:
            self._look(min(seen.at, self._now))
        self._learnt[seen.log] = max(self._learnt[seen.log], seen.index + 1)
        event = seen.record.event
        for learner in self._learners.get(event, ()):
            try:
                learner.learn(seen.record)
            except UNREADABLE:
                self.unreadable[type(learner).__name__] += 1
        for detector in self._by_event.get(event, ()):
            self._find(detector, detector.learn, seen)
        if seen.log is WhichLog.ACTIVITY:
            self._learn_own(seen.record)

    def heard(self, log: WhichLog, at: datetime) -> None:
        """Learn that a log was read to its end, and that its end is as new as `at`, also if it holds no new record."""
        for detector in self._hearing:
            self._find(detector, detector.heard, log, at)

    def look(self, now: datetime) -> None:
        """Find what is due by now. A clock that was ahead and was set back counts as it is: nothing waits until then."""
        self._now = now if self._has_begun else max(self._now, now)
        if self._has_begun:
            self._clock = min(self._clock, now)
        self._look(self._now)

    def begin(self, now: datetime) -> None:
        """Everything that the logs held at the start has been learnt: from here on, what is found is recorded.

        If nothing was ever looked at, all of it only teaches: a new installation does not begin with old alerts.
        """
        self.look(now)
        self._has_begun = True
        if self._settled is None:
            self._settled = Position(self._clock, self._learnt[WhichLog.TRAIL], self._learnt[WhichLog.ACTIVITY])
            for one in self._pending:
                self._settle(one)
            self._pending.clear()

    def resolve(self, alert: str, *, by: str, reason: str, at: datetime) -> bool:
        """Resolve an alert, by its id, because a person says so. Return whether there is such an alert that is open."""
        self._pending.append(_ByPerson(alert, by, reason, at))
        return self._ledger.by_id(alert) is not None

    def take(self) -> tuple[Record, ...]:
        """Return the records to append, in order. Each is returned once; before `begin`, there are none."""
        if not self._has_begun:
            return ()
        new = list(self._owed)
        self._owed.clear()
        while self._pending:
            record = self._settle(self._pending.popleft())
            if record is not None:
                new.append(record)
        self._is_live = True
        self._settled = Position(self._clock, self._learnt[WhichLog.TRAIL], self._learnt[WhichLog.ACTIVITY])
        return tuple(new)

    def checked(self, at: datetime) -> Record | None:
        """Return the record of what was looked at before the last `take`; None before `begin`.

        Append it after what `take` returned, never before.
        """
        if not self._has_begun or self._settled is None:
            return None
        return checked(self._log, self._settled, at=at)

    def open(self) -> tuple[OpenAlert, ...]:
        """Return the alerts that are open, the oldest first."""
        return self._ledger.all()

    def open_by_id(self, alert: str) -> OpenAlert | None:
        """Return an alert that is open, by its id, or None."""
        return self._ledger.by_id(alert)

    @property
    def now(self) -> datetime:
        """Up to when deadlines were looked at."""
        return self._clock

    def _look(self, now: datetime) -> None:
        if now <= self._clock:
            return
        self._clock = now
        for detector in self._looking:
            self._find(detector, detector.look, now)

    def _find(self, detector: Detector, ask: Callable[..., Iterable[Finding]], *about: object) -> None:
        try:
            for finding in ask(*about):
                self._add(finding)
        except UNREADABLE:
            self.unreadable[detector.name] += 1

    def _add(self, one: _Pending) -> None:
        if len(self._pending) >= MOST_PENDING:
            self._pending.popleft()
            self.dropped += self._settled is not None  # before anything was looked at, findings only teach
        self._pending.append(one)

    def _learn_own(self, record: Record) -> None:
        """Learn what the log of activity tells of alerts, silences and of what was looked at."""
        self.silences.learn(record)
        alert = told(record)
        if alert is not None:
            self._ledger.was_raised(alert.id)
            self._add(alert)
        elif record.event == RESOLVED:
            detail = record.block.get("detail")
            if isinstance(detail, Mapping) and type(id_ := detail.get("alert")) is str:
                self._ledger.was_resolved(id_)
                self._add(id_)
        elif record.event == CHECKED and not self._has_begun:
            self._settle_until(record)

    def _settle_until(self, record: Record) -> None:
        """Settle what was found and looked at before a place, so that little waits while old logs are read."""
        try:
            self._settled = position_of(record)
        except UNREADABLE:
            self.unreadable[CHECKED] += 1
        while self._pending and not self._is_new(self._pending[0]):
            owed = self._settle(self._pending.popleft())
            if owed is not None:
                self._owed.append(owed)

    def _is_new(self, one: _Pending) -> bool:
        """Whether a finding comes from something that no record says was looked at."""
        if self._is_live:
            return True
        if self._settled is None or isinstance(one, ToldAlert | _ByPerson | str):
            return False
        seen = one.trigger
        if seen is not None:
            return seen.index >= self._settled.of(seen.log)
        evidence = one.evidence if isinstance(one, Alert) else ()
        return one.at > self._settled.until or any(part.index >= self._settled.of(part.log) for part in evidence)

    def _settle(self, one: _Pending) -> Record | None:
        """Settle a finding, or what the log tells, and return the record that has to be appended for it.

        One of which no record can be made is counted, and is in the way of no other.
        """
        try:
            return self._settled_as(one)
        except UNREADABLE:
            self.unreadable[one.detector if isinstance(one, Alert | Resolution) else type(one).__name__] += 1
            return None

    def _settled_as(self, one: _Pending) -> Record | None:
        match one:
            case Alert():
                return self._settle_alert(one)
            case Resolution():
                ends = self._ledger.at(one.detector, one.key)
                return None if ends is None else self._end(ends, at=one.at, why=one.why)
            case ToldAlert():
                self._ledger.open(OpenAlert.told(one))
            case _ByPerson():
                ends = self._ledger.by_id(one.alert)
                why = f"{one.by} resolved it"
                return None if ends is None else self._end(ends, at=one.at, why=why, by=one.by, reason=one.reason)
            case str():
                self._ledger.close(one)
        return None

    def _settle_alert(self, alert: Alert) -> Record | None:
        before = self._ledger.at(alert.detector, alert.key)
        silence = self.silences.covering(alert)
        is_silenced = silence is not None
        if before is not None and not before.gives_way_to(alert, is_silenced=is_silenced):
            return None
        record = raised(alert, self._log, silenced_by=silence.uid if silence is not None else "")
        is_recorded = self._ledger.knows(record.id)
        if not is_recorded and (not self._is_new(alert) or not self._has_begun or self._is_off(alert)):
            return None
        self._ledger.was_raised(record.id)
        self._ledger.open(OpenAlert.of(alert, record.id, is_silenced=is_silenced))
        return None if is_recorded else record

    def _end(self, alert: OpenAlert, *, at: datetime, why: str, by: str = CURFEW, reason: str = "") -> Record | None:
        self._ledger.close(alert.id)
        if self._ledger.is_resolved(alert.id):
            return None
        self._ledger.was_resolved(alert.id)
        return resolved(
            self._log,
            alert.id,
            detector=alert.detector,
            key=alert.key,
            title=alert.title,
            people=alert.people,
            at=at,
            why=why,
            by=by,
            reason=reason,
        )

"""The monitor of the company, without its clock and its bucket: both logs arrive, and the real engine folds them."""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.audit.record import Record
from curfew.core.detectors.alert import Seen, WhichLog
from curfew.core.detectors.all import engine, tunings
from curfew.core.detectors.engine import Engine
from curfew.core.detectors.records import RAISED, RESOLVED
from tests.corpus.generating import Corpus
from tests.support.watching import ACTIVITY

CHECKED_EVERY: Final = timedelta(hours=1)
"""How often it is recorded what was looked at. The monitor does it more often."""

RESOLVED_AFTER: Final = timedelta(hours=6)

OUTAGES: Final = timedelta(hours=31)
"""How long it is from one time when the bucket is away to the next."""

Delay = Callable[[Record, WhichLog], timedelta]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record, and when the monitor can read it."""

    at: datetime
    log: WhichLog
    record: Record


def soon(record: Record, log: WhichLog) -> timedelta:
    """Return how long a record takes to its log if all is well: the feed of audit events is a little slower."""
    return timedelta(seconds=2.4 if log is WhichLog.ACTIVITY else 0.3)


def out_of_step(record: Record, log: WhichLog) -> timedelta:
    """Return how long a record takes if the two logs are out of step by some seconds, now the one ahead and now the other."""
    is_odd = record.at.hour % 2
    return timedelta(seconds=(9, 1, 2, 14)[2 * is_odd + (log is WhichLog.ACTIVITY)])


def with_outages(corpus: Corpus) -> Delay:
    """Return the delays of a bucket that is away for some minutes, now and then: the trail arrives late, all at once."""

    def delay(record: Record, log: WhichLog) -> timedelta:
        since = corpus.begin + (record.at - corpus.begin) // OUTAGES * OUTAGES
        away = since + timedelta(minutes=14) - record.at
        return max(away, timedelta(seconds=1)) if log is WhichLog.TRAIL else timedelta(seconds=3)

    return delay


def arrivals(corpus: Corpus, delay: Delay = soon) -> list[Arrival]:
    """Return the records of both logs in the order in which they arrive."""
    found = [
        Arrival(record.at + delay(record, log), log, record)
        for log, records in ((WhichLog.TRAIL, corpus.trail), (WhichLog.ACTIVITY, corpus.activity))
        for record in records
    ]
    return sorted(found, key=lambda one: one.at)


def settings(corpus: Corpus, **usual: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the detectors are told: how they come by default, and two facts about policies.

    These are the time zone of the team, and that a policy for people on call has no off hours.
    """
    facts = {
        (team.name, name): {"OffHours": {"enabled": name != "oncall", "timeZone": team.zone.key}}
        for team in corpus.life.company.teams.values()
        for name in (*team.offers, "migrate")
    }
    return tunings(usual, facts)


def before(corpus: Corpus) -> datetime:
    """Return a time before everything: when the monitor is installed."""
    return corpus.begin - timedelta(hours=13)


@dataclass
class Monitor:
    """Both logs as they are in their buckets, and the process that follows them."""

    tuned: Mapping[str, Any]
    started_at: datetime
    is_looked_after: bool = False  # somebody resolves each alert that is some hours old
    logs: dict[WhichLog, list[Record]] = field(default_factory=lambda: {log: [] for log in WhichLog})
    engine: Engine = field(init=False)
    _check_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Start."""
        self.start(self.started_at)

    def start(self, now: datetime) -> None:
        """Start a process, which reads what the logs hold, in the order of time."""
        self.engine = engine(self.tuned, log=ACTIVITY, now=now)
        for seen in _merged(self.logs):
            self.engine.learn(seen)
        self.engine.begin(now)
        self._check_at = now + CHECKED_EVERY
        self.append(*self.engine.take())

    def follow(self, arriving: Sequence[Arrival]) -> None:
        """Follow both logs for a while."""
        for one in arriving:
            while self._check_at <= one.at:
                self.look(self._check_at)
                if self.is_looked_after:
                    self._resolve_old(self._check_at)
                self.check(self._check_at)
                self._check_at += CHECKED_EVERY
            self.look(one.at)
            self.arrive(one.log, one.record)
            self.append(*self.engine.take())

    def look(self, now: datetime) -> None:
        """Find what is due."""
        self.engine.look(now)
        self.append(*self.engine.take())

    def _resolve_old(self, now: datetime) -> None:
        for alert in self.engine.open():
            if alert.at <= now - RESOLVED_AFTER:
                self.engine.resolve(alert.id, by="sam@example.com", reason="it was looked at", at=now)
        self.append(*self.engine.take())

    def check(self, now: datetime) -> None:
        """Record what was looked at."""
        checked = self.engine.checked(now)
        if checked is not None:
            self.append(checked)

    def append(self, *records: Record) -> None:
        """Append to its own log, and read it there."""
        for record in records:
            self.arrive(WhichLog.ACTIVITY, record)

    def arrive(self, log: WhichLog, record: Record) -> None:
        """A record is in its log, and is read."""
        self.logs[log].append(record)
        self.engine.learn(Seen(record, log, len(self.logs[log]) - 1))

    @property
    def raised(self) -> list[Record]:
        """All alerts, in the order of their log."""
        return [record for record in self.logs[WhichLog.ACTIVITY] if record.event == RAISED]

    @property
    def resolved(self) -> list[Record]:
        """The ends of alerts, in the order of their log."""
        return [record for record in self.logs[WhichLog.ACTIVITY] if record.event == RESOLVED]


def _merged(logs: Mapping[WhichLog, Sequence[Record]]) -> Iterator[Seen]:
    """Yield the records of both logs, each in its order, and the two as their times have it."""
    return heapq.merge(
        *(_seen(log, records) for log, records in logs.items()), key=lambda seen: seen.record.body["time"]
    )


def _seen(log: WhichLog, records: Sequence[Record]) -> Iterator[Seen]:
    return (Seen(record, log, index) for index, record in enumerate(records))

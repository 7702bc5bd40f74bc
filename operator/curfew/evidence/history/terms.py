"""By what a history is judged: what is late, how far clocks may differ, and from when to when each source speaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class UnreachableTime:
    """A time in which nothing could end access, because nobody could reach the API server. It does not count as late."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class JudgingTerms:
    """What a history is held to."""

    late: timedelta = timedelta(seconds=5)
    """An end that comes later is a breach of P1."""
    clocks: timedelta = timedelta(seconds=1)
    """How far the clocks of the API servers and the operator may differ."""
    patience: timedelta = timedelta(seconds=60)
    """How long after it is due a record may be missing, or a story open."""
    outages: Sequence[UnreachableTime] = ()

    def lateness(self, due: datetime, done: datetime) -> timedelta:
        """Return how late something was, without the outages in between."""
        excused = (max(timedelta(0), min(one.until, done) - max(one.since, due)) for one in self.outages)
        return done - due - sum(excused, timedelta(0))


@dataclass(frozen=True, slots=True)
class Reach:
    """From when to when a source speaks; None if there is no such source."""

    since: datetime
    until: datetime

    def covers(self, at: datetime, margin: timedelta = timedelta(0)) -> bool:
        """Whether the source speaks of a time, and of the margin after it."""
        return self.since <= at and at + margin <= self.until


@dataclass(frozen=True, slots=True)
class HistorySources:
    """What each source covers. What lies outside is not judged."""

    calls: Reach | None  # the API server's audit log
    watch: Reach | None
    trail: Reach | None
    begins_whole: bool  # the trail is there from its first record on

"""What a detector is."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, runtime_checkable

from curfew.core.detectors.alert import Alert, Resolution, Seen, WhichLog
from curfew.core.detectors.tuning import Tuned

__all__ = ["Detector", "Finding", "Hears", "Looks", "Tuned"]

Finding = Alert | Resolution


class Detector(Protocol):
    """A fold over the records of both logs. What it remembers has a bound, whatever the records hold.

    Records of one log come in the log's order, but the two logs are not in step, and a record may be old when it comes.
    """

    @property
    def name(self) -> str:
        """Its name in records, settings, Events, metrics and documentation, such as ManyRequests."""
        ...

    @property
    def events(self) -> frozenset[str]:
        """The names of the events that it learns from; it is given no others."""
        ...

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a record, and return what follows from it. A record that cannot be read teaches nothing."""
        ...


@runtime_checkable
class Looks(Protocol):
    """A detector that also finds what time alone shows, such as a deadline that has passed."""

    def look(self, now: datetime) -> Iterable[Finding]:
        """Return what follows from time alone. `now` never goes back. It is called often, so it is quick if nothing is due."""
        ...


@runtime_checkable
class Hears(Protocol):
    """A detector that also learns up to when a log was read, if it holds no records."""

    def heard(self, log: WhichLog, at: datetime) -> Iterable[Finding]:
        """Learn that a log was read to its end, which is as new as `at`."""
        ...

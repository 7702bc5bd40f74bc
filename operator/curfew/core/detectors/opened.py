"""Which alerts are open, and which records of alerts the log holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from curfew.core.detectors.alert import Alert, Severity
from curfew.core.detectors.records import ToldAlert
from curfew.core.remembered import MOST_KEYS, Remembered

MOST_IDS: Final = 2 * MOST_KEYS

_MOST_STALE: Final = 1000
"""How many ids are kept of alerts that had to go: to look for them at each new one would take longer the more are open."""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert that was raised, and that nothing has ended."""

    id: str
    detector: str
    key: str
    at: datetime
    severity: Severity
    title: str
    people: tuple[str, ...]
    is_silenced: bool = False

    @classmethod
    def of(cls, alert: Alert, id_: str, *, is_silenced: bool) -> "OpenAlert":
        """Return an alert as it is when it is raised."""
        known = alert.detector, alert.key, alert.at, alert.severity, alert.title, alert.people
        return cls(id_, *known, is_silenced=is_silenced)

    @classmethod
    def told(cls, alert: ToldAlert) -> "OpenAlert":
        """Return an alert as a record tells it."""
        known = alert.detector, alert.key, alert.at, alert.severity, alert.title, alert.people
        return cls(alert.id, *known, is_silenced=bool(alert.silenced_by))

    def gives_way_to(self, alert: Alert, *, is_silenced: bool) -> bool:
        """Whether another one of its key is raised although nothing has ended this one.

        It is if this one was quiet for long enough, or if it would hide more than itself: the other is graver, or nobody
        was told of this one and the other is not silenced.
        """
        was_quiet = alert.quiet is not None and alert.at >= self.at + alert.quiet
        return was_quiet or alert.severity > self.severity or (self.is_silenced and not is_silenced)


class OpenAlerts:
    """The alerts that are open, at most `MOST_KEYS`, and the ids of those that the log holds and of those it says are over."""

    def __init__(self) -> None:
        """Know no alert."""
        self._open: Remembered[tuple[str, str], OpenAlert] = Remembered()  # by detector and key
        self._keys: dict[str, tuple[str, str]] = {}  # by the id of an open alert
        self._raised: Remembered[str, None] = Remembered(MOST_IDS)
        self._resolved: Remembered[str, None] = Remembered(MOST_IDS)
        # Those that were closed, in the order of what happened.
        self._over: Remembered[str, None] = Remembered(MOST_IDS)

    def was_raised(self, id_: str) -> None:
        """The log holds an alert, or will."""
        self._raised[id_] = None

    def was_resolved(self, id_: str) -> None:
        """The log says, or will say, that an alert is over."""
        self._resolved[id_] = None

    def knows(self, id_: str) -> bool:
        """Whether the log holds an alert."""
        return id_ in self._raised

    def is_resolved(self, id_: str) -> bool:
        """Whether the log says that an alert is over."""
        return id_ in self._resolved

    def open(self, alert: OpenAlert) -> None:
        """Open an alert, instead of the one of its key; none that was closed, and none older than that one."""
        key = (alert.detector, alert.key)
        before = self._open.get(key)
        if alert.id in self._over:
            return
        if before is not None:
            if before.at > alert.at or before.id == alert.id:
                return
            self._keys.pop(before.id, None)
        self._open[key] = alert
        self._keys[alert.id] = key
        if len(self._keys) > len(self._open) + _MOST_STALE:  # the oldest had to go
            self._keys = {open_.id: place for place in self._open if (open_ := self._open.get(place)) is not None}

    def close(self, id_: str) -> None:
        """Close an alert; it is not opened again."""
        self._over[id_] = None
        before = self.by_id(id_)
        self._keys.pop(id_, None)
        if before is not None:
            self._open.pop((before.detector, before.key))

    def at(self, detector: str, key: str) -> OpenAlert | None:
        """Return the open alert of a detector and a key, or None."""
        return self._open.get((detector, key))

    def by_id(self, id_: str) -> OpenAlert | None:
        """Return an open alert by its id, or None."""
        key = self._keys.get(id_)
        alert = self._open.get(key) if key is not None else None
        return alert if alert is not None and alert.id == id_ else None

    def all(self) -> tuple[OpenAlert, ...]:
        """Return the alerts that are open, the oldest first."""
        return tuple(alert for key in self._open if (alert := self._open.get(key)) is not None)

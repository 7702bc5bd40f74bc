"""Reports alerts whose records are durable: an Event, a number, a notification; each once.

The record comes first, so a report that was not made before a kill is made after the next start. The Event's name follows
from the alert, and a notification that was sent has a record, so nothing is reported twice.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from curfew.audit.record import Record
from curfew.core.detectors.notice import about_alert
from curfew.core.detectors.records import RAISED, ToldAlert, told
from curfew.core.notices import Notice
from curfew.core.remembered import Remembered
from curfew.ports import Clock

log = structlog.get_logger("curfew")

MOST_REPORTED = 100_000
"""How many alerts are remembered as reported."""


class AlertNumbers(Protocol):
    """Counts alerts."""

    def alert(self, detector: str, severity: str, *, is_silenced: bool) -> None:
        """Count an alert."""
        ...

    def alert_recorded(self, seconds: float) -> None:
        """Record how long it took from the cause of an alert until its record was durable."""
        ...


class EventPoster(Protocol):
    """Posts Events in the background."""

    @property
    def is_idle(self) -> bool:
        """Whether all that was handed over is posted, or given up."""
        ...

    def post(self, notice: Notice) -> None:
        """Queue a notice. It never fails."""
        ...


class Alerting:
    """Takes the records that became durable, and reports the alerts among them."""

    def __init__(
        self,
        events: EventPoster,
        clock: Clock,
        numbers: AlertNumbers,
        *,
        home: str,
        is_silenced: Callable[[ToldAlert], bool],
        notify: Callable[[Record], None],
    ) -> None:
        """`home` is Curfew's own namespace. `is_silenced` tells of alerts that no detector has raised, whose records do not.

        `notify` is called with the record of each alert that is not silenced, once.
        """
        self._events = events
        self._clock = clock
        self._numbers = numbers
        self._home = home
        self._is_silenced = is_silenced
        self._notify = notify
        self._reported: Remembered[str, None] = Remembered(MOST_REPORTED)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be reported."""
        return self._events.is_idle

    def durable(self, records: Sequence[Record]) -> None:
        """Report the alerts among records that have just become durable."""
        now = self._clock.now()
        for record in records:
            if (alert := told(record)) is not None and self._report(record, alert):
                self._numbers.alert_recorded((now - alert.at).total_seconds())

    def again(self, record: Record, *, is_new: bool) -> None:
        """Report an alert that the log held at the start, unless this process has reported it.

        If it is not new, only its notification may be missing.
        """
        if (alert := told(record)) is not None:
            self._report(record, alert, is_new=is_new)

    def _report(self, record: Record, alert: ToldAlert, *, is_new: bool = True) -> bool:
        """Report an alert. Return whether it was the first time."""
        if alert.id in self._reported:
            return False
        self._reported[alert.id] = None
        is_silenced = bool(alert.silenced_by) or (record.event != RAISED and self._is_silenced(alert))
        if not is_silenced:
            self._notify(record)
        if not is_new:
            return True
        self._numbers.alert(alert.detector, alert.severity.name.capitalize(), is_silenced=is_silenced)
        log.warning("alert", detector=alert.detector, alert=alert.id, request=record.subject, is_silenced=is_silenced)
        if not is_silenced:
            self._events.post(about_alert(alert, self._home))
        return True

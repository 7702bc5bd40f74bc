"""AuditGap: for some time, a log was not written, or the feed of audit events was not known to be whole.

The pace of the feed is learnt from its own records: each confirmation tells how long the one before was ago. A log that is
silent holds no record that shows it; so `heard` is to be called whenever a log was read to its end.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration, in_utc
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity, WhichLog
from curfew.core.detectors.deadlines import Deadlines
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import detail, number, text, time
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "AuditGap"
_CONFIRMED, _LOST, _RECOVERED = "coverage.confirmed", "coverage.lost", "audit.sink_recovered"
_FEED: Final = "feed"
_LONGEST_PACE: Final = timedelta(days=1)


class AuditGapSettings(DetectorSettings):
    """How long a silence is a gap."""

    heartbeat: Span = timedelta(seconds=60)
    """How often a log is written, and the feed is confirmed: `audit.heartbeat` and `coverage.every`, the longer one."""
    heartbeats: int = Field(default=2, ge=1, le=1000)
    """How many of them may be missing."""


class AuditGap:
    """Watches the feed and both logs. An alert ends as soon as the feed is confirmed, or the log is heard, again."""

    name = NAME
    events = frozenset({_CONFIRMED, _LOST, _RECOVERED})

    def __init__(self, tuned: Tuned[AuditGapSettings]) -> None:
        """Know the settings, and nothing of the logs."""
        self._settings = tuned.usual
        self._silent: Deadlines[str, tuple[datetime, Seen | None]] = Deadlines(3)  # the last sign of each
        self._heard: dict[WhichLog, datetime] = {}
        self._confirmed_until: datetime | None = None

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn that the feed is whole or is not, or that a log can be written again."""
        match seen.record.event:
            case "coverage.confirmed":
                return self._confirm(seen)
            case "coverage.lost":
                return self._lose(seen)
            case _:
                return self._recover(seen)

    def heard(self, log: WhichLog, at: datetime) -> Iterable[Finding]:
        """Learn that a log was written at a time, with or without records. It is silent from then on."""
        last = self._heard.get(log)
        if last is not None and at <= last:
            return  # nothing was written since then
        self._heard[log] = at
        key = f"silent/{log}"
        self._silent.set(key, at + self._limit, (at, None))
        yield Resolution(NAME, key, at, f"the {log} log is written again")

    def look(self, now: datetime) -> Iterable[Finding]:
        """Return the alerts about what was silent for too long."""
        for at, key, (last, shown) in self._silent.due(now):
            yield self._alert(
                key,
                at,
                f"{_what(key)} since {in_utc(last)}",
                evidence=(Evidence.of(shown),) if shown is not None else (),
            )

    @property
    def _limit(self) -> timedelta:
        return self._settings.heartbeat * self._settings.heartbeats

    def _confirm(self, seen: Seen) -> Iterable[Finding]:
        told = detail(seen.record)
        since, until = time(told, "since"), time(told, "until")
        if since is None or until is None or until <= since:
            return
        if self._confirmed_until is not None and until <= self._confirmed_until:
            return
        self._confirmed_until = until
        # By the times of records alone: the time at which they arrive is another one after a restart.
        pace = min(until - since, _LONGEST_PACE) * self._settings.heartbeats
        self._silent.set(_FEED, until + max(self._limit, pace), (until, seen))
        yield Resolution(NAME, _FEED, seen.at, f"the feed is whole again up to {in_utc(until)}", seen)

    def _lose(self, seen: Seen) -> Iterable[Finding]:
        told = detail(seen.record)
        since = time(told, "since") or seen.at
        if seen.at - since < self._limit:
            return
        self._silent.cancel(_FEED)
        why = text(told, "why")
        yield self._alert(
            _FEED,
            seen.at,
            f"the feed of audit events is not known to be whole from {in_utc(since)} to {in_utc(seen.at)}"
            + (f": {why}" if why else ""),
            trigger=seen,
            evidence=(Evidence.of(seen),),
        )

    def _recover(self, seen: Seen) -> Iterable[Finding]:
        """Return an alert that is over already: an outage is recorded when it has ended."""
        length = timedelta(seconds=min(number(detail(seen.record), "seconds"), 10**9))
        if length < self._limit:
            return
        key = f"store/{seen.log}"
        message = f"nothing could be written to the {seen.log} log for {duration(length)}, until {in_utc(seen.at)}"
        yield self._alert(key, seen.at, message, trigger=seen, evidence=(Evidence.of(seen),))
        yield Resolution(NAME, key, seen.at, "the log can be written again", seen)

    def _alert(
        self, key: str, at: datetime, message: str, *, evidence: tuple[Evidence, ...], trigger: Seen | None = None
    ) -> Alert:
        return Alert(
            detector=NAME,
            key=key,
            at=at,
            severity=Severity.HIGH,
            title="There is a gap in what is recorded",
            message=message,
            trigger=trigger,
            evidence=evidence,
            values={"limit_seconds": self._limit // timedelta(seconds=1)},
        )


def _what(key: str) -> str:
    if key == _FEED:
        return "no round of test calls has confirmed the feed of audit events"
    return f"the {key.removeprefix('silent/')} log was not written, not even an empty segment,"

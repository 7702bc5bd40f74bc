"""What became of alerts, as the log of activity has it: open, resolved by the facts or by a person, or silenced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from curfew.audit.record import CURFEW, Record
from curfew.core.detectors.records import RESOLVED, SILENCED, ToldAlert, told
from curfew.core.detectors.silences import AlertSilence, silence_of


class AlertState(StrEnum):
    """What became of an alert."""

    OPEN = "Open"
    SILENCED = "Silenced"  # open, and nobody was told
    RESOLVED = "Resolved"


@dataclass(frozen=True, slots=True)
class AlertEnd:
    """How an alert ended."""

    at: datetime
    why: str  # a sentence
    by: str  # the person who resolved it; empty if the facts did
    reason: str  # of that person


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """An alert of the log, with what became of it."""

    alert: ToldAlert
    index: int  # of its record in the log of activity
    end: AlertEnd | None
    silence: AlertSilence | None  # that covered it when it was raised

    @property
    def state(self) -> AlertState:
        """What became of it."""
        if self.end is not None:
            return AlertState.RESOLVED
        return AlertState.SILENCED if self.alert.silenced_by else AlertState.OPEN

    def to_json(self) -> dict[str, Any]:
        """Return what is known, for programs. Times are in UTC."""
        alert, end, silence = self.alert, self.end, self.silence
        shown: dict[str, Any] = {
            "id": alert.id,
            "index": self.index,
            "at": alert.at.isoformat(),
            "detector": alert.detector,
            "severity": alert.severity.name.capitalize(),
            "state": str(self.state),
            "title": alert.title,
            "message": alert.message,
            "people": list(alert.people),
            "namespace": alert.namespace,
            "policy": alert.policy,
            "request": alert.story.request if alert.story is not None else "",
            "evidence": [{"log": str(one.log), "index": one.index} for one in alert.evidence],
            "values": dict(alert.values),
        }
        if end is not None:
            shown["end"] = {"at": end.at.isoformat(), "why": end.why, "by": end.by, "reason": end.reason}
        if silence is not None:
            shown["silence"] = {"name": silence.name, "by": silence.by, "reason": silence.reason}
        return shown


class AlertHistory:
    """The alerts of a log of activity. Learn its records in order; memory grows with the alerts."""

    def __init__(self) -> None:
        """Know no alert."""
        self._alerts: dict[str, tuple[int, ToldAlert]] = {}
        self._ends: dict[str, AlertEnd] = {}
        self._silences: dict[str, AlertSilence] = {}

    def learn(self, index: int, record: Record) -> None:
        """Learn a record. One that cannot be read teaches nothing."""
        if record.event == RESOLVED:
            detail = record.block.get("detail")
            if isinstance(detail, Mapping) and type(alert := detail.get("alert")) is str:
                actor = str(record.block.get("actor", ""))
                by = actor if actor != CURFEW else ""
                self._ends[alert] = AlertEnd(record.at, str(detail.get("why", "")), by, str(detail.get("reason", "")))
        elif record.event == SILENCED:
            if (silence := silence_of(record)) is not None:
                self._silences[silence.uid] = silence
        elif (found := told(record)) is not None:
            self._alerts[found.id] = index, found

    def all(self) -> Iterator[KnownAlert]:
        """Yield the alerts in the order of the log."""
        for id_, (index, alert) in self._alerts.items():
            yield KnownAlert(alert, index, self._ends.get(id_), self._silences.get(alert.silenced_by))

"""The records of alerts, silences and of what the detectors did; and how they are read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from curfew.api.times import format_time, parse_time
from curfew.audit.event_type import RAISE, OcsfClass
from curfew.audit.finding_info import FindingInfo
from curfew.audit.record import CURFEW, Record, RecordRefused, Story, make_record, record_id
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Evidence, Severity, WhichLog

RAISED: Final = "alert.raised"
RESOLVED: Final = "alert.resolved"
SILENCED: Final = "alert.silenced"
SILENCE_ENDED: Final = "alert.silence_ended"
CHECKED: Final = "detection.checked"
CONFIGURED: Final = "detection.configured"

MOST_EVIDENCE: Final = 50
"""How many records of its evidence an alert names: the first and the newest ones."""

MOST_PEOPLE: Final = 20
LONGEST_VALUE: Final = 512

OTHERS: Final = {
    "alert.used_after_end": "UsedAfterEnd",
    "alert.stream_open_at_end": "StreamOpenAtEnd",
    "alert.audit_id_reused": "AuditIDReused",
    "alert.binding_name_reused": "BindingNameReused",
    "alert.pod_not_deleted": "PodNotDeleted",
}
"""The alerts that the monitor records while it takes calls, and the names that they have as detectors have theirs."""


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """An alert, as its record has it: of a detector, or one that the monitor recorded while it took calls."""

    id: str
    detector: str
    key: str
    severity: Severity
    title: str
    message: str
    at: datetime
    people: tuple[str, ...]
    namespace: str
    policy: str
    story: Story | None
    evidence: tuple[Evidence, ...] = ()
    values: Mapping[str, int | str] = field(default_factory=dict)
    silenced_by: str = ""  # the UID of the silence; empty: it is to be delivered


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where the detectors have looked: at the time, and at how many records of each log."""

    until: datetime
    trail: int
    activity: int

    def of(self, log: WhichLog) -> int:
        """Return the index of the first record of a log that was not looked at."""
        return self.trail if log is WhichLog.TRAIL else self.activity


def alert_id(alert: Alert, log: str) -> str:
    """Return the id of an alert, which is that of its record. `log` is the id of the log of activity."""
    cause = alert.trigger.record.id if alert.trigger is not None else format_time(alert.at)
    return record_id(_subject(alert, log), RAISED, _qualifier(alert, cause))


def raised(alert: Alert, log: str, *, silenced_by: str = "") -> Record:
    """Return the record of an alert. `silenced_by` is the UID of the silence that covers it."""
    id_ = alert_id(alert, log)
    cause = alert.trigger.record.id if alert.trigger is not None else format_time(alert.at)
    values = {name: value[:LONGEST_VALUE] if isinstance(value, str) else value for name, value in alert.values.items()}
    detail: dict[str, Any] = {
        "detector": alert.detector,
        "key": alert.key,
        "severity": alert.severity.name.capitalize(),
        "evidence": [{"log": str(one.log), "index": one.index} for one in _bounded(alert.evidence)],
        "people": list(alert.people[:MOST_PEOPLE]),
        "namespace": alert.namespace,
        "policy": alert.policy,
        "values": values,
        "silenced_by": silenced_by,
    }
    return make_record(
        RAISED,
        at=alert.at,
        actor=CURFEW,
        message=alert.message,
        story=alert.story,
        subject=_subject(alert, log),
        qualifier=_qualifier(alert, cause),
        detail={name: value for name, value in detail.items() if value not in ("", [], {})},
        finding=FindingInfo(id_, alert.title, alert.detector, int(alert.severity)),
    )


def resolved(
    log: str,
    alert: str,
    *,
    detector: str,
    key: str,
    title: str,
    people: Sequence[str] = (),
    at: datetime,
    why: str,
    by: str = CURFEW,
    reason: str = "",
) -> Record:
    """Return the record of the end of an alert, by its id. `by` is the person who resolved it, if it was one."""
    detail = {
        "alert": alert,
        "detector": detector,
        "key": key,
        "people": list(people),
        "why": why,
        "reason": reason,
    }
    return make_record(
        RESOLVED,
        at=at,
        actor=by,
        message=f"{title}: resolved: {why}",
        subject=log,
        qualifier=alert,
        detail={name: value for name, value in detail.items() if value not in ("", [])},
        finding=FindingInfo(alert, title, detector),
    )


def checked(log: str, position: Position, *, at: datetime) -> Record:
    """Return the record of what was looked at. Every alert that follows from it is in the log before this record."""
    until = format_time(position.until)
    return make_record(
        CHECKED,
        at=at,
        actor=CURFEW,
        message=f"The detectors have looked at {position.trail} records of the trail, at {position.activity} of the log of "
        f"activity, and at the time up to {until}.",
        subject=log,
        qualifier=f"{position.trail}/{position.activity}/{until}",
        detail={"until": until, "trail": position.trail, "activity": position.activity},
    )


def position_of(record: Record) -> Position:
    """Return what a record `detection.checked` has. Raise KeyError, TypeError or ValueError for one that cannot be read."""
    detail = record.block["detail"]
    trail, activity = detail["trail"], detail["activity"]
    if type(trail) is not int or type(activity) is not int:
        raise TypeError("the places in the logs are whole numbers")
    return Position(parse_time(detail["until"]), trail, activity)


def configured(
    log: str,
    *,
    detectors: Mapping[str, Mapping[str, Any]],
    policies: Mapping[str, Mapping[str, Mapping[str, Any]]],
    off: Sequence[str],
    changed: Sequence[str],
    at: datetime,
) -> Record:
    """Return the record of the detectors' settings, which holds no fractions.

    `policies` are the settings for single policies, by NAMESPACE/NAME and then by detector. `changed` are the detectors
    whose settings are not those of the last record; empty for the first record of a log.
    """
    first = "The detectors are set up."
    return make_record(
        CONFIGURED,
        at=at,
        actor=CURFEW,
        message=f"The settings of the detectors were changed: {', '.join(changed)}" if changed else first,
        subject=log,
        qualifier=format_time(at),
        detail={"detectors": dict(detectors), "policies": dict(policies), "off": list(off), "changed": list(changed)},
    )


def told(record: Record) -> ToldAlert | None:
    """Read an alert back from its record; None for any other record, and for one that cannot be read."""
    if record.body.get("class_uid") != OcsfClass.DETECTION_FINDING or record.body.get("activity_id") != RAISE:
        return None
    try:
        return _raised(record) if record.event == RAISED else _other(record)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def _raised(record: Record) -> ToldAlert:
    detail, info = record.block["detail"], record.body["finding_info"]
    return ToldAlert(
        id=record.id,
        detector=_text(detail["detector"]),
        key=_text(detail["key"]),
        severity=Severity[_text(detail["severity"]).upper()],
        title=_text(info["title"]),
        message=record.message,
        at=record.at,
        people=tuple(map(_text, detail.get("people", ()))),
        namespace=_text(detail.get("namespace", "")),
        policy=_text(detail.get("policy", "")),
        story=_story(record),
        evidence=tuple(Evidence(WhichLog(one["log"]), _whole(one["index"]), "") for one in detail.get("evidence", ())),
        values={_text(name): value for name, value in detail.get("values", {}).items() if type(value) in (int, str)},
        silenced_by=_text(detail.get("silenced_by", "")),
    )


def _other(record: Record) -> ToldAlert:
    detector, story, actor = OTHERS[record.event], _story(record), _text(record.block["actor"])
    requester = story.requester if story is not None else None
    people = dict.fromkeys(name for name in (requester, actor) if name and name != CURFEW)
    detail = record.block.get("detail", {})
    return ToldAlert(
        id=record.id,
        detector=detector,
        key=record.subject,
        severity=Severity(min(max(record.body["severity_id"], Severity.LOW), Severity.CRITICAL)),
        title=_text(record.body["finding_info"]["title"]),
        message=record.message,
        at=record.at,
        people=tuple(people),
        namespace=story.namespace if story is not None else _text(detail.get("namespace", "")),
        policy=policy_of(story),
        story=story,
    )


def _subject(alert: Alert, log: str) -> str:
    return alert.story.uid if alert.story is not None else log


def _qualifier(alert: Alert, cause: str) -> str:
    return f"{alert.detector}/{alert.key}/{cause}"


def _bounded(evidence: Sequence[Evidence]) -> Sequence[Evidence]:
    if len(evidence) <= MOST_EVIDENCE:
        return evidence
    return (*evidence[:10], *evidence[-(MOST_EVIDENCE - 10) :])


def _story(record: Record) -> Story | None:
    try:
        return Story.of(record)
    except RecordRefused:
        return None


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"a text was expected, not a {type(value).__name__}")
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number was expected, not a {type(value).__name__}")
    return value

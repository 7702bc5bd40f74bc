"""Silences: alerts that a person does not want to be told of for a while. They are recorded all the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from curfew.api.characters import person
from curfew.api.times import format_time, parse_time
from curfew.audit.finding_info import FindingInfo
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.detectors.alert import Alert
from curfew.core.detectors.records import SILENCE_ENDED, SILENCED, ToldAlert
from curfew.core.remembered import Remembered

MOST_SILENCES: Final = 10_000

_TITLE: Final = "Alerts are silenced"


LONGEST_SILENCE: Final = timedelta(days=90)

_same: Final = lru_cache(maxsize=MOST_SILENCES)(person)


def is_about(people: Iterable[str], who: str) -> bool:
    """Whether somebody is among the people that an alert is about, however their name is spelt."""
    return _same(who) in map(_same, people)


@dataclass(frozen=True, slots=True)
class AlertSilence:
    """What a silence covers: alerts that fit everything that is given. An empty text is not given."""

    uid: str
    name: str
    ends_at: datetime
    reason: str
    by: str
    detector: str = ""
    person: str = ""
    namespace: str = ""
    policy: str = ""  # its name in that namespace

    def covers(self, alert: Alert | ToldAlert) -> bool:
        """Whether an alert is silenced, as far as it goes by what it is about. Nobody silences alerts about themselves."""
        return (
            self.detector in ("", alert.detector)
            and (not self.person or self.person in alert.people)
            and self.namespace in ("", alert.namespace)
            and self.policy in ("", alert.policy)
            and not is_about(alert.people, self.by)
        )

    def __str__(self) -> str:
        """Return what it covers, in words."""
        about = [f"about {self.person}"] if self.person else []
        place = [f"in {self.namespace}"] if self.namespace else []
        policy = [f"under policy {self.policy}"] if self.policy else []
        return " ".join([f"alerts of {self.detector}" if self.detector else "alerts", *about, *policy, *place])


class Silences:
    """The silences that hold, by what the log of activity tells."""

    def __init__(self) -> None:
        """Know no silence."""
        self._known: Remembered[str, AlertSilence] = Remembered(MOST_SILENCES)

    def learn(self, record: Record) -> None:
        """Learn a record; one that cannot be read teaches nothing."""
        if record.event == SILENCED and (silence := silence_of(record)) is not None:
            self._known[silence.uid] = silence
        elif record.event == SILENCE_ENDED and isinstance(detail := record.block.get("detail"), dict):
            self._known.pop(str(detail.get("silence")))

    def covering(self, alert: Alert | ToldAlert) -> AlertSilence | None:
        """Return the silence that covers an alert, or None."""
        return next((one for one in self.all() if alert.at < one.ends_at and one.covers(alert)), None)

    def all(self) -> tuple[AlertSilence, ...]:
        """Return the silences that no record has ended, the oldest first."""
        known = (self._known.get(uid) for uid in self._known)
        return tuple(silence for silence in known if silence is not None)


def silenced(silence: AlertSilence, log: str, *, at: datetime) -> Record:
    """Return the record of a silence. `log` is the id of the log of activity."""
    detail = {
        "silence": silence.uid,
        "name": silence.name,
        "detector": silence.detector,
        "person": silence.person,
        "policy": silence.policy,
        "namespace": silence.namespace,
        "reason": silence.reason,
        "ends_at": format_time(silence.ends_at),
    }
    return make_record(
        SILENCED,
        at=at,
        actor=silence.by,
        message=f"{silence.by} silenced {silence} until {format_time(silence.ends_at)}: {silence.reason}",
        subject=log,
        qualifier=silence.uid,
        detail={name: value for name, value in detail.items() if value},
        finding=FindingInfo(silence.uid, _TITLE),
    )


def silence_ended(silence: AlertSilence, log: str, *, at: datetime, why: str, by: str = CURFEW) -> Record:
    """Return the record of the end of a silence. `why` is a sentence; `by` is the person who removed it, if it was one."""
    return make_record(
        SILENCE_ENDED,
        at=at,
        actor=by,
        message=f"silence {silence.name} is over: {why}",
        subject=log,
        qualifier=silence.uid,
        detail={"silence": silence.uid, "name": silence.name, "why": why},
        finding=FindingInfo(silence.uid, _TITLE),
    )


def silence_of(record: Record) -> AlertSilence | None:
    """Read a silence back from its record `alert.silenced`, or return None."""
    detail = record.block.get("detail")
    if not isinstance(detail, dict):
        return None
    names = ("silence", "name", "reason", "detector", "person", "namespace", "policy")
    known = {name: detail.get(name, "") for name in names}
    if not all(type(value) is str for value in known.values()) or not known["silence"]:
        return None
    try:
        ends_at = parse_time(detail["ends_at"])
    except (KeyError, TypeError, ValueError):
        return None
    uid = known.pop("silence")
    return AlertSilence(uid=uid, ends_at=ends_at, by=str(record.block["actor"]), **known)

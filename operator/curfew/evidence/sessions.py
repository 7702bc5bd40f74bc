"""What was done with the grants of a period: the answer for each, why some are unknown, what is left behind, and alerts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from curfew.api.activity import COUNTS, Activity, Changes
from curfew.audit.event_type import OcsfClass
from curfew.audit.events import EVENTS
from curfew.audit.record import Record
from curfew.evidence.grants import Mention, ReviewedGrant
from curfew.evidence.period import Period
from curfew.evidence.tables import Row, rfc3339


class WhyUnknown(StrEnum):
    """Why it is not known whether anything was changed. One session can have several reasons."""

    NOT_ANNOUNCED = "the trail does not announce the grant, so no call can be tied to it"
    FEED = "the feed of audit events is not known to have been whole"
    OPAQUE = "a connection whose content nobody sees: exec, attach, port-forward, a proxy"
    STREAM = "a stream was still open"
    OTHER = "another reason, which its row names"


@dataclass(frozen=True, slots=True)
class GrantAnswer:
    """What was done with one grant, computed again from both logs."""

    grant: ReviewedGrant
    answer: Activity
    holes: int  # times in which the feed is not known to have been whole
    open_streams: int
    recorded: Activity | None  # as the monitor recorded it last
    recorded_in: int | None  # the index of that record in the log of activity
    differs: tuple[str, ...]  # the fields in which the recorded answer differs
    remains: tuple[str, ...]  # what is left behind, each as a clause
    is_announced: bool = True

    @property
    def why(self) -> tuple[WhyUnknown, ...]:
        """Why it is not known whether anything was changed; empty if it is known."""
        if self.answer.changes is not Changes.UNKNOWN:
            return ()
        if not self.is_announced:
            return (WhyUnknown.NOT_ANNOUNCED,)
        found = (
            (WhyUnknown.FEED, self.holes),
            (WhyUnknown.OPAQUE, self.answer.opaque),
            (WhyUnknown.STREAM, self.open_streams),
        )
        return tuple(why for why, number in found if number) or (WhyUnknown.OTHER,)


@dataclass(frozen=True, slots=True)
class SessionAlert:
    """An alert in the log of activity, about a request or about none that is known."""

    record: Mention
    message: str
    subject: str
    request: str  # NAMESPACE/NAME


@dataclass(frozen=True)
class SessionFigures:
    """The numbers of the section on sessions."""

    log: str
    location: str
    key: str
    root: str
    size: int  # how many records the log of activity has
    answers: Sequence[GrantAnswer]  # one for each grant that was in force in the period
    outcomes: Mapping[str, int]  # calls tied to these grants, by outcome
    others: int  # calls tied to other grants
    alerts: Sequence[SessionAlert]
    records: int  # records of calls in the log of activity

    @cached_property
    def by_changes(self) -> Counter[Changes]:
        """Grants by answer. Their sum is the number of grants."""
        return Counter(one.answer.changes for one in self.answers)

    @cached_property
    def by_why(self) -> Counter[WhyUnknown]:
        """Unknown answers by reason. A grant with two reasons is in both."""
        return Counter(why for one in self.answers for why in one.why)

    @cached_property
    def opaque(self) -> tuple[GrantAnswer, ...]:
        """The grants with connections whose content nobody sees."""
        return tuple(one for one in self.answers if one.answer.opaque)

    @cached_property
    def leaving(self) -> tuple[GrantAnswer, ...]:
        """The grants that left something behind."""
        return tuple(one for one in self.answers if one.remains)

    @cached_property
    def differing(self) -> tuple[GrantAnswer, ...]:
        """The grants whose recorded answer differs."""
        return tuple(one for one in self.answers if one.differs)

    @cached_property
    def calls(self) -> int:
        """Calls tied to the grants of the period."""
        return sum(self.outcomes.values())

    @cached_property
    def by_alert(self) -> Counter[str]:
        """Alerts by event."""
        return Counter(one.record.event for one in self.alerts)

    @property
    def is_whole(self) -> bool:
        """Whether the parts are the whole: every call record is counted once, and every grant has one answer."""
        return self.calls + self.others == self.records and sum(self.by_changes.values()) == len(self.answers)


class SessionLedger:
    """Takes the records of a log of activity, in order, and keeps what the section on sessions needs."""

    def __init__(self, period: Period, uids: frozenset[str]) -> None:
        """`uids` are those of the requests whose grants were in force in the period."""
        self.outcomes: Counter[str] = Counter()
        self.alerts: list[SessionAlert] = []
        self.others = self.records = 0
        self._period = period
        self._uids = uids

    def take(self, index: int, record: Record, outcome: str | None) -> None:
        """Take a record. `outcome` is that of a call that has ended; None for any other record."""
        kind = EVENTS.get(record.event)
        if outcome is not None:
            self.records += 1
            if record.subject in self._uids:
                self.outcomes[outcome] += 1
            else:
                self.others += 1
        elif kind is not None and kind.ocsf_class is OcsfClass.DETECTION_FINDING:
            self._alert(index, record)

    def _alert(self, index: int, record: Record) -> None:
        if record.subject not in self._uids and not self._period.has(record.at):
            return
        told = record.block.get("story")
        story: Mapping[str, object] = told if isinstance(told, Mapping) else {}
        request = f"{story.get('namespace', '')}/{story['request']}" if "request" in story else ""
        mention = Mention(index, record.id, record.event, record.at)
        self.alerts.append(SessionAlert(mention, record.message, record.subject, request))


ANSWER_COLUMNS = (
    "index",
    "request_uid",
    "requester",
    "role",
    "namespace",
    "request",
    "began_at",
    "ended_at",
    "changes",
    "final",
    "reasons",
    "summary",
    *COUNTS,
    "sensitive",
    "sources",
    "first_use",
    "last_use",
    "remains",
    "recorded",
    "recorded_in",
    "differs",
)
"""The columns of the sessions. `index` is that of the grant.activated record in the trail; `recorded_in` is an index in the
log of activity."""


def answer_row(one: GrantAnswer) -> Row:
    """Return the answer for a grant as a row."""
    answer, story = one.answer, one.grant.story
    return {
        "index": one.grant.activated.index,
        "request_uid": story.uid,
        "requester": story.requester,
        "role": one.grant.role,
        "namespace": story.namespace,
        "request": story.request,
        "began_at": rfc3339(one.grant.began_at),
        "ended_at": rfc3339(one.grant.ended_at),
        "changes": str(answer.changes),
        "final": "yes" if answer.final else "no",
        "reasons": "; ".join(answer.reasons),
        "summary": answer.summary,
        **{name: getattr(answer, name) for name in COUNTS},
        "sensitive": " ".join(answer.sensitive),
        "sources": " ".join(answer.sources),
        "first_use": rfc3339(answer.first_at),
        "last_use": rfc3339(answer.last_at),
        "remains": "; ".join(one.remains),
        "recorded": str(one.recorded.changes) if one.recorded is not None else None,
        "recorded_in": one.recorded_in,
        "differs": " ".join(one.differs),
    }


ALERT_COLUMNS = ("index", "id", "event", "at", "what", "request", "request_uid")
"""The columns of the alerts. `index` and `id` are of the log of activity."""


def alert_row(alert: SessionAlert) -> Row:
    """Return an alert as a row."""
    return {
        "index": alert.record.index,
        "id": alert.record.id,
        "event": alert.record.event,
        "at": rfc3339(alert.record.at),
        "what": alert.message,
        "request": alert.request,
        "request_uid": alert.subject,
    }


def unknown_answer(at: datetime) -> Activity:
    """Return the answer for a grant that the trail does not announce."""
    return Activity(changes=Changes.UNKNOWN, summary=f"Not known: {WhyUnknown.NOT_ANNOUNCED}.", reasons=(), as_of=at)

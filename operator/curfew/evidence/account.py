"""What a log shows about a period, gathered record by record.

Memory grows with the grants, decisions and unusual events of the period, not with the log: the story of a request that was
over before the period is dropped when its last record is read.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import Segment
from curfew.evidence.cases import Case, detail_of, effect_of
from curfew.evidence.grants import Mention, ReviewedDecision, ReviewedGrant
from curfew.evidence.period import Period
from curfew.evidence.refusals import Refusals

HEARTBEAT = timedelta(seconds=60)
"""How often a silent log shows a sign of life, unless the operator's settings say otherwise (audit.heartbeat)."""

MISSED = 3
"""How many signs of life must be missing before a silence is an exception: one may be late."""

REVIEW_WITHIN = timedelta(hours=24)
"""How soon after the glass was broken somebody else has to have reviewed that."""


@dataclass(frozen=True, slots=True)
class Happening:
    """A record that is not just a step of an ordinary request. `detail` is specific to its event."""

    record: Mention
    actor: str
    message: str
    detail: Mapping[str, Any]
    namespace: str = ""
    request: str = ""
    requester: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without a segment: the segments around it, and the last record before and the first after it, if known."""

    since: datetime
    until: datetime
    before: int
    after: int
    records: tuple[Mention, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What a log shows about a period."""

    log: str
    period: Period
    first_at: datetime | None  # when the log's first and last segments were sealed; None for a log without any
    last_at: datetime | None
    first: Mention | None  # the log's first and last records
    last: Mention | None
    segments: int  # sealed in the period
    heartbeats: int  # of these, without records
    events: Mapping[str, int]  # records of the period, by event
    phases: Mapping[str, int]  # requests made in the period, by how they ended; without Curfew's self-test
    counted: Mapping[str, int]  # requests of the period that were refused and have no records of their own, by reason
    is_count_exact: bool  # False: more requests may have been refused
    self_tests: int  # requests that Curfew made in the period to test its admission policies
    grants: tuple[ReviewedGrant, ...]  # all grants that may have to be judged in the period, in the order of the log
    decisions: tuple[ReviewedDecision, ...]  # in the period
    happenings: tuple[Happening, ...]  # in the period
    attestations: tuple[Happening, ...]  # in the period, and the last one before the period
    longest_allowed: timedelta  # a longer silence is a gap
    gaps: tuple[Gap, ...]  # those that touch the period
    longest_silence: timedelta | None  # between two segments of the period
    unread: tuple[int, ...]  # indexes of lines that this version cannot read

    @property
    def population(self) -> tuple[ReviewedGrant, ...]:
        """The grants that were in force at any time in the period."""
        forever = self.period.end  # a grant without an end in the log is in force
        return tuple(one for one in self.grants if self.period.touches(one.began_at, one.ended_at or forever))

    @property
    def began(self) -> tuple[ReviewedGrant, ...]:
        """The grants that began in the period."""
        return tuple(one for one in self.grants if self.period.has(one.began_at))

    @property
    def asked(self) -> int:
        """How many requests were made in the period, with records of their own or without."""
        return sum(self.phases.values()) + sum(self.counted.values())

    @property
    def records(self) -> int:
        """How many records the period has."""
        return sum(self.events.values())


class Ledger:
    """Takes the segments of a verified log, in order, and keeps what a report needs."""

    def __init__(self, log: str, period: Period, heartbeat: timedelta = HEARTBEAT) -> None:
        """`heartbeat` is how often the log shows a sign of life when nothing happens."""
        self._log = log
        self._longest_allowed = MISSED * heartbeat
        self._period = period
        self._cases: dict[str, Case] = {}
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None
        self._last_seq = -1
        self._first: Mention | None = None
        self._last: Mention | None = None
        self._segments = self._heartbeats = 0
        self._events: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()  # how the forgotten requests ended
        self._counted: Counter[str] = Counter()  # by reason: refused, without records of their own
        self._is_count_exact = True
        self._decisions: list[ReviewedDecision] = []
        self._happenings: list[Happening] = []
        self._attestations: list[Happening] = []
        self._gaps: list[Gap] = []
        self._is_gap_open = False  # the first record after the last gap has not come yet
        self._longest: timedelta | None = None
        self._unread: list[int] = []

    @property
    def period(self) -> Period:
        """The period that it keeps."""
        return self._period

    def take(self, segment: Segment) -> None:
        """Take the next segment."""
        self._take_time(segment)
        for index, body in enumerate(segment.bodies, segment.first):
            try:
                record = Record.parse(body)
            except RecordRefused:
                self._unread.append(index)
                continue
            self._take(index, record)

    def _take_time(self, segment: Segment) -> None:
        period, before = self._period, self._last_at
        if before is not None and period.touches(before, segment.at):
            silence = segment.at - before
            self._longest = max(silence, self._longest or silence)
            if silence > self._longest_allowed:
                known = (self._last,) if self._last is not None else ()
                self._gaps.append(Gap(before, segment.at, self._last_seq, segment.seq, known))
                self._is_gap_open = True
        if period.has(segment.at):
            self._segments += 1
            self._heartbeats += not segment.lines
        self._first_at = self._first_at or segment.at
        self._last_at, self._last_seq = segment.at, segment.seq

    def _take(self, index: int, record: Record) -> None:
        mention = Mention(index, record.id, record.event, record.at)
        if self._is_gap_open:
            gap = self._gaps[-1]
            self._gaps[-1] = Gap(gap.since, gap.until, gap.before, gap.after, (*gap.records, mention))
            self._is_gap_open = False
        self._first, self._last = self._first or mention, mention
        is_inside = self._period.has(record.at)
        self._events[record.event] += is_inside
        if record.event == "audit.attested":
            if not is_inside and record.at < self._period.begin:
                self._attestations.clear()
            if record.at < self._period.end:
                self._attestations.append(_happening(record, mention))
        is_noted = record.event in NOTED or record.event.startswith(("audit.", "policy."))
        if is_inside and is_noted and record.event != STORIES_OPEN:  # STORIES_OPEN repeats what the log already has
            self._happenings.append(_happening(record, mention))
        if record.event == "request.rejections_counted":
            self._take_count(index, record)
        if record.event in NOT_ITS_STORY or not isinstance(record.block.get("story"), Mapping):
            return
        self._tell(record, mention)

    def _take_count(self, index: int, record: Record) -> None:
        """Add up what a record counts. The count belongs to the period of its hour, when the requests were made."""
        try:
            count = Refusals.of(record)
        except RecordRefused:
            self._unread.append(index)
            return
        if self._period.has(count.hour):
            self._counted += Counter(count.reasons)
            self._is_count_exact &= count.is_exact

    def _tell(self, record: Record, mention: Mention) -> None:
        """Continue the story of a request."""
        case = self._cases.get(record.subject)
        if case is None:
            if record.at >= self._period.end:
                return  # the request began after the period
            case = self._cases[record.subject] = Case()
        case.take(record, mention)
        if record.event in ("review.submitted", "review.refused"):
            self._decide(case, record, mention)
        elif record.event == "request.closed" and not self._is_kept(case):
            self._count(self._cases.pop(record.subject), self._ended)

    def _decide(self, case: Case, record: Record, mention: Mention) -> None:
        if not self._period.has(record.at):
            return
        asked = case.asked
        detail = detail_of(record)
        happening = _happening(record, mention)
        self._decisions.append(
            ReviewedDecision(
                record=mention,
                by=happening.actor,
                decision=str(detail.get("decision", "")),
                stage=str(detail.get("stage", "")),
                reason=str(detail.get("reason", "")),
                effect=effect_of(record),
                namespace=happening.namespace,
                request=happening.request,
                requester=happening.requester,
                role=happening.role,
                took=mention.at - asked.at if asked is not None else None,
            )
        )

    def _is_kept(self, case: Case) -> bool:
        """Whether a request whose story is closed may still have to be judged in the period."""
        over = max(mention.at for mention in case.mentions.values())
        return case.is_granted and over >= self._period.begin - REVIEW_WITHIN

    def _count(self, case: Case, ended: Counter[str]) -> None:
        """Count how a request ended. Each request is counted once: when it is forgotten, or when all records are taken."""
        if case.asked is not None and self._period.has(case.asked.at):
            ended[_SELF_TEST if case.is_self_test else case.outcome] += 1

    def account(self) -> Account:
        """Return what the log shows, after all its records were added."""
        grants, ended = [], self._ended.copy()
        for case in self._cases.values():
            self._count(case, ended)
            if not case.is_granted:
                continue
            try:
                grants.append(case.grant())
            except RecordRefused:
                self._unread.append(case.mentions["grant.activated"].index)
        grants.sort(key=lambda one: one.activated.index)
        return Account(
            log=self._log,
            period=self._period,
            first_at=self._first_at,
            last_at=self._last_at,
            first=self._first,
            last=self._last,
            segments=self._segments,
            heartbeats=self._heartbeats,
            events=MappingProxyType({event: count for event, count in sorted(self._events.items()) if count}),
            counted=MappingProxyType(dict(sorted(self._counted.items()))),
            is_count_exact=self._is_count_exact,
            self_tests=ended.pop(_SELF_TEST, 0),
            phases=MappingProxyType(dict(ended)),
            grants=tuple(grants),
            decisions=tuple(self._decisions),
            happenings=tuple(self._happenings),
            attestations=tuple(self._attestations),
            longest_allowed=self._longest_allowed,
            gaps=tuple(self._gaps),
            longest_silence=self._longest,
            unread=tuple(sorted(set(self._unread))),
        )


_SELF_TEST = "self-test"

NOTED = frozenset(
    {
        "grant.binding_removed",
        "grant.drifted",
        "grant.orphan_removed",
        "grant.removal_failed",
        "grant.role_changed",
        "request.rejections_counted",
    }
)
"""Events that are not part of the ordinary course of a request, in addition to all of `audit.` and `policy.`."""

NOT_ITS_STORY = frozenset({"grant.orphan_removed"})
"""Events with the story of a binding that only names a request."""


def _happening(record: Record, mention: Mention) -> Happening:
    told = record.block.get("story")
    story: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    role = story.get("role")
    return Happening(
        record=mention,
        actor=_actor(record),
        message=record.message,
        detail=detail_of(record),
        namespace=str(story.get("namespace", "")),
        request=str(story.get("request", "")),
        requester=str(story.get("requester", "")),
        role=f"{role.get('kind')}/{role.get('name')}" if isinstance(role, Mapping) else "",
    )


def _actor(record: Record) -> str:
    return str(record.block.get("actor", ""))

"""Honest histories for tests: what the API server and the trail show of requests that Curfew served as promised."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from curfew.audit.record import CURFEW, Record, Story, make_record, with_end
from curfew.evidence.history.facts import (
    BindingGone,
    BindingMade,
    DecisionTaken,
    HistoryFact,
    RecordTold,
    RequestGone,
    RequestMade,
)
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.merged import MergedHistory
from curfew.evidence.history.terms import JudgingTerms

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MS = timedelta(milliseconds=1)
ALICE, BOB, OPERATOR = "alice@example.com", "bob@example.com", "system:serviceaccount:curfew-system:curfew"

WAYS = ("expired", "revoked", "denied", "cancelled", "timed out", "deleted", "rejected", "automatic", "failed")
"""How a story may go."""


@dataclass
class LivedStory:
    """One request, from its creation on."""

    number: int
    way: str
    asked: datetime
    late: timedelta = 10 * MS
    facts: list[HistoryFact] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Play it."""
        self.uid = str(UUID(int=self.number + 1))
        self.story = Story(
            uid=self.uid,
            namespace="payments",
            request=f"inc-{self.number}",
            requester=ALICE,
            submitted_by=ALICE,
            duration=60,
            decide_by=self.asked + timedelta(minutes=2),
        )
        self._play()

    def _play(self) -> None:
        self.call(RequestMade, self.asked, name=self.story.request, by=ALICE, call=f"make {self.uid}")
        at = self.asked + 20 * MS
        self.tell("request.created", at, ALICE, told_at=self.asked.replace(microsecond=0))
        if self.way == "rejected":
            self.tell("request.rejected", at)
            self.close(at)
            return
        self.tell("request.accepted", at)
        if self.way == "timed out":
            at = self.asked + timedelta(minutes=2)
            self.tell("request.timed_out", at)
            self.close(at)
        elif self.way in ("denied", "cancelled"):
            kind, event, by = {
                "denied": ("Deny", "review.denied", BOB),
                "cancelled": ("Cancel", "request.cancelled", ALICE),
            }[self.way]
            at += timedelta(seconds=3)
            self.decide(kind, by, at)
            self.tell(event, at, by)
            self.close(at)
        else:
            self._grant(at + timedelta(seconds=2))

    def _grant(self, at: datetime) -> None:
        if self.way != "automatic":
            self.decide("Approve", BOB, at)
        self.tell("review.auto_approved" if self.way == "automatic" else "review.approved", at)
        ends = (at + timedelta(seconds=60)).replace(microsecond=0)
        self.story = replace(self.story, starts_at=at, expires_at=ends)
        self.tell("grant.intended", at)
        if self.way == "failed":
            self.tell("grant.activation_failed", at)
            self.close(at)
            return
        made = at + 40 * MS
        self.call(BindingMade, made, request_uid=self.uid, by=OPERATOR, call=f"bind {self.uid}")
        self.tell("grant.activated", made)
        gone = ends + self.late
        if self.way in ("revoked", "deleted"):
            gone = made + timedelta(seconds=5)
        if self.way == "revoked":
            self.decide("Revoke", BOB, gone)
        if self.way == "deleted":
            self.facts.append(RequestGone(gone, "payments", self.story.request))
            self.tell("request.deleted", gone + 5 * MS)
        self.call(BindingGone, gone, request_uid=self.uid, by=OPERATOR, was_deleted=True)
        self.story = with_end(self.story, ended_at=gone, end_reason="Whatever")
        self.tell("grant.expired" if self.way in ("expired", "automatic") else "grant.revoked", gone + 5 * MS)
        self.close(gone + 5 * MS)

    def call(self, kind: type[Any], at: datetime, **what: Any) -> None:
        """Have the API server get a call at a time and answer it soon."""
        self.facts.append(kind(at=at + 4 * MS, received_at=at, namespace="payments", **what))

    def decide(self, kind: str, by: str, at: datetime) -> None:
        """Have somebody decide, and tell of it."""
        self.facts.append(DecisionTaken(at, "payments", self.story.request, by, kind, f"{kind} {self.uid}"))
        self.tell("review.submitted", at + 10 * MS, by, qualifier=f"{by}/{kind}", detail={"decision": kind})

    def close(self, at: datetime) -> None:
        """Tell the end of the story."""
        self.tell("request.closed", at)

    def tell(
        self, event: str, at: datetime, actor: str = CURFEW, *, told_at: datetime | None = None, **more: Any
    ) -> None:
        """Record something; its place in the log is given later."""
        record = make_record(event, at=told_at or at, actor=actor, message=event, story=self.story, **more)
        self.facts.append(RecordTold(-1, at + 8 * MS, record))


def in_order(facts: Iterable[HistoryFact]) -> list[HistoryFact]:
    """Return facts in the order of time, and give each record its place in the log."""
    index = 0
    ordered: list[HistoryFact] = []
    for fact in sorted(facts, key=lambda one: one.at):
        if isinstance(fact, RecordTold):
            index += 1
            fact = replace(fact, index=index)
        ordered.append(fact)
    return ordered


def judged(
    facts: Iterable[HistoryFact], terms: JudgingTerms | None = None, until: timedelta = timedelta(minutes=30)
) -> HistoryJudgement:
    """Return what these facts show. Both sources go on for a while afterwards."""
    history = MergedHistory(terms or JudgingTerms())
    opened = Record.parse(make_record("audit.opened", at=NOON, actor=CURFEW, message="It begins.", subject="main").body)
    history.cover_calls(NOON - timedelta(hours=1))
    history.take(RecordTold(0, NOON - timedelta(hours=1), opened))
    last = NOON
    for fact in facts:
        last = max(last, fact.at)
        history.take(fact)
        if isinstance(fact, RecordTold):
            history.cover_trail(fact.at)
    history.cover_calls(last + until)
    history.cover_trail(last + until)
    return history.judge()

"""What is known of one request: its steps in the trail, and what the API server and a watch show of its binding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from curfew.audit.record import Record
from curfew.audit.stories import ENDS, decision_of
from curfew.audit.untrusted_json import GivenRefused, instant
from curfew.evidence.history.facts import BindingGone, BindingMade, BindingUnwatched, BindingWatched, RecordTold

MOST: Final = 1_000
"""Most facts of one kind that are kept of one request. An ordinary life has fewer than ten."""

CREATED, ANNOUNCED, ACTIVATED, CLOSED = "request.created", "grant.intended", "grant.activated", "request.closed"

REVIEWS: Final = ("review.submitted", "review.refused")
"""The events that are about a decision of a person."""

OUTCOMES: Final = frozenset(
    {
        *("request.rejected", "request.cancelled", "request.timed_out", "request.deleted", "review.denied"),
        *("grant.activation_failed", *ENDS),
    }
)
"""The events that decide how a story ends."""


@dataclass(frozen=True, slots=True)
class TrailStep:
    """A record about a request."""

    event: str
    id: str
    index: int
    at: datetime
    sealed_at: datetime
    decision: tuple[str, str] | None  # if it is about a decision: who decided, and what (empty if it does not say)


@dataclass(slots=True)
class WatchedLife:
    """A binding as a watch showed it."""

    since: datetime
    expires_at: datetime | None
    announced_in: int | None
    gone_at: datetime | None = None


@dataclass(slots=True)
class Trace:
    """One request. Its lists are in the order in which the facts came, which is roughly that of time."""

    uid: str
    namespace: str = ""
    request: str = ""
    steps: list[TrailStep] = field(default_factory=list)
    is_carried: bool = False  # its announcement was read from a record that carries open stories forward
    expires_at: datetime | None = None  # the earliest end that the trail has; an end only ever moves earlier
    decide_by: datetime | None = None
    made: list[BindingMade] = field(default_factory=list)
    gone: list[BindingGone] = field(default_factory=list)
    seen_at: datetime | None = None  # when the binding was last seen by a call
    watched: dict[str, WatchedLife] = field(default_factory=dict)
    is_cut: bool = False  # there was more than is kept

    @property
    def name(self) -> str:
        """The request for people."""
        return f"{self.namespace}/{self.request} ({self.uid})" if self.request else self.uid

    @property
    def is_whole(self) -> bool:
        """Whether its first record is the one that it begins with: a log may begin in the middle of a story."""
        return any(step.event == CREATED for step in self.steps)

    def first(self, *events: str) -> TrailStep | None:
        """Return its first record of these events, in the order of the log, or None."""
        return min((step for step in self.steps if step.event in events), key=lambda step: step.index, default=None)

    def tell(self, told: RecordTold) -> None:
        """Take a record about it."""
        record = told.record
        self.learn(record)
        decision = decision_of(record)
        if decision is None and record.event in REVIEWS:
            decision = str(record.block.get("actor", "")), ""
        step = TrailStep(record.event, record.id, told.index, record.at, told.sealed_at, decision)
        self._keep(self.steps, step)

    def learn(self, record: Record) -> None:
        """Learn what a record holds of the story, without counting it as a step."""
        story = record.block.get("story")
        if not isinstance(story, Mapping):
            return
        self.namespace = self.namespace or _text(story, "namespace")
        self.request = self.request or _text(story, "request")
        self.decide_by = _time(story, "decide_by") or self.decide_by
        expires_at = _time(story, "expires_at")
        if expires_at is not None and record.event != "grant.orphan_removed":  # that is what a stranger wrote
            self.expires_at = min(expires_at, self.expires_at or expires_at)

    def make(self, fact: BindingMade) -> None:
        """Take that its binding was made, once for each call."""
        if all(fact.call != known.call for known in self.made):
            self._keep(self.made, fact)

    def end(self, fact: BindingGone) -> None:
        """Take that its binding was gone."""
        self._keep(self.gone, fact)

    def watch(self, fact: BindingWatched | BindingUnwatched) -> None:
        """Take what a watch shows of its binding."""
        life = self.watched.get(fact.uid)
        if isinstance(fact, BindingUnwatched):
            if life is not None and life.gone_at is None:
                life.gone_at = fact.at
        elif life is None and len(self.watched) < MOST:
            self.watched[fact.uid] = WatchedLife(fact.at, fact.expires_at, fact.announced_in)

    def _keep(self, known: list[Any], new: object) -> None:
        if len(known) < MOST:
            known.append(new)
        else:
            self.is_cut = True


def _text(story: Mapping[str, Any], name: str) -> str:
    value = story.get(name)
    return value if isinstance(value, str) else ""


def _time(story: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return instant(_text(story, name), name)
    except GivenRefused:
        return None

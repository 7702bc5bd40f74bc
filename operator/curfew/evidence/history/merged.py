"""Merges what happened, request by request, and judges each request when it is over."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record, RecordRefused
from curfew.audit.untrusted_json import GivenRefused, instant
from curfew.evidence.history.announcing import check_announced
from curfew.evidence.history.breach import Breach
from curfew.evidence.history.converging import check_converged
from curfew.evidence.history.ending import check_ends
from curfew.evidence.history.facts import (
    BindingGone,
    BindingMade,
    BindingsCleared,
    BindingSeen,
    BindingUnwatched,
    BindingWatched,
    CallFact,
    DecisionTaken,
    HistoryFact,
    RecordTold,
    RequestGone,
    RequestMade,
)
from curfew.evidence.history.judgement import HistoryJudgement
from curfew.evidence.history.lives import lives
from curfew.evidence.history.named import NamedRequests
from curfew.evidence.history.telling import check_told
from curfew.evidence.history.terms import HistorySources, JudgingTerms, Reach
from curfew.evidence.history.trace import CLOSED, CREATED, Trace, TrailStep

STORY: Final = ("request.", "review.", "grant.")
"""What the events of a request begin with."""

KEPT: Final = timedelta(minutes=10)
"""How long a request that is over is remembered: so far may the sources be out of step."""


class MergedHistory:
    """Takes facts in roughly the order of time: those of one source in its order, and the sources not more than `KEPT` apart.

    Memory grows with the requests that are open at a time, and with what does not match.
    """

    def __init__(self, terms: JudgingTerms) -> None:
        """Know nothing."""
        self._terms = terms
        self._traces: dict[str, Trace] = {}
        self._over: deque[tuple[datetime, str]] = deque()  # closed requests, in the order of the log
        self._named = NamedRequests(terms)
        self._calls: Reach | None = None
        self._watch: Reach | None = None
        self._trail: Reach | None = None
        self._begins_whole = False
        self._is_judging_names_at: datetime | None = None
        self._judgement = HistoryJudgement(self._sources())

    def cover_calls(self, at: datetime) -> None:
        """Take that the API server's log speaks of a time: of each event in it, also of those that are no facts here."""
        self._calls = _wider(self._calls, at)

    def cover_watch(self, at: datetime) -> None:
        """Take that the watch was there at a time."""
        self._watch = _wider(self._watch, at)

    def cover_trail(self, at: datetime) -> None:
        """Take that a segment was sealed at a time: it may hold no record."""
        self._trail = _wider(self._trail, at)
        self._settle(at)

    def take(self, fact: HistoryFact) -> None:
        """Take the next fact."""
        match fact:
            case RecordTold():
                self._trail = _wider(self._trail, fact.at)
                self._tell(fact)
            case BindingWatched() | BindingUnwatched():
                self._watch = _wider(self._watch, fact.at)
                self._trace(fact.request_uid).watch(fact)
            case _:
                self._calls = _wider(self._calls, fact.at)
                self._call(fact)

    def take_all(self, facts: Iterable[HistoryFact]) -> None:
        """Take facts, one after another."""
        for fact in facts:
            self.take(fact)

    def judge(self) -> HistoryJudgement:
        """Judge all that is left, and return the result. Nothing may be taken afterwards."""
        sources = self._sources()
        for trace in self._traces.values():
            self._judge(trace, sources)
        self._traces.clear()
        if self._calls is not None and self._trail is not None:
            for breach in self._named.settle(self._trail.until, sources, is_end=True):
                self._judgement.add(breach)
        self._judgement.sources = sources
        return self._judgement

    # --- facts

    def _call(self, fact: CallFact) -> None:
        match fact:
            case BindingMade():
                self._trace(fact.request_uid, fact.namespace).make(fact)
            case BindingGone():
                known = self._traces.get(fact.request_uid)
                if known is not None:
                    known.end(fact)
            case BindingSeen():
                known = self._traces.get(fact.request_uid)
                if known is not None:
                    known.seen_at = max(fact.at, known.seen_at or fact.at)
            case BindingsCleared():
                self._clear(fact)
            case RequestMade():
                self._named.make(fact)
            case RequestGone():
                self._named.drop(fact)
            case DecisionTaken():
                self._named.decide(fact)

    def _clear(self, fact: BindingsCleared) -> None:
        for trace in self._traces.values():
            if trace.namespace == fact.namespace and any(lives(trace)):
                gone = BindingGone(fact.at, fact.at, trace.uid, fact.namespace, fact.by, was_deleted=True)
                trace.end(gone)

    def _tell(self, told: RecordTold) -> None:
        record = told.record
        if told.index == 0:
            self._begins_whole = True
        if record.event == STORIES_OPEN:
            self._carry(record)
        elif record.event == "request.rejections_counted":
            self._count(record)
        elif record.event.startswith(STORY) and isinstance(record.block.get("story"), Mapping):
            self._step(told)

    def _step(self, told: RecordTold) -> None:
        trace = self._trace(told.record.subject)
        if not trace.steps:
            self._judgement.requests += 1
        self._judgement.records += 1
        before = len(trace.steps)
        trace.tell(told)
        for step in trace.steps[before:]:
            self._name(trace, step)
        if told.record.event == CLOSED:
            self._over.append((told.sealed_at, trace.uid))

    def _name(self, trace: Trace, step: TrailStep) -> None:
        """Match a record with the call that it tells of."""
        if step.event == CREATED:
            self._named.begin(trace.namespace, trace.request, step)
        elif step.event == "request.rejected":
            self._named.reject(trace.namespace, step.at)
        elif step.decision is not None:
            self._named.tell(trace.namespace, trace.request, step)

    def _carry(self, record: Record) -> None:
        """Learn the stories that a log carries forward, if their own records are not there any more."""
        for body in _carried(record):
            try:
                known = Record.parse(body)
            except RecordRefused:
                continue
            if known.subject not in self._traces and known.event.startswith(STORY):
                self._trace(known.subject).is_carried = True
            trace = self._traces.get(known.subject)
            if trace is not None and trace.is_carried:
                trace.learn(known)

    def _count(self, record: Record) -> None:
        detail = record.block.get("detail")
        if not isinstance(detail, Mapping):
            return
        number, namespace = detail.get("rejected"), detail.get("namespace", "*")
        try:
            hour = instant(str(detail.get("hour")), "hour")
        except GivenRefused:
            return
        if type(number) is int and isinstance(namespace, str):
            self._named.count(namespace, hour, number)

    def _trace(self, uid: str, namespace: str = "") -> Trace:
        found = self._traces.get(uid)
        if found is None:
            found = self._traces[uid] = Trace(uid)
        found.namespace = found.namespace or namespace
        return found

    # --- judging

    def _sources(self) -> HistorySources:
        return HistorySources(self._calls, self._watch, self._trail, self._begins_whole)

    def _settle(self, now: datetime) -> None:
        """Judge and forget what is over for long enough."""
        if self._is_judging_names_at is None or now - self._is_judging_names_at > KEPT:
            self._is_judging_names_at = now
            if self._calls is not None:
                until = min(now, self._calls.until)
                for breach in self._named.settle(until, self._sources()):
                    self._judgement.add(breach)
        while self._over and now - self._over[0][0] > KEPT:
            _, uid = self._over.popleft()
            trace = self._traces.get(uid)
            if trace is not None and all(life.until is not None for life in lives(trace)):
                self._judge(self._traces.pop(uid), self._sources())

    def _judge(self, trace: Trace, sources: HistorySources) -> None:
        self._judgement.bindings += max(len(list(lives(trace))), len(trace.watched))
        for breach in self._breaches(trace, sources):
            self._judgement.add(breach)

    def _breaches(self, trace: Trace, sources: HistorySources) -> Iterator[Breach]:
        yield from check_ends(trace, self._terms, sources, self._judgement.lateness.add)
        yield from check_announced(trace, self._terms, sources)
        yield from check_told(trace, self._terms, sources)
        yield from check_converged(trace, self._terms, sources)


def _wider(reach: Reach | None, at: datetime) -> Reach:
    return Reach(at, at) if reach is None else Reach(min(reach.since, at), max(reach.until, at))


def _carried(record: Record) -> Iterator[Mapping[str, Any]]:
    """Yield the records that a record carries forward; what cannot be read is left out."""
    detail = record.block.get("detail")
    stories = detail.get("stories") if isinstance(detail, Mapping) else None
    for story in stories if isinstance(stories, list) else ():
        held = story.get("records") if isinstance(story, Mapping) else None
        for body in held if isinstance(held, list) else ():
            if isinstance(body, Mapping):
                yield body

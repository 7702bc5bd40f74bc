"""What calls show of requests by name: at level Metadata, the API server's log has no UID of what was made or changed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from curfew.api.names import is_self_test
from curfew.api.times import format_time
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.facts import DecisionTaken, RequestGone, RequestMade
from curfew.evidence.history.terms import HistorySources, JudgingTerms
from curfew.evidence.history.trace import MOST, TrailStep

COUNTED_AFTER: Final = 20
"""So many refusals of a person in a namespace and hour have records of their own; the others are counted in one."""

COUNTED_WITHIN: Final = timedelta(hours=1, minutes=15)
"""How long after a request its count is in the log at the latest, if it was counted."""

PSEUDONYM: Final = "person:"
"""What a name in the trail begins with if it is not that of the API server's log."""

_SECOND: Final = timedelta(seconds=1)  # the API server cuts the time at which an object was made to seconds


@dataclass(slots=True)
class _Slot:
    """What is not matched yet, of all requests that had one name."""

    made: list[RequestMade] = field(default_factory=list)
    decided: list[DecisionTaken] = field(default_factory=list)
    told: list[tuple[str, datetime]] = field(default_factory=list)  # decisions that the trail told first
    begun: list[datetime] = field(default_factory=list)  # requests that the trail told first
    gone_at: list[datetime] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)  # those that were taken: an event may come twice

    def takes(self, call: str) -> bool:
        """Note a call, and return whether it is a new one."""
        if call in self.calls or len(self.calls) >= MOST:
            return False
        self.calls.add(call)
        return True

    @property
    def is_empty(self) -> bool:
        return not (self.made or self.decided)


class NamedRequests:
    """Matches requests and decisions that calls show with the records that tell of them. Keeps what has no match."""

    def __init__(self, terms: JudgingTerms) -> None:
        """Know nothing."""
        self._terms = terms
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._rejected: Counter[tuple[str, str]] = Counter()  # by namespace and hour: those with records of their own
        self._counted: Counter[tuple[str, str]] = Counter()  # by namespace (or * for all others) and hour
        self.made = self.decided = 0
        """How many calls made a request, and how many decided on one."""

    def make(self, fact: RequestMade) -> None:
        """Take that a call made a request. Curfew's own test of its policies is left out."""
        if is_self_test(fact.namespace, fact.name, fact.by):
            return
        slot = self._slot(fact.namespace, fact.name)
        if not slot.takes(fact.call):
            return
        self.made += 1
        match = next((at for at in slot.begun if self._is_same(fact, at)), None)
        if match is not None:
            slot.begun.remove(match)
        elif len(slot.made) < MOST:
            slot.made.append(fact)

    def decide(self, fact: DecisionTaken) -> None:
        """Take that a call decided."""
        slot = self._slot(fact.namespace, fact.name)
        if not slot.takes(fact.call):
            return
        self.decided += 1
        match = next((one for one in slot.told if one[0] in ("", fact.decision)), None)
        if match is not None:
            slot.told.remove(match)
        elif len(slot.decided) < MOST:
            slot.decided.append(fact)

    def drop(self, fact: RequestGone) -> None:
        """Take that a request, or all of a namespace, was deleted."""
        for namespace, name in [(fact.namespace, fact.name)] if fact.name else list(self._slots):
            slot = self._slots.get((namespace, name))
            if slot is not None and namespace == fact.namespace and len(slot.gone_at) < MOST:
                slot.gone_at.append(fact.at)

    def begin(self, namespace: str, name: str, step: TrailStep) -> None:
        """Take the record that a request was made."""
        slot = self._slot(namespace, name)
        match = next((fact for fact in slot.made if self._is_same(fact, step.at)), None)
        if match is not None:
            slot.made.remove(match)
        elif len(slot.begun) < MOST:
            slot.begun.append(step.at)

    def tell(self, namespace: str, name: str, step: TrailStep) -> None:
        """Take the record of a decision."""
        if step.decision is None:
            return
        by, kind = step.decision
        slot = self._slot(namespace, name)
        same = (
            one for one in slot.decided if kind in ("", one.decision) and (one.by == by or by.startswith(PSEUDONYM))
        )
        match = next(same, None)
        if match is not None:
            slot.decided.remove(match)
        elif len(slot.told) < MOST:
            slot.told.append((kind, step.at))

    def reject(self, namespace: str, at: datetime) -> None:
        """Take the record of a refusal."""
        self._rejected[namespace, _hour(at)] += 1

    def count(self, namespace: str, hour: datetime, number: int) -> None:
        """Take the record that counts refusals."""
        self._counted[namespace, _hour(hour)] += number

    def settle(self, until: datetime, sources: HistorySources, *, is_end: bool = False) -> Iterator[Breach]:
        """Yield what is not in the trail and is older than `until`, and forget it."""
        for key, slot in list(self._slots.items()):
            age = timedelta(0) if is_end else COUNTED_WITHIN
            for decided in [one for one in slot.decided if one.at + age <= until]:
                slot.decided.remove(decided)
                yield from self._judge_decision(decided, slot, sources)
            for made in [one for one in slot.made if one.at + age <= until]:
                slot.made.remove(made)
                yield from self._judge_request(made, slot, sources)
            slot.begun = [at for at in slot.begun if at + age > until]
            slot.told = [one for one in slot.told if one[1] + age > until]
            if slot.is_empty and not slot.begun and not slot.told:
                del self._slots[key]

    def _judge_decision(self, fact: DecisionTaken, slot: _Slot, sources: HistorySources) -> Iterator[Breach]:
        patience = self._terms.patience
        if sources.trail is None or not sources.trail.covers(fact.at, patience):
            return
        is_gone = any(timedelta(0) <= at - fact.at <= patience for at in slot.gone_at)
        if not is_gone:
            what = f"the decision {fact.decision} of {fact.by} at {format_time(fact.at)} is in no record"
            yield _breach(fact.namespace, fact.name, fact.at, what)

    def _judge_request(self, fact: RequestMade, slot: _Slot, sources: HistorySources) -> Iterator[Breach]:
        patience = self._terms.patience
        if sources.trail is None or not sources.trail.covers(fact.at, patience):
            return
        if any(timedelta(0) <= at - fact.at <= patience for at in slot.gone_at):
            return  # Curfew may never have seen it
        for namespace in (fact.namespace, "*"):
            if self._counted[namespace, _hour(fact.at)] > 0:
                self._counted[namespace, _hour(fact.at)] -= 1
                return
        what = f"it was made by {fact.by} at {format_time(fact.at)}, and no record tells of it"
        is_counted = self._rejected[fact.namespace, _hour(fact.at)] >= COUNTED_AFTER
        is_open = is_counted and fact.at + COUNTED_WITHIN > sources.trail.until
        yield _breach(fact.namespace, fact.name, fact.at, what, is_certain=not is_open)

    def _is_same(self, fact: RequestMade, at: datetime) -> bool:
        """Whether a call made the request that was created at that time."""
        return fact.received_at - _SECOND - self._terms.clocks <= at <= fact.at + self._terms.clocks

    def _slot(self, namespace: str, name: str) -> _Slot:
        return self._slots.setdefault((namespace, name), _Slot())


def _hour(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H}"


def _breach(namespace: str, name: str, at: datetime, what: str, *, is_certain: bool = True) -> Breach:
    return Breach(JudgedPromise.P7, at, f"{namespace}/{name}", f"Request {namespace}/{name}: {what}", is_certain)

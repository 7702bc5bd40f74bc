"""Promise P7: each transition of a request is in the trail exactly once, and none is missing."""

from collections import Counter
from collections.abc import Iterator

from curfew.audit.stories import ENDS
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.lives import lives
from curfew.evidence.history.terms import HistorySources, JudgingTerms
from curfew.evidence.history.trace import ACTIVATED, CLOSED, CREATED, OUTCOMES, Trace, TrailStep

ONCE = frozenset(
    {
        *("request.created", "request.accepted", "request.rejected", "request.cancelled", "request.timed_out"),
        *("request.deleted", "request.closed", "review.approved", "review.denied", "review.auto_approved"),
        *("review.break_glass_invoked", "review.overdue", "grant.intended", "grant.activated"),
        *("grant.activation_failed", *ENDS),
    }
)
"""The events that a story has at most once. The others are told once for each decision, binding or change."""


def check_told(trace: Trace, terms: JudgingTerms, sources: HistorySources) -> Iterator[Breach]:
    """Yield what breaks the promise, as far as the records and the calls about one request show it."""
    yield from _twice(trace)
    if trace.is_whole and trace.first(CLOSED) is not None:
        yield from _missing(trace)
    yield from _unseen(trace, terms, sources)


def _twice(trace: Trace) -> Iterator[Breach]:
    seen: dict[object, TrailStep] = {}
    for step in trace.steps:
        keys: list[object] = [("id", step.id)]
        if step.event in ONCE:
            keys.append(step.event)
        if step.decision is not None and step.decision[1]:
            keys.append(step.decision)
        earlier = next((seen[key] for key in keys if key in seen), None)
        if earlier is not None:
            yield _breach(trace, step, f"{step.event} is told twice, in records {earlier.index} and {step.index}")
        for key in keys:
            seen.setdefault(key, step)
    ends = [step for step in trace.steps if step.event in ENDS]
    for step in ends[1:]:
        if Counter(one.event for one in ends)[step.event] == 1:
            first = ends[0]
            what = f"its access ends twice, in record {first.index} ({first.event}) and {step.index} ({step.event})"
            yield _breach(trace, step, what)


def _missing(trace: Trace) -> Iterator[Breach]:
    """Yield what a story that is closed leaves out."""
    closed = trace.first(CLOSED)
    assert closed is not None  # noqa: S101  the caller looked
    outcome = trace.first(*OUTCOMES)
    if outcome is None:
        yield _breach(trace, closed, f"record {closed.index} closes it, and no record tells how it ended")
    activated, ended = trace.first(ACTIVATED), trace.first(*ENDS)
    if activated is not None and ended is None:
        yield _breach(trace, activated, f"record {activated.index} tells of its access, and no record of the end of it")
    expired = trace.first("grant.expired", "grant.binding_removed")
    if activated is None and expired is not None:
        yield _breach(
            trace, expired, f"record {expired.index} tells of the end of an access whose beginning none tells"
        )
    # What stood only in the status of a request is lost when somebody deletes the request.
    was_deleted = trace.first("request.deleted") is not None
    if any(lives(trace)) and activated is None and ended is None and not was_deleted:
        failed = trace.first("grant.activation_failed")
        if failed is None:
            yield _breach(trace, closed, "its binding was made, and no record tells of that")
    created, accepted = trace.first(CREATED), trace.first("request.accepted", "request.rejected")
    if created is not None and accepted is None and not was_deleted:
        yield _breach(trace, created, "no record tells that it was accepted or rejected")


def _unseen(trace: Trace, terms: JudgingTerms, sources: HistorySources) -> Iterator[Breach]:
    """Yield what the trail tells and no call shows. An API server that is killed loses events, so this proves nothing."""
    activated = trace.first(ACTIVATED)
    if activated is None or any(lives(trace)) or trace.seen_at is not None or sources.calls is None:
        return
    if sources.calls.covers(activated.at - terms.patience, 2 * terms.patience):
        what = f"record {activated.index} tells of its binding, and no call in the API server's log made it"
        yield _breach(trace, activated, what, is_certain=False)


def _breach(trace: Trace, step: TrailStep, what: str, *, is_certain: bool = True) -> Breach:
    return Breach(JudgedPromise.P7, step.at, trace.uid, f"Request {trace.name}: {what}", is_certain)

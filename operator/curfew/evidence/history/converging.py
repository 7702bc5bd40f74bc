"""Promise P10: each request that began comes to its end, once."""

from collections.abc import Iterator
from datetime import datetime

from curfew.api.times import format_time
from curfew.audit.stories import AFTER_CLOSED
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.terms import HistorySources, JudgingTerms
from curfew.evidence.history.trace import ACTIVATED, CLOSED, OUTCOMES, Trace


def check_converged(trace: Trace, terms: JudgingTerms, sources: HistorySources) -> Iterator[Breach]:
    """Yield what breaks the promise."""
    closed = trace.first(CLOSED)
    if closed is not None:
        for step in trace.steps:
            if step.index > closed.index and step.event not in AFTER_CLOSED and step.event != CLOSED:
                what = f"goes on with record {step.index} ({step.event}) after record {closed.index}, which closes it"
                yield _breach(trace, step.at, what)
        return
    due = _due(trace)
    if due is None or sources.trail is None or sources.trail.until - due <= terms.patience:
        return
    last = max(trace.steps, key=lambda step: step.index)
    yield _breach(
        trace,
        due,
        f"had to be over at {format_time(due)}; its last record is {last.index} ({last.event}), and the log goes on until "
        f"{format_time(sources.trail.until)}",
    )


def _due(trace: Trace) -> datetime | None:
    """Return when an open story had to be closed at the latest; None if that is not known yet."""
    if not trace.steps or not trace.is_whole or trace.first("review.break_glass_invoked") is not None:
        return None  # a broken glass waits for its review, for as long as that takes
    outcome = trace.first(*OUTCOMES)
    if outcome is not None:
        return max(outcome.sealed_at, outcome.at)
    if trace.first(ACTIVATED, "grant.intended") is not None:
        return trace.expires_at
    if trace.first("review.approved", "review.auto_approved") is not None:
        return None  # it waits for its start, or for a place
    return trace.decide_by


def _breach(trace: Trace, at: datetime, what: str) -> Breach:
    return Breach(JudgedPromise.P10, at, trace.uid, f"Request {trace.name} {what}")

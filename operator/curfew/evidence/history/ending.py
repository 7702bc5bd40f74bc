"""Promise P1: no binding outlives its end."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from curfew.api.times import format_time
from curfew.audit.stories import ENDS
from curfew.audit.wording import duration
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.lives import BindingLife, lives
from curfew.evidence.history.terms import HistorySources, JudgingTerms
from curfew.evidence.history.trace import Trace


def check_ends(
    trace: Trace, terms: JudgingTerms, sources: HistorySources, measured: Callable[[timedelta], None] = lambda _: None
) -> Iterator[Breach]:
    """Yield what breaks the promise. `measured` is called with the lateness of each end that came when its time was over."""
    for life in lives(trace):
        if life.expires_at is None:
            continue  # nothing announces it: that is P2's
        if life.until is not None:
            if life.until < life.expires_at:
                continue  # ended early
            late = terms.lateness(life.expires_at, life.until)
            measured(late)
            if late > terms.late:
                yield _breach(
                    trace, life.expires_at, f"was there until {format_time(life.until)}, {duration(late)} too long"
                )
        else:
            yield from _check_open(trace, life, life.expires_at, terms, sources)


def _check_open(
    trace: Trace, life: BindingLife, expires_at: datetime, terms: JudgingTerms, sources: HistorySources
) -> Iterator[Breach]:
    """Judge a binding whose end nobody saw."""
    seen_at = trace.seen_at if trace.seen_at is not None and trace.seen_at >= life.since else None
    if seen_at is not None and terms.lateness(expires_at, seen_at) > terms.late:
        yield _breach(trace, expires_at, f"was still there at {format_time(seen_at)}")
        return
    until = max((one.until for one in (sources.calls, sources.watch) if one is not None), default=None)
    if until is None or terms.lateness(expires_at, until) <= max(terms.late, terms.patience):
        return
    ended = trace.first(*ENDS, "request.deleted", "grant.orphan_removed")
    if ended is None:
        yield _breach(
            trace, expires_at, f"was never deleted, up to {format_time(until)}, where the API server's log ends"
        )
    else:
        # An API server that is killed loses the event of a call that it has carried out.
        why = f"is gone by record {ended.index} of the trail ({ended.event}), and no call in the API server's log deleted it"
        yield _breach(trace, expires_at, why, is_certain=False)


def _breach(trace: Trace, expires_at: datetime, what: str, *, is_certain: bool = True) -> Breach:
    sentence = f"The binding of request {trace.name} had to end at {format_time(expires_at)} and {what}"
    return Breach(JudgedPromise.P1, expires_at, trace.uid, sentence, is_certain)

"""Promise P2: no binding without a durable record that announces it."""

from collections.abc import Iterator
from datetime import datetime

from curfew.api.times import format_time
from curfew.audit.wording import duration
from curfew.evidence.history.breach import Breach, JudgedPromise
from curfew.evidence.history.lives import BindingLife, lives
from curfew.evidence.history.terms import HistorySources, JudgingTerms
from curfew.evidence.history.trace import ACTIVATED, ANNOUNCED, Trace

BROKEN_GLASS = "review.break_glass_invoked"


def check_announced(trace: Trace, terms: JudgingTerms, sources: HistorySources) -> Iterator[Breach]:
    """Yield what breaks the promise."""
    announced = trace.first(ANNOUNCED)
    activated = trace.first(ACTIVATED)
    if activated is not None and announced is None and trace.is_whole:
        yield _breach(trace, activated.at, f"is told in record {activated.index}, and no record announces it")
    elif activated is not None and announced is not None and activated.index < announced.index:
        yield _breach(
            trace, activated.at, f"is told in record {activated.index} and announced only later, in {announced.index}"
        )
    found = list(lives(trace))
    for life in found[1:]:
        if _was_ended_at_once(trace, life, terms):
            continue
        yield _breach(
            trace, life.since, f"was made again by {life.by} at {format_time(life.since)}; it was announced once"
        )
    for life in found:
        if sources.trail is None or not sources.trail.covers(life.since, terms.clocks):
            continue
        if announced is None and trace.is_carried:
            continue  # its announcement is older than the log
        if announced is None:
            yield _breach(
                trace, life.since, f"was made by {life.by} at {format_time(life.since)}, and no record announces it"
            )
        elif announced.sealed_at > life.asked_at + terms.clocks and trace.first(BROKEN_GLASS) is None:
            # A broken glass may come before its record if the policy says so (decision 0071).
            early = duration(announced.sealed_at - life.since)
            yield _breach(trace, life.since, f"was made {early} before record {announced.index}, which announces it")
    for watched in trace.watched.values():
        if watched.announced_in is not None and announced is not None and watched.announced_in != announced.index:
            yield _breach(
                trace,
                watched.since,
                f"carries the receipt of record {watched.announced_in}; record {announced.index} announces it",
            )


def _was_ended_at_once(trace: Trace, life: BindingLife, terms: JudgingTerms) -> bool:
    """Whether a call that was long under way made a binding again, and it was removed at once and recorded as no grant."""
    is_short = life.until is not None and life.until - life.since <= terms.late
    return is_short and trace.first("grant.orphan_removed") is not None


def _breach(trace: Trace, at: datetime, what: str) -> Breach:
    return Breach(JudgedPromise.P2, at, trace.uid, f"The binding of request {trace.name} {what}")

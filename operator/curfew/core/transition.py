"""One transition of a request as one patch of its status, with its records and Events."""

from datetime import datetime, timedelta
from typing import Any

from curfew.api.access_request import Phase, Terms
from curfew.api.times import format_time
from curfew.audit.record import Record
from curfew.core import change_records, outbox_size, reviews, wording
from curfew.core.approval import owes_review
from curfew.core.bindings import Binding
from curfew.core.change import Change
from curfew.core.change_table import BAD_ENDS, row_of
from curfew.core.conditions import Observation
from curfew.core.counting import TallyKey
from curfew.core.facts import Facts, ToldEnd
from curfew.core.lifecycle import Event
from curfew.core.locked_out import counting
from curfew.core.notices import Notice, about_request, on_namespace
from curfew.core.outbox import conditions_of, trail_notices, undurable, wait_for_room, with_new
from curfew.core.reasons import Reason
from curfew.core.steps import Patch, Step

RECORDS_FIRST = timedelta(seconds=1)
"""How long an end waits for its records to become durable before its status shows it anyway. The access is gone already."""


def transition(
    facts: Facts,
    event: Event,
    *,
    reason: Reason | None = None,
    detail: str = "",
    ended_at: datetime | None = None,
    terms: Terms | None = None,
    binding: Binding | None = None,
    counted: TallyKey | None = None,
    active: Observation | None = None,
    more: tuple[Record, ...] = (),
) -> Step:
    """Move a request along the table. One write holds phase, times, conditions, the records of the transition, and `more`.

    The other arguments are those of `Change`.
    """
    change = Change(facts, event, reason, detail, ended_at, terms, binding, counted, active)
    # If the log shows the story as closed, it holds the whole story, whatever is in the outbox.
    told_end = facts.told_end
    is_whole = facts.story_closed
    if told_end is not None:
        is_whole = told_end.ids <= facts.durable and not change.reviews and not undurable(facts)
    outbox = () if is_whole else with_new(facts, (*_records(change), *more))
    if told_end is None:
        ids = frozenset(record.id for record in outbox)
        told_end = ToldEnd(facts.now, event, reason, detail, ended_at, active, ids)
    if outbox and _comes_first(change, told_end):
        return Step(submit=outbox, told_end=told_end, wake_at=told_end.at + RECORDS_FIRST)
    waiting = undurable(facts)
    if waiting and outbox_size.stored_bytes(outbox) > outbox_size.OUTBOX_BYTES:  # a change alone is never that large
        return wait_for_room(facts, waiting, outbox)
    status = {**_status(change), **reviews.reviews_patch(facts, change.reviews)}
    recorded = wording.recorded(len(outbox), facts.trail)
    if change.counted is not None:
        recorded = wording.counted(change.counted)
    status["conditions"] = conditions_of(facts, *_observations(change), recorded)
    told = (
        *reviews.review_notices(facts, reviews.told_apart(change.reviews)),
        *_notices(change),
        *trail_notices(facts, recorded),
    )
    if change.phase is Phase.APPROVED:
        told = (*told, *obstacle_notices(facts))
    return Step(act=Patch(status, event, outbox), notices=told)


def _comes_first(change: Change, end: ToldEnd) -> bool:
    """Whether the records of an end are handed to the log before the status shows it: for a moment, while the log answers."""
    is_last = change.is_over and change.counted is None and not owes_review(counting(change.facts))
    return is_last and change.facts.trail.ok and change.facts.now < end.at + RECORDS_FIRST


def _status(change: Change) -> dict[str, Any]:
    """Return what the transition changes in the status, except reviews and conditions."""
    status = {
        "phase": str(change.phase),
        "observedGeneration": change.facts.request.metadata.generation,
        **row_of(change).fields(change),
    }
    if change.is_over:
        status["activeUntil"] = None  # a merge patch removes it
        status["endedAt"] = format_time(change.ended_at or change.facts.now)
        status["endReason"] = str(change.reason)
    return status


def _observations(change: Change) -> tuple[Observation, ...]:
    """Return what the transition makes the conditions show, except Recorded."""
    active = () if change.active is None else (change.active,)
    return (*row_of(change).conditions(change), *active)


def _records(change: Change) -> tuple[Record, ...]:
    """Return the records of the transition, in the order of events; none for a request that is counted."""
    if change.counted is not None:
        return ()
    told = [*reviews.submitted(change.facts, change.reviews)]
    for records in row_of(change).records:
        told += records(change)
    if change.is_over:
        told += change_records.closing(change)
    return tuple(told)


def _notices(change: Change) -> tuple[Notice, ...]:
    """Return the Events of the transition: one on the request, and one on the namespace if the row asks for it."""
    if change.reason is Reason.SELF_TEST or change.counted is not None:
        return ()  # nobody's request; or one of a flood, whose status shows why it was refused
    row = row_of(change)
    is_bad = row.is_bad or change.reason in BAD_ENDS
    told = about_request(
        change.facts.request,
        "Warning" if is_bad else "Normal",
        row.reason,
        row.action,
        row.note(change),
        key=str(change.event),
    )
    return (told, on_namespace(told)) if row.is_news else (told,)


def obstacle_notices(facts: Facts) -> tuple[Notice, ...]:
    """Return the Event that a request waits for our own rules, or for the clock: one Event per outage."""
    states = (facts.enforcement, facts.clock, facts.locks)
    state = next((state for state in states if not state.ok and not state.is_starting), None)
    if state is None:
        return ()
    note = f"request {facts.request.metadata.name} waits: {state.message}"
    key = f"waits/{state.reason}/{format_time(state.since)}"
    return (about_request(facts.request, "Warning", state.reason, "Wait", note, key=key),)

"""One transition of a request as one patch of its status, with the records that tell of it."""

from typing import Any

from curfew.api.times import format_time
from curfew.audit.record import Record
from curfew.core import lifecycle, reviews, room, wording
from curfew.core.change import Change
from curfew.core.facts import Facts
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice, about_request
from curfew.core.outbox import conditions_of, trail_notices, undurable, wait_for_room, with_new
from curfew.core.steps import Patch, Step


def transition(facts: Facts, event: Event, *, more: tuple[Record, ...] = (), **details: Any) -> Step:
    """Move a request along the table: phase, times, conditions and the records of it, and `more`, in one write."""
    change = Change(facts, event, lifecycle.advance(facts.request.status.phase, event), **details)
    # If the log holds the story closed, it holds the whole of it, whatever is in the outbox.
    outbox = () if facts.story_closed else with_new(facts, (*change.records(), *more))
    waiting = undurable(facts)
    if waiting and room.stored_bytes(outbox) > room.OUTBOX_BYTES:  # a change alone is never that large
        return wait_for_room(facts, waiting, outbox)
    status = {**change.status(), **reviews.reviews_patch(facts, change.reviews)}
    recorded = wording.recorded(len(outbox), facts.trail)
    if change.counted is not None:
        recorded = wording.counted(change.counted)
    status["conditions"] = conditions_of(facts, *change.observations(), recorded)
    told = (*reviews.review_notices(facts, change.reviews), *change.notices(), *trail_notices(facts, recorded))
    if event is Event.APPROVE:
        told = (*told, *obstacle_notices(facts))
    return Step(act=Patch(status, event, outbox), notices=told)


def obstacle_notices(facts: Facts) -> tuple[Notice, ...]:
    """Return the Event that says that a request waits for our own rules, or for the clock: once an outage."""
    states = (facts.enforcement, facts.clock)
    state = next((state for state in states if not state.ok and not state.is_starting), None)
    if state is None:
        return ()
    note = f"request {facts.request.metadata.name} waits: {state.message}"
    key = f"waits/{state.reason}/{format_time(state.since)}"
    return (about_request(facts.request, "Warning", state.reason, "Wait", note, key=key),)

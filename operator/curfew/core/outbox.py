"""Records in a status: which may be there, which leave, and which wait for room."""

from typing import Any

from curfew.api.access_request import DecisionKind, Phase
from curfew.api.times import format_time
from curfew.audit.record import Record, record_id
from curfew.core import announcing, conditions, lifecycle, outbox_size, reviews, stories, wording
from curfew.core.approval import owes_review
from curfew.core.counting import counted_key
from curfew.core.facts import Facts
from curfew.core.notices import Notice, about_request
from curfew.core.rechecks import ROOM_RECHECK, next_look
from curfew.core.seals import OUTBOX_ROOM
from curfew.core.steps import Close, Patch, Step
from curfew.core.unrecorded import may_go_unrecorded

_ENDING = (DecisionKind.DENY, DecisionKind.REVOKE, DecisionKind.CANCEL)


def clear_outbox(facts: Facts) -> Step | None:
    """Remove outbox entries that are not from Curfew. They hold up nothing else (promises P7, P9 and P11)."""
    if facts.outbox is None or facts.outbox.strange is None:
        return None
    records = altered(facts)
    waiting = with_new(facts, records if has_room(facts) else ())
    notices = tuple(
        about_request(facts.request, "Warning", "OutboxAltered", "LeaveOut", record.message, key=f"outbox/{record.id}")
        for record in records
    )
    return Step(act=Patch({}, outbox=waiting), notices=notices)


def make_room(facts: Facts) -> Step | None:
    """Record many decisions before they take effect, but no more at a time than the status has room for."""
    status = facts.request.status
    if status.phase is None or (status.phase in lifecycle.FINAL and status.review_by is None):
        return None
    new, waiting = reviews.new_reviews(facts), undurable(facts)
    if len(new) <= 1 and not waiting:
        return None  # there is room for one decision: it is told with what it changes
    told = reviews.submitted(facts, new)
    some = new[: outbox_size.to_tell_first(told, waiting)]
    if not some:
        is_end = any(decision.decision in _ENDING for decision, _ in new)
        return None if outbox_size.has_room(told, waiting, is_end=is_end) else wait_for_room(facts, waiting)
    patch = Patch(reviews.reviews_patch(facts, some), outbox=with_new(facts, reviews.submitted(facts, some)))
    return Step(submit=waiting, act=patch, notices=reviews.review_notices(facts, some))


def wait_for_room(facts: Facts, waiting: tuple[Record, ...], held_up: tuple[Record, ...] = ()) -> Step:
    """Wait until the log has taken some records out of the status. Then write the records that are held up."""
    return Step(submit=waiting, wake_at=facts.now + ROOM_RECHECK, held_up=held_up)


def altered(facts: Facts) -> tuple[Record, ...]:
    """Return the record of outbox entries that are not from Curfew, if there are any."""
    strange = facts.outbox.strange if facts.outbox is not None else None
    return () if strange is None else (stories.outbox_altered(facts, strange),)


def settle_outbox(facts: Facts) -> Step | None:
    """Show what holds up the records in a status, and close a story that is fully recorded.

    Records that became durable leave with the next change. Only the end of a story does not wait for one.
    """
    status = facts.request.status
    if status.phase is None:
        return None
    if is_counted(facts):
        return Step(act=Close())
    waiting = undurable(facts)
    is_over = status.phase in lifecycle.FINAL and not owes_review(facts.request)
    recorded = wording.recorded(len(waiting), facts.trail, holds_up=status.phase is Phase.APPROVED)
    if _is_news(facts, recorded) or _is_sealed_with_an_older_key(facts) or (is_over and status.outbox and not waiting):
        patch = Patch({"conditions": conditions_of(facts, recorded)}, outbox=waiting)
        return Step(submit=to_submit(facts), act=patch, notices=trail_notices(facts, recorded))
    if not is_over:
        return None
    return Step(submit=to_submit(facts), wake_at=next_look(facts)) if waiting else Step(act=Close())


def _is_news(facts: Facts, recorded: conditions.Observation) -> bool:
    """Whether condition Recorded has to change. That a sealed record is in the log by now is shown by the next change."""
    said = next((c for c in facts.request.status.conditions if c.type == conditions.RECORDED), None)
    if said is None or (str(said.status) == "True") is not recorded.status:
        return True
    return not recorded.status and said.reason != recorded.reason


def _is_sealed_with_an_older_key(facts: Facts) -> bool:
    """Whether an entry has the seal of a key that may be taken away: it must not stay for as long as the request waits."""
    return facts.outbox is not None and facts.outbox.is_older


def trail_notices(facts: Facts, recorded: conditions.Observation) -> tuple[Notice, ...]:
    """Return the Event that a request waits for the trail, if the condition shows that: one Event per outage."""
    name, trail = facts.request.metadata.name, facts.trail
    if trail.ok or trail.is_starting or recorded.reason != trail.reason:
        return ()
    does = "does not wait for its record" if may_go_unrecorded(facts) else "waits"
    note = f"request {name} {does}: {trail.message}"
    key = f"trail/{trail.reason}/{format_time(trail.since)}"
    return (about_request(facts.request, "Warning", trail.reason, "Wait", note, key=key),)


def conditions_of(facts: Facts, *observed: conditions.Observation) -> list[dict[str, Any]]:
    request = facts.request
    return conditions.update(request.status.conditions, observed, now=facts.now, generation=request.metadata.generation)


def with_new(facts: Facts, new: tuple[Record, ...]) -> tuple[Record, ...]:
    """Return the new contents of the outbox: its records that are not yet in the log, and the new records."""
    waiting = undurable(facts)
    known = {record.id for record in waiting}
    return (*waiting, *(record for record in missing(new, facts) if record.id not in known))


def has_room(facts: Facts) -> bool:
    """Whether the outbox takes a record that the story can do without. There must always be room for the story's end."""
    return len(undurable(facts)) < OUTBOX_ROOM


def undurable(facts: Facts) -> tuple[Record, ...]:
    """Return the records in the status that are not yet known to be in the trail."""
    return missing(facts.outbox.records if facts.outbox is not None else (), facts)


def to_submit(facts: Facts) -> tuple[Record, ...]:
    """Return the records in the status that can be handed to the trail.

    Until the log is read, nobody knows whether the log shows the story as closed. The records are safe in the status.
    """
    return undurable(facts) if facts.trail.is_open else ()


def missing(records: tuple[Record, ...], facts: Facts) -> tuple[Record, ...]:
    return tuple(record for record in records if record.id not in facts.durable)


def ids_to_look_up(facts: Facts) -> frozenset[str]:
    """Return the ids of earlier records that the next step depends on, if they are durable."""
    uid = facts.request.metadata.uid
    created = {record_id(uid, "request.created")} if counted_key(facts.request) is not None else set()
    closed = {record_id(uid, "request.closed")} if facts.story_closed else set()
    told = facts.told_end.ids if facts.told_end is not None else frozenset[str]()
    return told | created | closed | announcing.ids_before(facts)


def is_counted(facts: Facts) -> bool:
    """Whether a request is in a count. A request that the log has a record of is not, whatever its status shows."""
    return (
        counted_key(facts.request) is not None
        and record_id(facts.request.metadata.uid, "request.created") not in facts.durable
    )

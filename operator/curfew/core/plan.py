"""What to do next about one request: a pure function of what is known.

The ladder below is the whole of it. Its first rung ends access, and needs the binding alone (promises P1 and P3): no
policy, role, bucket or notification can stand before it. Each step does one thing to the world; the reconciler then looks
again, so that a crash between any two steps is an ordinary start.

    end_access       a binding that has no right to exist is removed
    close_restored   a request whose story the log holds closed is closed again, and nothing is told twice
    close_gone       a request that was deleted gets its last records
    clear_outbox     what is in the outbox and not from Curfew is left out, and told
    conclude         a grant whose binding is gone is Expired or Revoked
    adopt            a binding that was made on our announcement is Active
    note_role_change the role of a grant was changed that its policy keeps
    review_afterwards  what is owed after breaking the glass
    accept           a new request is checked, its terms are pinned
    turn_down        people or time said no
    grant            enough people said yes: announce, then bind
    settle_outbox    records that became durable leave the status
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from curfew.api.access_request import DecisionKind, Phase, RightBy
from curfew.api.times import format_time
from curfew.audit.record import Record, record_id
from curfew.audit.stories import ENDS
from curfew.core import (
    announcing,
    bindings,
    checks,
    conditions,
    ending,
    lifecycle,
    reviews,
    role_changes,
    room,
    stories,
    wording,
)
from curfew.core.approval import find_decision, owes_review, tally
from curfew.core.bindings import Binding
from curfew.core.change import Change
from curfew.core.counting import counted_key
from curfew.core.facts import Facts, Read
from curfew.core.lifecycle import Event
from curfew.core.notices import Notice, about_request
from curfew.core.reasons import Reason
from curfew.core.seals import OUTBOX_ROOM
from curfew.core.terms import pin
from curfew.core.unrecorded import may_go_unrecorded
from curfew.core.waiting import place_by, places_taken, waits_for, waking_times
from curfew.core.window import window

POLICY_GRACE = timedelta(seconds=30)
"""How long a new request waits for its policy and role to appear: one `kubectl apply` of a folder sends them in any order."""

RIGHTS_GRACE = timedelta(seconds=5)
"""How long it waits for a right of Curfew's own: the API server learns of new bindings a moment late."""

POLICY_RECHECK = timedelta(seconds=2)
"""How often a role that is missing is looked for meanwhile; a policy that appears is seen at once."""

ROOM_RECHECK = timedelta(seconds=5)
"""How soon a request is looked at again whose status has no room for what has happened, unless the log takes records before."""

SEALS_RECHECK = timedelta(seconds=5)
"""How often a request looks whether what seals its records is known by now."""

ACTIVATION_WINDOW = timedelta(seconds=60)
"""For how long a restart still makes a binding that was announced before it; later, somebody may have ended it meanwhile."""


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the binding, whatever else is the case."""

    binding: Binding
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the binding. Only ever planned with a receipt in the manifest (promise P2)."""

    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Write the status, and its outbox, if there is one here: one write, so that neither is ever without the other."""

    status: Mapping[str, Any]
    event: Event | None = None
    outbox: tuple[Record, ...] | None = None  # all that the outbox is to hold, to be sealed


@dataclass(frozen=True, slots=True)
class Close:
    """Take a finished request out of the watch."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The story is over and told: nothing about the request needs to be remembered."""


Act = Remove | Create | Patch | Close | Forget


@dataclass(frozen=True, slots=True)
class Step:
    """The next step: read more and ask again, or hand records to the trail, do one thing, say so, and when to look again."""

    reads: frozenset[Read] = frozenset()
    submit: tuple[Record, ...] = ()
    act: Act | None = None
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None


def plan(facts: Facts) -> Step:
    """Return the next step about a request. A step without an act means: wait for `wake_at` or for news."""
    if facts.outbox is None:  # nothing can be told in a status, so nothing is decided but an end
        return end_access(facts) or Step(wake_at=facts.now + SEALS_RECHECK)
    for rung in (
        end_access,
        close_restored,
        close_gone,
        clear_outbox,
        make_room,
        conclude,
        adopt,
        note_role_change,
        review_afterwards,
        accept,
        turn_down,
        grant,
        settle_outbox,
    ):
        step = rung(facts)
        if step is not None:
            return step
    return Step(submit=_to_submit(facts), wake_at=next_look(facts))


def end_access(facts: Facts) -> Step | None:
    """Remove a binding that has no right to exist, before anything that can fail is looked at (promises P1 and P3)."""
    if facts.binding is None:
        return None
    cause = ending.why_ended(facts, facts.binding)
    if cause is None:
        return None
    return Step(act=Remove(facts.binding, *cause))


def close_restored(facts: Facts) -> Step | None:
    """Close a request again whose story the log holds closed: etcd was restored from a time before its end.

    Nothing is told of it: the log has the whole story, and no record may be in it twice (promise P7).
    """
    request, status = facts.request, facts.request.status
    if not facts.story_closed:
        return None
    if facts.is_gone:
        return Step(act=Forget())
    if status.phase in lifecycle.FINAL:
        # Shortly after an ordinary end the records are still known, and the story takes its ordinary course.
        is_long_ago = record_id(request.metadata.uid, "request.closed") not in facts.durable
        # A binding whose time was over went before the log was read; the log may hold another end of that grant.
        has_second_end = any(record.event in ENDS for record in undurable(facts))
        if not (is_long_ago or has_second_end or status.end_reason == Reason.STORY_CLOSED):
            return None
        return Step(act=Patch({}, outbox=()) if status.outbox else Close())  # the log holds what is in there, too
    reason, detail = ending.STORY_CLOSED
    if status.phase is Phase.ACTIVE:
        ended = conditions.Observation(conditions.ACTIVE, False, str(reason), wording.ended(request, reason, detail))
        return _transition(facts, Event.REVOKE, reason=reason, detail=detail, active=ended)
    event = Event.REJECT if status.phase is None else Event.FAIL
    return _transition(facts, event, reason=reason, detail=detail)


def close_gone(facts: Facts) -> Step | None:
    """Tell the end of a request that was deleted: no status is left for its records, they go straight to the trail."""
    if not facts.is_gone:
        return None
    if facts.binding is None and Read.BINDING not in facts.was_read and _may_have_binding(facts):
        return Step(reads=frozenset({Read.BINDING}))
    records = (*_outbox(facts, _altered(facts)), *stories.deleted(facts))
    if all(record.id in facts.durable for record in records):
        return Step(act=Forget())
    return Step(submit=_missing(records, facts), notices=stories.deleted_notices(facts))


def _may_have_binding(facts: Facts) -> bool:
    return facts.request.status.phase not in lifecycle.FINAL and facts.request.status.phase is not None


def clear_outbox(facts: Facts) -> Step | None:
    """Leave out what is in the outbox and not from Curfew; it stops nothing else (promises P7, P9 and P11)."""
    if facts.outbox is None or facts.outbox.strange is None:
        return None
    records = _altered(facts)
    waiting = _outbox(facts, records if _has_room(facts) else ())
    notices = tuple(
        about_request(facts.request, "Warning", "OutboxAltered", "LeaveOut", record.message, key=f"outbox/{record.id}")
        for record in records
    )
    return Step(act=Patch({}, outbox=waiting), notices=notices)


_ENDING = (DecisionKind.DENY, DecisionKind.REVOKE, DecisionKind.CANCEL)


def make_room(facts: Facts) -> Step | None:
    """Tell of many decisions before anything comes of them, and of no more at a time than the status has room for."""
    status = facts.request.status
    if status.phase is None or (status.phase in lifecycle.FINAL and status.review_by is None):
        return None
    new, waiting = reviews.new_reviews(facts), undurable(facts)
    told = reviews.submitted(facts, new)
    some = new[: room.to_tell_first(told, waiting)]
    if not some:
        is_end = any(decision.decision in _ENDING for decision, _ in new)
        return None if room.has_room(told, waiting, is_end=is_end) else _wait_for_room(facts, waiting)
    patch = Patch(reviews.reviews_patch(facts, some), outbox=_outbox(facts, reviews.submitted(facts, some)))
    return Step(submit=waiting, act=patch, notices=reviews.review_notices(facts, some))


def _wait_for_room(facts: Facts, waiting: tuple[Record, ...]) -> Step:
    """Wait until the log has taken some of what is in the status."""
    return Step(submit=waiting, wake_at=facts.now + ROOM_RECHECK)


def _altered(facts: Facts) -> tuple[Record, ...]:
    """Return the record of what is in the outbox and not from Curfew, if anything is."""
    strange = facts.outbox.strange if facts.outbox is not None else None
    return () if strange is None else (stories.outbox_altered(facts, strange),)


def conclude(facts: Facts) -> Step | None:
    """Close a grant whose binding was read back as gone: only then does a request show Expired or Revoked."""
    request, status = facts.request, facts.request.status
    if status.phase is not Phase.ACTIVE or (facts.binding is not None and ending.is_ours(facts.binding)):
        return None
    if Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))
    reason, detail = ending.why_gone(facts)
    ended_at = facts.removal.at if facts.removal is not None else facts.now
    event = Event.EXPIRE if reason is Reason.DURATION_ELAPSED else Event.REVOKE
    return _transition(
        facts,
        event,
        reason=reason,
        detail=detail,
        ended_at=ended_at,
        active=conditions.Observation(conditions.ACTIVE, False, str(reason), wording.ended(request, reason, detail)),
    )


def adopt(facts: Facts) -> Step | None:
    """Show a grant as Active once its binding was read back; whoever made the name first without us is a stranger."""
    request, status = facts.request, facts.request.status
    if status.phase not in (Phase.PENDING, Phase.APPROVED):
        return None
    binding = facts.binding or facts.lost
    if binding is None:
        return None
    if not ending.is_ours(binding):
        return _transition(
            facts,
            Event.FAIL,
            reason=Reason.BINDING_CONFLICT,
            detail=f"a RoleBinding named {binding.name} that Curfew did not make is in the way; "
            "an administrator has to look at it",
        )
    drift = bindings.find_drift(binding, request)
    if drift is not None:  # it is gone already, or `end_access` would have removed it
        return _transition(facts, Event.FAIL, reason=drift[0], detail=drift[1])
    return _transition(
        facts,
        Event.GRANT,
        binding=binding,
        active=conditions.Observation(
            conditions.ACTIVE,
            True,
            "Granted",
            f"{request.spec.requester} holds {wording.role(request)} in {request.metadata.namespace}",
        ),
    )


def note_role_change(facts: Facts) -> Step | None:
    """Record that the role of a grant was changed which its policy keeps nevertheless, and that it was changed back."""
    status, seen = facts.request.status, facts.role_seen
    if status.phase is not Phase.ACTIVE or status.terms is None or seen is None:
        return None
    said = next((c for c in status.conditions if c.type == conditions.ROLE_UNCHANGED), None)
    changed = role_changes.role_was_changed(facts)
    if changed is not None:
        now = f" (now {seen.rules_digest[:12]})" if seen.rules_digest else ""
        observed = conditions.Observation(conditions.ROLE_UNCHANGED, False, str(Reason.ROLE_CHANGED), f"{changed}{now}")
    elif said is not None and not role_changes.is_settling(facts):
        changed = f"the rules of {wording.role(facts.request)} were changed back"
        observed = conditions.Observation(conditions.ROLE_UNCHANGED, True, "AsApproved", changed)
    else:
        return None
    if (said is not None and said.message == observed.message) or not _has_room(facts):
        return None
    record = stories.role_changed(facts, changed, seen.rules_digest)
    patch = Patch({"conditions": _conditions(facts, observed)}, outbox=_outbox(facts, (record,)))
    type_: Literal["Normal", "Warning"] = "Normal" if observed.status else "Warning"
    notice = about_request(
        facts.request, type_, str(Reason.ROLE_CHANGED), "Keep", record.message, key=f"role/{record.id}"
    )
    return Step(act=patch, notices=(notice,))


def accept(facts: Facts) -> Step | None:
    """Check a new request and pin its terms, or say what is wrong with it."""
    request = facts.request
    if request.status.phase is not None:
        return None
    # Limits first: what a flood is refused for must cost no calls.
    violation = checks.first_violation(checks.LIMITS, facts)
    if violation is None and facts.policy is not None and Read.ROLE not in facts.was_read:
        return Step(reads=frozenset({Read.ROLE, Read.RIGHTS}))
    violation = violation or checks.first_violation(checks.ACCEPTANCE, facts)
    if violation is not None:
        grace = RIGHTS_GRACE if violation.reason is Reason.CANNOT_BIND else POLICY_GRACE
        waits_until = (request.metadata.creation_timestamp or facts.now) + grace
        may_appear = violation.reason in (Reason.POLICY_NOT_FOUND, Reason.ROLE_NOT_FOUND, Reason.CANNOT_BIND)
        if may_appear and facts.now < waits_until:
            return _wait_for_policy(facts, violation, waits_until)
        return _reject(facts, violation)
    if facts.policy is None or facts.role is None:
        raise AssertionError("ACCEPTANCE lets nothing through without policy and role")
    if facts.policy.spec.limits.once_per_name:
        if Read.NAME not in facts.was_read:  # last, because asking uses the name up
            return Step(reads=facts.was_read | {Read.NAME})
        if facts.name is None or facts.name.problem:
            return _wait_for_name(facts)
    terms = pin(request, facts.policy, facts.role, _right(facts))
    return _transition(facts, Event.ACCEPT, terms=terms)


def _reject(facts: Facts, violation: checks.Violation) -> Step:
    """Refuse a request, with records of its own or counted with others: only the log tells which, so it is read first."""
    if not facts.trail.is_open and facts.trail.is_starting:
        return Step(wake_at=facts.now + SEALS_RECHECK)
    is_ours = violation.reason is Reason.SELF_TEST
    return _transition(
        facts,
        Event.REJECT,
        reason=violation.reason,
        detail=violation.message,
        counted=None if is_ours else facts.counting,
    )


def _right(facts: Facts) -> RightBy | None:
    if facts.rights is None:
        return None
    return RightBy.NAME if facts.rights.requester_may_ask else RightBy.GROUP


def _wait_for_name(facts: Facts) -> Step:
    """Wait until the store tells who has the name; say so, once."""
    problem = facts.name.problem if facts.name is not None else "it was not asked for"
    message = f"Curfew cannot find out whether the name was used before: {problem}"
    observed = conditions.Observation(conditions.READY, False, "NameUnknown", message)
    ready = next((c for c in facts.request.status.conditions if c.type == conditions.READY), None)
    if ready is not None and ready.message == observed.message:
        return Step(wake_at=facts.now + POLICY_RECHECK)
    return Step(act=Patch({"conditions": _conditions(facts, observed)}))


def _wait_for_policy(facts: Facts, violation: checks.Violation, until: datetime) -> Step:
    observed = conditions.Observation(conditions.READY, False, str(violation.reason), violation.message)
    new = conditions.update(
        facts.request.status.conditions, (observed,), now=facts.now, generation=facts.request.metadata.generation
    )
    ready = next((c for c in facts.request.status.conditions if c.type == conditions.READY), None)
    if ready is not None and (ready.reason, ready.message) == (observed.reason, observed.message):
        return Step(wake_at=min(until, facts.now + POLICY_RECHECK))
    return Step(act=Patch({"conditions": new}))


def turn_down(facts: Facts) -> Step | None:
    """Carry out a no: the requester's, an approver's, the clock's, or that of terms that no longer stand."""
    request, status = facts.request, facts.request.status
    if status.phase not in (Phase.PENDING, Phase.APPROVED):
        return None
    cancel = find_decision(request, DecisionKind.CANCEL)
    if cancel is not None:
        return _transition(
            facts, Event.CANCEL, reason=Reason.CANCELLED_BY_REQUESTER, detail=f"{cancel.by} cancelled it"
        )
    revoke = find_decision(request, DecisionKind.REVOKE)
    if revoke is not None and status.phase is Phase.APPROVED:
        return _transition(
            facts, Event.REVOKE, reason=Reason.REVOKED_BY_APPROVER, detail=f"{revoke.by} revoked it before it began"
        )
    deny = find_decision(request, DecisionKind.DENY)
    if deny is not None and status.phase is Phase.PENDING:
        return _transition(facts, Event.DENY, reason=Reason.DENIED_BY_APPROVER, detail=f"{deny.by} denied it")
    # A late approval is refused, whoever was slow. What was announced before the instant was decided before it.
    if status.phase is Phase.PENDING and _time_is_up(facts) and not _may_be_announced(facts):
        return _transition(
            facts,
            Event.TIME_OUT,
            reason=Reason.NOBODY_DECIDED,
            detail="not enough people agreed before the time was up",
        )
    violation = checks.first_violation(checks.STANDING, facts)
    if violation is not None:
        return _transition(facts, Event.FAIL, reason=violation.reason, detail=violation.message)
    return None


def _time_is_up(facts: Facts) -> bool:
    """Whether the time to decide is over, and no announcement is known that was made in it, durable or on its way."""
    decide_by = facts.request.status.decide_by
    # Without an instant to decide by there is no time in which anybody may decide.
    return (decide_by is None or decide_by <= facts.now) and facts.announced is None


def _may_be_announced(facts: Facts) -> bool:
    """Whether a trail that is not read yet may hold the announcement of a request that enough people agreed to."""
    is_decided = facts.policy is not None and tally(facts.policy.spec.approval, facts.request).is_complete
    return is_decided and not facts.trail.is_open


def grant(facts: Facts) -> Step | None:
    """Announce a grant, and once the announcement is durable, make the binding (promises P2, P5 and P8)."""
    request, status, policy = facts.request, facts.request.status, facts.policy
    if status.phase not in (Phase.PENDING, Phase.APPROVED) or policy is None:
        return None
    if facts.refusal is not None and facts.refusal.again_at is None:
        return _transition(facts, Event.FAIL, reason=facts.refusal.reason, detail=facts.refusal.message)
    count = tally(policy.spec.approval, request)
    if not count.is_complete:
        return _note_reviews(facts) if status.approvals != str(count) or reviews.unseen(request) else None
    if facts.intent is not None:
        return _bind(facts)
    if status.phase is Phase.PENDING and _time_is_up(facts):
        return None  # only the trail can tell whether they agreed in time, and it is not read yet
    if (waits := waits_for(facts)) is not None:
        return _wait_approved(facts, waits)
    if (step := _compare(facts)) is not None:
        return step
    # The end is computed once, from here; it travels in the announcement and on the binding.
    if may_go_unrecorded(facts):
        return _announce_in_status(facts)
    announced = announcing.announced(facts, *window(request, facts.now))
    return Step(submit=(*undurable(facts), *announced))  # what happened before comes before it in the log


def _announce_in_status(facts: Facts) -> Step:
    """Announce a broken glass in the request's status, sealed, because the log cannot be written (decision 0071)."""
    intended = announcing.intended(facts, *window(facts.request, facts.now))
    if facts.request.status.phase is not Phase.PENDING:
        return Step(act=Patch({}, outbox=_outbox(facts, (intended,))))
    message = f"the glass was broken, and the grant does not wait for the log: {facts.trail.message}"
    active = conditions.Observation(conditions.ACTIVE, False, "NotRecorded", message)
    return _transition(facts, Event.APPROVE, more=(intended,), active=active)


def _compare(facts: Facts) -> Step | None:
    """Read the role anew and fail where it or anything else is not as it must be; None where all is (promise P5)."""
    wanted = frozenset({Read.ROLE, Read.RIGHTS} if checks.needs_right_by_name(facts) else {Read.ROLE})
    if not wanted <= facts.was_read:
        return Step(reads=wanted)
    violation = checks.first_violation(checks.GRANT, facts)
    if violation is not None and violation.reason is Reason.TERMS_CHANGED and role_changes.is_settling(facts):
        return Step(wake_at=role_changes.settled_at(facts))
    if violation is not None:
        return _transition(facts, Event.FAIL, reason=violation.reason, detail=violation.message)
    return None


def _bind(facts: Facts) -> Step | None:
    """Make the binding that was announced, unless its time is over or another life of this process may have made it.

    Since the announcement a bucket may have been away: all that a grant must keep is looked at once more.
    """
    intent = facts.intent
    assert intent is not None  # noqa: S101  the caller looked
    if intent.expires_at <= facts.now:
        return _transition(
            facts, Event.FAIL, reason=Reason.WINDOW_ELAPSED, detail="its window was over before the grant could be made"
        )
    if not intent.is_own and Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))
    is_lost = intent.receipt is None and not intent.is_sealed
    if is_lost or (not intent.is_own and intent.starts_at + ACTIVATION_WINDOW <= facts.now):
        return _transition(
            facts,
            Event.FAIL,
            reason=Reason.ACTIVATION_INTERRUPTED,
            detail="Curfew was interrupted while making the grant and cannot tell whether it was ended since; "
            "apply a new AccessRequest",
        )
    if facts.refusal is not None and facts.refusal.again_at is not None and facts.refusal.again_at > facts.now:
        return Step(wake_at=facts.refusal.again_at)
    waits = waits_for(facts)
    can_grant = facts.enforcement.ok and facts.clock.ok and places_taken(facts) is None
    if waits is not None and not can_grant:
        return _wait_approved(facts, waits)
    step = _compare(facts)
    if step is not None and step.act is not None and Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))  # a try whose answer was lost may have made it: then it is a grant
    if step is not None:
        return step
    manifest = bindings.write_binding(
        facts.request, starts_at=intent.starts_at, expires_at=intent.expires_at, receipt=intent.receipt
    )
    return Step(act=Create(manifest))


def _wait_approved(facts: Facts, waits: conditions.Observation) -> Step | None:
    """Wait in Approved, and say for what; for a place under a limit not for ever."""
    if facts.request.status.phase is Phase.PENDING:
        return _transition(facts, Event.APPROVE, active=waits)
    is_full = waits.reason == Reason.LIMIT_REACHED
    if is_full and facts.intent is None and place_by(facts) <= facts.now:
        return _transition(facts, Event.FAIL, reason=Reason.LIMIT_REACHED, detail=places_taken(facts) or "")
    said = next((c for c in facts.request.status.conditions if c.type == conditions.ACTIVE), None)
    if said is not None and said.reason == waits.reason and (said.message == waits.message or not is_full):
        return None
    notices = _obstacle_notices(facts) if facts.obstacle is not facts.trail else ()
    return Step(act=Patch({"conditions": _conditions(facts, waits)}), notices=notices)


def _note_reviews(facts: Facts) -> Step:
    """Put what people decided, and when it was seen, into the status, without a change of phase."""
    assert facts.policy is not None  # noqa: S101  the caller looked
    new = reviews.new_reviews(facts)
    status = {
        "approvals": str(tally(facts.policy.spec.approval, facts.request)),
        **reviews.reviews_patch(facts, new),
    }
    patch = Patch(status, outbox=_outbox(facts, reviews.submitted(facts, new)))
    return Step(act=patch, notices=reviews.review_notices(facts, new))


def settle_outbox(facts: Facts) -> Step | None:
    """Let records that became durable leave the status, say what holds the others up, and close a story that is told."""
    status = facts.request.status
    if status.phase is None:
        return None
    if is_counted(facts):
        return Step(act=Close())
    waiting = undurable(facts)
    recorded = wording.recorded(len(waiting), facts.trail, holds_up=status.phase is Phase.APPROVED)
    said = next((c for c in status.conditions if c.type == conditions.RECORDED), None)
    is_news = said is None or (str(said.status) == "True", said.reason) != (recorded.status, recorded.reason)
    if len(waiting) < len(status.outbox) or is_news:
        patch = Patch({"conditions": _conditions(facts, recorded)}, outbox=waiting)
        return Step(submit=_to_submit(facts), act=patch, notices=_trail_notices(facts, recorded))
    if status.phase in lifecycle.FINAL:
        if waiting or owes_review(facts.request):
            return Step(submit=_to_submit(facts), wake_at=next_look(facts))
        return Step(act=Close())
    return None


def is_counted(facts: Facts) -> bool:
    """Whether a request is in a count. What the log has a record of is not, whatever the status shows."""
    return (
        counted_key(facts.request) is not None
        and record_id(facts.request.metadata.uid, "request.created") not in facts.durable
    )


def review_afterwards(facts: Facts) -> Step | None:
    """Take in what people say of a broken glass: the review that was owed, and that it is late."""
    request, status = facts.request, facts.request.status
    if status.review_by is None:
        return None
    new = reviews.new_reviews(facts)
    if new:
        records = reviews.submitted(facts, new)
        observed: tuple[conditions.Observation, ...] = ()
        if not owes_review(request):
            observed = (conditions.Observation(conditions.REVIEWED, True, "Reviewed", reviews.looked_at(new)),)
            if status.phase in lifecycle.FINAL:
                records = (*records, reviews.closed(facts, new, str(status.phase), stories.story(facts, new)))
        outbox = _outbox(facts, records)
        conditions_ = _conditions(facts, *observed, wording.recorded(len(outbox), facts.trail))
        patch = Patch({**reviews.reviews_patch(facts, new), "conditions": conditions_}, outbox=outbox)
        return Step(act=patch, notices=reviews.review_notices(facts, new))
    said = next((c for c in status.conditions if c.type == conditions.REVIEWED), None)
    if owes_review(request) and status.review_by <= facts.now and (said is None or said.reason != "ReviewOverdue"):
        record = reviews.overdue(facts)
        outbox = _outbox(facts, (record,))
        observed = (
            conditions.Observation(conditions.REVIEWED, False, "ReviewOverdue", reviews.OVERDUE),
            wording.recorded(len(outbox), facts.trail),
        )
        notice = about_request(request, "Warning", "ReviewOverdue", "Review", record.message, key="review-overdue")
        return Step(act=Patch({"conditions": _conditions(facts, *observed)}, outbox=outbox), notices=(notice,))
    return None


def _trail_notices(facts: Facts, recorded: conditions.Observation) -> tuple[Notice, ...]:
    """Return the Event that says that a request waits for the trail, where the condition says so: once an outage."""
    name, trail = facts.request.metadata.name, facts.trail
    if trail.ok or trail.is_starting or recorded.reason != trail.reason:
        return ()
    does = "does not wait for its record" if may_go_unrecorded(facts) else "waits"
    note = f"request {name} {does}: {trail.message}"
    key = f"trail/{trail.reason}/{format_time(trail.since)}"
    return (about_request(facts.request, "Warning", trail.reason, "Wait", note, key=key),)


def _obstacle_notices(facts: Facts) -> tuple[Notice, ...]:
    """Return the Event that says that a request waits for our own rules, or for the clock: once an outage."""
    states = (facts.enforcement, facts.clock)
    state = next((state for state in states if not state.ok and not state.is_starting), None)
    if state is None:
        return ()
    note = f"request {facts.request.metadata.name} waits: {state.message}"
    key = f"waits/{state.reason}/{format_time(state.since)}"
    return (about_request(facts.request, "Warning", state.reason, "Wait", note, key=key),)


def _transition(facts: Facts, event: Event, *, more: tuple[Record, ...] = (), **details: Any) -> Step:
    """Move a request along the table: phase, times, conditions and the records of it, and `more`, in one write."""
    change = Change(facts, event, lifecycle.advance(facts.request.status.phase, event), **details)
    # If the log holds the story closed, it holds the whole of it, whatever is in the outbox.
    outbox = () if facts.story_closed else _outbox(facts, (*change.records(), *more))
    waiting = undurable(facts)
    if waiting and room.stored_bytes(outbox) > room.OUTBOX_BYTES:  # a change alone is never that large
        return _wait_for_room(facts, waiting)
    status = {**change.status(), **reviews.reviews_patch(facts, change.reviews)}
    recorded = wording.recorded(len(outbox), facts.trail)
    if change.counted is not None:
        recorded = wording.counted(change.counted)
    status["conditions"] = _conditions(facts, *change.observations(), recorded)
    told = (*reviews.review_notices(facts, change.reviews), *change.notices(), *_trail_notices(facts, recorded))
    if event is Event.APPROVE:
        told = (*told, *_obstacle_notices(facts))
    return Step(act=Patch(status, event, outbox), notices=told)


def _conditions(facts: Facts, *observed: conditions.Observation) -> list[dict[str, Any]]:
    request = facts.request
    return conditions.update(request.status.conditions, observed, now=facts.now, generation=request.metadata.generation)


def _outbox(facts: Facts, new: tuple[Record, ...]) -> tuple[Record, ...]:
    """Return what the outbox is to hold: what is in it and not yet in the log, and what is new."""
    waiting = undurable(facts)
    known = {record.id for record in waiting}
    return (*waiting, *(record for record in _missing(new, facts) if record.id not in known))


def _has_room(facts: Facts) -> bool:
    """Whether the outbox takes a record that the story can do without, so that there is always room for its end."""
    return len(undurable(facts)) < OUTBOX_ROOM


def undurable(facts: Facts) -> tuple[Record, ...]:
    """Return the records in the status that are not yet known to be in the trail."""
    return _missing(facts.outbox.records if facts.outbox is not None else (), facts)


def _to_submit(facts: Facts) -> tuple[Record, ...]:
    """Return the records in the status that can be handed to the trail.

    Until the log is read, nobody knows whether it holds the story closed. The records are safe in the status.
    """
    return undurable(facts) if facts.trail.is_open else ()


def _missing(records: tuple[Record, ...], facts: Facts) -> tuple[Record, ...]:
    return tuple(record for record in records if record.id not in facts.durable)


def next_look(facts: Facts) -> datetime | None:
    """Return the next instant at which time alone changes something for a request, or None."""
    request, status = facts.request, facts.request.status
    instants = []
    if facts.binding is not None:
        instants.append(facts.binding.expires_at)
    if status.phase is Phase.ACTIVE:
        instants.append(status.expires_at)
    if status.phase is Phase.PENDING:
        instants.append(status.decide_by)
    if status.phase is Phase.APPROVED:
        instants += waking_times(facts)
    if status.phase in (Phase.PENDING, Phase.APPROVED):
        instants.append(request.spec.not_after)
    if facts.intent is not None and status.phase in (Phase.PENDING, Phase.APPROVED):
        instants.append(facts.intent.expires_at)
        if not facts.intent.is_own:
            instants.append(facts.intent.starts_at + ACTIVATION_WINDOW)
    if owes_review(request):
        instants.append(status.review_by)
    instants.append(role_changes.settled_at(facts))
    return min((instant for instant in instants if instant is not None and instant > facts.now), default=None)

"""From enough approvals to a binding: refusals in time, the announcement, and the grant (promises P2 and P6)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from curfew.api.access_request import DecisionKind, Phase
from curfew.core import announcing, bindings, checks, conditions, reviews, role_changes
from curfew.core.accepting import RIGHTS_GRACE
from curfew.core.approval import find_decision, tally
from curfew.core.facts import Facts, Intent, Read, Refusal
from curfew.core.lifecycle import Event
from curfew.core.locked_out import counting
from curfew.core.outbox import conditions_of, undurable, with_new
from curfew.core.reasons import Reason
from curfew.core.rechecks import ACTIVATION_WINDOW
from curfew.core.steps import Create, Patch, Step
from curfew.core.transition import obstacle_notices, transition
from curfew.core.unrecorded import may_go_unrecorded
from curfew.core.waiting import AHEAD, has_to_start_later, place_by, places_taken, waits_for
from curfew.core.window import window

RIGHTS_PAUSE = timedelta(seconds=0.5)
"""How long to wait before a refused binding that may still be accepted is tried again."""


def turn_down(facts: Facts) -> Step | None:
    """Carry out a no: from the requester, an approver or the clock, or because the terms no longer hold."""
    request, status = facts.request, facts.request.status
    if status.phase not in (Phase.PENDING, Phase.APPROVED):
        return None
    cancel = find_decision(request, DecisionKind.CANCEL)
    if cancel is not None:
        return transition(facts, Event.CANCEL, reason=Reason.CANCELLED_BY_REQUESTER, detail=f"{cancel.by} cancelled it")
    revoke = find_decision(request, DecisionKind.REVOKE)
    if revoke is not None and status.phase is Phase.APPROVED:
        return transition(
            facts, Event.REVOKE, reason=Reason.REVOKED_BY_APPROVER, detail=f"{revoke.by} revoked it before it began"
        )
    deny = find_decision(request, DecisionKind.DENY)
    if deny is not None and status.phase is Phase.PENDING:
        return transition(facts, Event.DENY, reason=Reason.DENIED_BY_APPROVER, detail=f"{deny.by} denied it")
    # A late approval is refused, no matter who was slow. What was announced before the deadline was decided in time.
    if status.phase is Phase.PENDING and _time_is_up(facts) and not _may_be_announced(facts):
        return transition(
            facts,
            Event.TIME_OUT,
            reason=Reason.NOBODY_DECIDED,
            detail="not enough people agreed before the time was up",
        )
    violation = checks.first_violation(checks.STANDING, facts)
    if violation is not None:
        return transition(facts, Event.FAIL, reason=violation.reason, detail=violation.message)
    return None


def _time_is_up(facts: Facts) -> bool:
    """Whether the time to decide is over and no announcement from that time is known, durable or on its way."""
    decide_by = facts.request.status.decide_by
    # Without a deadline to decide by there is no time in which anybody may decide.
    return (decide_by is None or decide_by <= facts.now) and facts.announced is None


def _may_be_announced(facts: Facts) -> bool:
    """Whether a trail that was not read yet may hold the announcement of a request that enough people agreed to."""
    is_decided = facts.policy is not None and tally(facts.policy.spec.approval, facts.request).is_complete
    return is_decided and not facts.trail.is_open


def grant(facts: Facts) -> Step | None:
    """Announce a grant, and once the announcement is durable, make the binding (promises P2, P5 and P8)."""
    request, status, policy = facts.request, facts.request.status, facts.policy
    if status.phase not in (Phase.PENDING, Phase.APPROVED) or policy is None:
        return None
    if facts.refusal is not None and facts.refusal.again_at is None:
        return transition(facts, Event.FAIL, reason=facts.refusal.reason, detail=facts.refusal.message)
    # Before the approvals are counted: a cluster that was set back may have lost them, and the announcement is still there.
    if facts.intent is not None and (step := _interrupted(facts, facts.intent)) is not None:
        return step
    count = tally(policy.spec.approval, counting(facts))
    if not count.is_complete:
        return _note_reviews(facts) if status.approvals != str(count) or reviews.unseen(request) else None
    if facts.intent is not None:
        return _bind(facts, facts.intent)
    if status.phase is Phase.PENDING and _time_is_up(facts):
        return None  # only the trail shows whether they agreed in time, and it was not read yet
    if any(review.effect == Reason.LOCKED for _, review in reviews.new_reviews(facts)):
        return _note_reviews(facts)  # the announcement does not tell what became of a decision
    if (waits := waits_for(facts)) is not None:
        return _announce_ahead(facts) or _wait_approved(facts, waits)
    if facts.handed_over is not None and not may_go_unrecorded(facts):
        return None  # it is on its way to the log, and everything is judged again before the binding is made
    if (step := _judge(facts, checks.ANNOUNCEMENT)) is not None:
        return step
    # The end is computed once, here. The announcement and the binding carry it from now on.
    if may_go_unrecorded(facts):
        return _announce_in_status(facts)
    announced = announcing.announced(facts, *window(request, facts.now))
    # Earlier records come before the announcement in the log. What the binding needs is read while it is written.
    return Step(submit=(*undurable(facts), *announced), reads=_unread(facts))


def _announce_ahead(facts: Facts) -> Step | None:
    """Announce a grant that waits for nothing but its start, if that is near: then many can begin at one instant.

    The announcement names the start, and nothing is granted before it. All rules are checked again then.
    """
    starts = facts.request.spec.not_before
    is_near = starts is not None and facts.now < starts <= facts.now + AHEAD
    is_ready = facts.request.status.phase is Phase.APPROVED and facts.obstacle is None and places_taken(facts) is None
    if starts is None or not is_near or not is_ready or facts.handed_over is not None:
        return None
    if checks.first_violation(checks.ANNOUNCEMENT, facts) is not None:
        return None  # what was changed may be changed back until then
    announced = announcing.announced(facts, *window(facts.request, starts))
    # The right to ask is asked now, because a yes counts for some seconds. The role is read at the start.
    reads = frozenset({Read.RIGHTS} if checks.needs_right_by_name(facts) else ()) - facts.fresh
    return Step(submit=(*undurable(facts), *announced), reads=reads, wake_at=starts)


def _announce_in_status(facts: Facts) -> Step:
    """Announce a broken glass in the request's status, sealed, because the log cannot be written (decision 0071).

    An announcement that is on its way to the log already has fixed the window: that is the one which the log will hold.
    """
    told = facts.handed_over
    starts, ends = (told.starts_at, told.expires_at) if told is not None else (None, None)
    fixed = (starts, ends) if starts is not None and ends is not None else window(facts.request, facts.now)
    intended = announcing.intended(facts, *fixed)
    if facts.request.status.phase is not Phase.PENDING:
        return Step(act=Patch({}, outbox=with_new(facts, (intended,))))
    message = f"the glass was broken, and the grant does not wait for the log: {facts.trail.message}"
    active = conditions.Observation(conditions.ACTIVE, False, "NotRecorded", message)
    return transition(facts, Event.APPROVE, more=(intended,), active=active)


def _unread(facts: Facts) -> frozenset[Read]:
    """Return what must be read before the binding is made, unless it was just read (promise P5)."""
    wanted = frozenset({Read.ROLE, Read.RIGHTS} if checks.needs_right_by_name(facts) else {Read.ROLE})
    return wanted if wanted - facts.fresh else frozenset()


def _judge(facts: Facts, rules: Sequence[checks.Check]) -> Step | None:
    """Fail if the role or anything else is not in order; None if everything is. Only a role that was just read can fail."""
    violation = checks.first_violation(rules, facts)
    if violation is None:
        return None
    if Read.ROLE not in facts.fresh:
        return Step(reads=frozenset({Read.ROLE}))
    if violation.reason is Reason.TERMS_CHANGED and role_changes.is_settling(facts):
        return Step(wake_at=role_changes.settled_at(facts))
    return transition(facts, Event.FAIL, reason=violation.reason, detail=violation.message)


def _interrupted(facts: Facts, intent: Intent) -> Step | None:
    """Give up a grant that was announced and can no longer be made, or read whether its binding is there. None: go on."""
    is_over = intent.expires_at <= facts.now
    if (is_over or not intent.is_own) and Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))  # a try without an answer may have made it
    if is_over:
        return transition(
            facts, Event.FAIL, reason=Reason.WINDOW_ELAPSED, detail="its window was over before the grant could be made"
        )
    is_lost = intent.receipt is None and not intent.is_sealed
    if is_lost or (not intent.is_own and intent.starts_at + ACTIVATION_WINDOW <= facts.now):
        return transition(
            facts,
            Event.FAIL,
            reason=Reason.ACTIVATION_INTERRUPTED,
            detail="Curfew was interrupted while making the grant and does not know whether it was ended since; "
            "apply a new AccessRequest",
        )
    return None


def _bind(facts: Facts, intent: Intent) -> Step | None:
    """Make the binding that was announced.

    The bucket may have been away since the announcement, so all rules for a grant are checked again.
    """
    if facts.refusal is not None and facts.refusal.again_at is not None and facts.refusal.again_at > facts.now:
        return Step(wake_at=facts.refusal.again_at)
    if has_to_start_later(facts):
        return None  # it was announced ahead
    waits = waits_for(facts)
    can_grant = facts.enforcement.ok and facts.clock.ok and facts.locks.ok and places_taken(facts) is None
    if waits is not None and not can_grant:
        return _wait_approved(facts, waits)
    if unread := _unread(facts):
        return Step(reads=unread)
    step = _judge(facts, checks.GRANT)
    fails = step is not None and (step.act is not None or step.told_end is not None)
    if fails and Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))  # a try without an answer may have made it: then it is a grant
    if step is not None:
        return step
    manifest = bindings.write_binding(
        facts.request, starts_at=intent.starts_at, expires_at=intent.expires_at, receipt=intent.receipt
    )
    return Step(act=Create(manifest, intent.expires_at))


def refused(problem: str, *, may_pass: bool, since: datetime, now: datetime) -> Refusal:
    """Return what the API server's refusal of a binding means. The first refusal was at `since`.

    If the refusal `may_pass`, the binding is tried again for a while: the API server learns of new rights a moment late.
    """
    is_early = may_pass and now < since + RIGHTS_GRACE
    message = f"the API server refused the binding: {problem}"
    return Refusal(Reason.CANNOT_BIND, message, again_at=now + RIGHTS_PAUSE if is_early else None)


def _wait_approved(facts: Facts, waits: conditions.Observation) -> Step | None:
    """Wait in Approved, and show for what. The wait for a place under a limit is bounded."""
    if facts.request.status.phase is Phase.PENDING:
        return transition(facts, Event.APPROVE, active=waits)
    is_full = waits.reason == Reason.LIMIT_REACHED
    if is_full and facts.intent is None and place_by(facts) <= facts.now:
        return transition(facts, Event.FAIL, reason=Reason.LIMIT_REACHED, detail=places_taken(facts) or "")
    said = next((c for c in facts.request.status.conditions if c.type == conditions.ACTIVE), None)
    if said is not None and said.reason == waits.reason and (said.message == waits.message or not is_full):
        return None
    notices = obstacle_notices(facts) if facts.obstacle is not facts.trail else ()
    return Step(act=Patch({"conditions": conditions_of(facts, waits)}), notices=notices)


def _note_reviews(facts: Facts) -> Step:
    """Write what people decided, and when it was seen, into the status, without a change of phase."""
    assert facts.policy is not None  # noqa: S101  the caller looked
    new = reviews.new_reviews(facts)
    status = {
        "approvals": str(tally(facts.policy.spec.approval, counting(facts))),
        **reviews.reviews_patch(facts, new),
    }
    patch = Patch(status, outbox=with_new(facts, reviews.submitted(facts, new)))
    return Step(act=patch, notices=reviews.review_notices(facts, new))

"""What an approved request waits for: one thing at a time, in this order.

First what keeps every grant waiting, then its own start, then a place under `limits.activePerRequester`.
"""

from datetime import datetime, timedelta

from curfew.core import conditions
from curfew.core.facts import Facts
from curfew.core.reasons import Reason
from curfew.core.unrecorded import may_go_unrecorded

AHEAD = timedelta(seconds=3)
"""How long before its start a grant is announced: long enough to announce hundreds that begin at one instant."""

_NAMED = 3  # how many of the requests that hold the places are named to people


def waits_for(facts: Facts) -> conditions.Observation | None:
    """Return what condition Active shows while the request waits, or None if nothing keeps its grant waiting."""
    if facts.obstacle is not None and not may_go_unrecorded(facts):
        return _not_active(facts.obstacle.reason, f"the grant waits: {facts.obstacle.message}")
    if has_to_start_later(facts):
        return _not_active("WaitingForStart", "the grant waits for its start")
    taken = places_taken(facts)
    if taken is not None:
        return _not_active(
            str(Reason.LIMIT_REACHED), f"the grant waits until another grant ends or is cancelled: {taken}"
        )
    return None


def has_to_start_later(facts: Facts) -> bool:
    """Whether the start that was asked for has not come."""
    starts = facts.request.spec.not_before
    return starts is not None and starts > facts.now


def places_taken(facts: Facts) -> str | None:
    """Return in words that the person holds as many grants now as the policy allows, or None.

    Only grants at the same time count: a request that begins when another ends does not have to wait.
    """
    if facts.policy is None or len(facts.rivals.holders) < facts.policy.spec.limits.active_per_requester:
        return None
    names = [holder.request for holder in facts.rivals.holders]
    named = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return (
        f"{facts.request.spec.requester} already holds {len(names)} grant{'s' if len(names) > 1 else ''} of AccessPolicy "
        f"{facts.policy.metadata.name}, which allows {facts.policy.spec.limits.active_per_requester} ({named})"
    )


def place_by(facts: Facts) -> datetime:
    """Return until when the request waits for a place: as long as it may wait for approvals, from its start on."""
    request, policy = facts.request, facts.policy
    decide_by, starts = request.status.decide_by or facts.now, request.spec.not_before
    if starts is None or policy is None:
        return decide_by
    return max(decide_by, starts + policy.spec.decide_within)


def waking_times(facts: Facts) -> list[datetime]:
    """Return the instants at which time alone changes what the request waits for."""
    starts = facts.request.spec.not_before
    instants = [starts - AHEAD, starts] if starts is not None else []
    if places_taken(facts) is not None:
        ends = [holder.expires_at for holder in facts.rivals.holders if holder.expires_at is not None]
        instants += [*ends, place_by(facts)]
    return instants


def _not_active(reason: str, message: str) -> conditions.Observation:
    return conditions.Observation(conditions.ACTIVE, False, reason, message)

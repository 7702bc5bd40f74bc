"""What a transition changes in the status, except reviews, outbox and condition Recorded.

The functions here can be named in a row of `core/change_table.py`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from curfew.api.access_request import Phase
from curfew.api.times import format_time
from curfew.core.approval import tally
from curfew.core.change import Change
from curfew.core.conditions import ACTIVE, APPROVED, READY, REVIEWED, STALLED, Observation
from curfew.core.locked_out import counting

REVIEW_WITHIN = timedelta(hours=24)
"""How soon after the glass was broken somebody else has to have reviewed that."""

REVIEW_OWED = "somebody who may approve has to review it, with a Review decision, within 24 hours"

Fields = Callable[[Change], dict[str, Any]]
Conditions = Callable[[Change], Iterator[Observation]]


def no_fields(change: Change) -> dict[str, Any]:
    """Return no fields: nothing changes except what every transition changes."""
    return {}


def pinned_terms(change: Change) -> dict[str, Any]:
    """Return the terms that were pinned, and until when people may decide."""
    policy = change.facts.policy
    if change.terms is None or change.decide_by is None or policy is None:
        return {}
    return {
        "decisions": [],
        "approvals": str(tally(policy.spec.approval, counting(change.facts))),
        "terms": change.terms.model_dump(by_alias=True, exclude_none=True, mode="json"),
        "decideBy": format_time(change.decide_by),
    }


def agreement(change: Change) -> dict[str, Any]:
    """Return how many people agreed, and when it was enough."""
    facts, status = change.facts, {}
    if facts.policy is not None:
        status["approvals"] = str(tally(facts.policy.spec.approval, counting(facts)))
    if facts.request.status.decided_at is None:
        status["decidedAt"] = format_time(facts.decided_at)
    return status


def window_of_grant(change: Change) -> dict[str, Any]:
    """Return the agreement, the binding that grants the access, and from when until when."""
    status, binding = agreement(change), change.binding
    if binding is None or (binding.receipt is None and not binding.is_unrecorded):
        return status
    status["startsAt"] = format_time(binding.starts_at or binding.created_at)
    status["grantedAt"] = format_time(binding.created_at)
    if binding.expires_at is not None:
        status["expiresAt"] = status["activeUntil"] = format_time(binding.expires_at)
    status["grant"] = {"binding": binding.name, "uid": binding.uid}
    if binding.receipt is not None:
        status["grant"]["receipt"] = binding.receipt.to_json()
    return status


def window_and_review(change: Change) -> dict[str, Any]:
    """Return the window of a broken glass, and until when somebody has to have reviewed it."""
    status, binding = window_of_grant(change), change.binding
    if binding is not None and "grant" in status:
        status["reviewBy"] = format_time(binding.created_at + REVIEW_WITHIN)
    return status


def count(change: Change) -> dict[str, Any]:
    """Return the count that a refused request is in, if it has no records of its own."""
    if change.counted is None:
        return {}
    return {
        "countedIn": format_time(change.counted.hour),
        **({"countedWithOthers": True} if change.counted.is_others else {}),
    }


def understood(change: Change) -> Iterator[Observation]:
    """Yield the conditions of a request that waits for approval."""
    yield Observation(READY, True, "Accepted", "the request is understood and its terms are pinned")
    yield Observation(APPROVED, False, "WaitingForApproval", "people have to agree")
    yield Observation(ACTIVE, False, "NotGranted", "waits for people to agree")


def refused(change: Change) -> Iterator[Observation]:
    """Yield the conditions of a request that can never be granted as written."""
    reason = str(change.reason)
    yield Observation(READY, False, reason, change.detail)
    yield Observation(APPROVED, False, reason, change.detail)
    yield Observation(ACTIVE, False, reason, f"nothing was granted: {change.detail}")
    yield Observation(STALLED, True, reason, change.detail)


def agreed(change: Change) -> Iterator[Observation]:
    """Yield the condition that enough people agreed."""
    yield Observation(APPROVED, True, "Approved", "enough people agreed")


def glass_broken(change: Change) -> Iterator[Observation]:
    """Yield the conditions that nobody was asked, and that somebody has to review the request."""
    yield Observation(APPROVED, True, "BreakGlass", "nobody was asked: the glass was broken")
    yield Observation(REVIEWED, False, "ReviewOwed", REVIEW_OWED)


def ended(change: Change) -> Iterator[Observation]:
    """Yield that nothing was granted, and why. For a grant that is over, the condition that people agreed stays."""
    if change.active is not None:
        return
    reason = str(change.reason)
    yield Observation(ACTIVE, False, reason, f"nothing was granted: {change.detail}")
    if change.facts.request.status.phase is not Phase.APPROVED:
        yield Observation(APPROVED, False, reason, change.detail)


def failed(change: Change) -> Iterator[Observation]:
    """Yield the conditions that nothing was granted, and that nothing more will happen to the request."""
    yield from ended(change)
    if change.active is None:
        yield Observation(STALLED, True, str(change.reason), change.detail)

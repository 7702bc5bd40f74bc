"""The story of one request, as its status tells it: one line for each thing that happened, in the order of time."""

from collections.abc import Iterator
from datetime import UTC, datetime

from curfew.core.guidance.objects import ShownDecision, ShownRequest

_LAST = datetime.max.replace(tzinfo=UTC)

_DID = {
    "Approve": "approved it",
    "Deny": "denied it",
    "Revoke": "revoked it",
    "Cancel": "cancelled it",
    "Review": "reviewed it",
    "Keep": "decided that what is left may stay",
}

_HAD_NO_EFFECT = {
    "OwnRequest": "does not count: nobody approves their own request",
    "SamePerson": "does not count: the same person has approved already",
    "TooLate": "came too late",
    "UnknownStage": "does not count: the policy has no such stage",
    "ReasonTooShort": "does not count: the policy asks for a longer reason",
    "ReasonMissing": "does not count: the policy asks for a reason",
    "Locked": "does not count: who decided is locked",
}


def story(request: ShownRequest) -> tuple[tuple[datetime | None, str], ...]:
    """Return what happened, with the instants; None if the status does not show when, which comes last."""
    ranked = sorted(_happened(request), key=lambda one: ((one[0] or _LAST).replace(microsecond=0), one[1]))
    return tuple((at, words) for at, _, words in ranked)


def _happened(request: ShownRequest) -> Iterator[tuple[datetime | None, int, str]]:
    """Yield what happened, with a rank for what happened in the same second: some times in a status are cut to it."""
    by = "" if request.submitted_by == request.requester else f" for {request.requester}"
    yield request.created_at, 0, f"{request.submitted_by or request.requester} asked{by}"
    for decision in request.decisions:
        yield decision.seen_at, 1 if decision.decision == "Approve" else 3, decided(decision)
    if request.granted_at is not None:
        yield request.granted_at, 2, f"{request.requester} got {str(request.role) or 'the access'}"
    if not request.is_open:
        why = f" ({request.end_reason})" if request.end_reason else ""
        yield request.ended_at, 4, f"{request.phase}{why}"


def decided(decision: ShownDecision) -> str:
    """Return what somebody decided, in words."""
    said = f"{decision.by} {_DID.get(decision.decision, f'decided {decision.decision}')}"
    if decision.stage:
        said += f" for stage {decision.stage}"
    if decision.reason:
        said += f": {decision.reason}"
    if decision.effect in _HAD_NO_EFFECT:
        said += f" ({_HAD_NO_EFFECT[decision.effect]})"
    return said

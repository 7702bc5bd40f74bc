"""What changed between two looks at a request, one sentence for each change: what `watch` prints."""

from collections.abc import Iterator
from datetime import datetime

from curfew.core.guidance.objects import ShownDecision, ShownRequest
from curfew.core.guidance.story import decided
from curfew.core.guidance.times import both_ways
from curfew.core.guidance.waiting import owes_review, waits_for


def changes(before: ShownRequest | None, after: ShownRequest, now: datetime) -> Iterator[str]:
    """Yield the changes. Of a request that was not seen before, what it is; nothing if it was over by then."""
    if before is None or before.uid != after.uid:
        if after.is_open:
            yield _asked(after)
        before = None
    if before is not None:
        yield from (decided(one) for one in after.decisions if _key(one) not in {_key(old) for old in before.decisions})
    if before is None or before.phase != after.phase:
        if before is not None or after.is_open:
            yield from _phase(after, now)
    elif after.phase == "Approved" and waits_for(before) != waits_for(after):
        yield f"waits for {waits_for(after)}"
    if before is not None and owes_review(before) and not owes_review(after):
        yield "was reviewed"


def _key(decision: ShownDecision) -> tuple[str, str]:
    return decision.by, decision.decision


def _asked(request: ShownRequest) -> str:
    return f"{request.requester} asks for {request.policy} for {request.duration}: {request.reason}"


def _phase(request: ShownRequest, now: datetime) -> Iterator[str]:
    match request.phase:
        case "":
            return
        case "Pending" | "Approved":
            yield f"{request.phase}: waits for {waits_for(request)}"
        case "Active":
            ends = f", ends {both_ways(request.expires_at, now)}" if request.expires_at is not None else ""
            yield f"Active: {request.requester} has {str(request.role) or 'the access'}{ends}"
            if owes_review(request):
                yield f"waits for {waits_for(request)}"
        case phase:
            why = f" ({request.end_reason})" if request.end_reason else ""
            message = why_over(request)
            yield f"{phase}{why}{f': {message}' if message else ''}"


def why_over(request: ShownRequest) -> str:
    """Return why a request is over, in the words of its status."""
    stalled, ready, active = (request.condition(type_).message for type_ in ("Stalled", "Ready", "Active"))
    if request.phase == "Failed":
        return stalled or ready or active
    return active

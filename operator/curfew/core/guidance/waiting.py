"""What a request waits for and when what comes next is due, in a few words; and the order in which requests are listed."""

from collections.abc import Iterable
from datetime import UTC, datetime

from curfew.core.guidance.objects import ShownRequest
from curfew.core.guidance.times import both_ways

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def waits_for(request: ShownRequest) -> str:
    """Return who or what an open request waits for; nothing for one that waits for nothing."""
    if request.phase == "":
        return "Curfew, which has not looked at it yet"
    if request.phase == "Pending":
        return _people(request)
    if request.phase == "Approved":
        return request.condition("Active").message.removeprefix("the grant waits: ") or "its grant"
    if owes_review(request):
        return "a review: the glass was broken"
    return ""


def owes_review(request: ShownRequest) -> bool:
    """Whether the glass was broken and nobody has reviewed it, as the status shows."""
    return request.review_by is not None and not request.condition("Reviewed").is_true


def open_stages(request: ShownRequest) -> tuple[str, ...]:
    """Return the stages for which no approval counts yet. A stage that needs two people is in it until the first came."""
    filled = {one.stage for one in request.decisions if (one.decision, one.effect) == ("Approve", "Counted")}
    return tuple(stage for stage in request.stages if stage not in filled)


def _people(request: ShownRequest) -> str:
    stages = [stage for stage in open_stages(request) if stage]
    of = f" ({', '.join(stages)})" if stages else ""
    given, slash, needed = request.approvals.partition("/")
    if not slash or not given.isdecimal() or not needed.isdecimal():
        return f"approval{of}"
    left, more = int(needed) - int(given), "more " if int(given) else ""
    return f"{left} {more}approval{'' if left == 1 else 's'}{of}"


def due(request: ShownRequest, now: datetime) -> str:
    """Return what comes next and when, or since when the request is over."""
    if request.is_open:
        if request.phase == "Active" and request.expires_at is not None:
            return f"ends {both_ways(request.expires_at, now)}"
        if request.phase == "Approved" and request.not_before is not None and request.not_before > now:
            return f"begins {both_ways(request.not_before, now)}"
        if request.phase == "Pending" and request.decide_by is not None:
            return f"to decide {both_ways(request.decide_by, now)}"
        return f"asked {both_ways(request.created_at, now)}" if request.created_at is not None else ""
    return f"ended {both_ways(request.ended_at, now)}" if request.ended_at is not None else ""


def in_order(requests: Iterable[ShownRequest]) -> tuple[list[ShownRequest], list[ShownRequest]]:
    """Return the open requests, the oldest first, and the finished ones, the last to end first."""
    known = sorted(requests, key=lambda one: (one.namespace, one.name))
    waiting = sorted((one for one in known if one.is_open), key=_asked)
    over = sorted((one for one in known if not one.is_open), key=_ended, reverse=True)
    return waiting, over


def _asked(request: ShownRequest) -> datetime:
    return request.created_at or _LONG_AGO


def _ended(request: ShownRequest) -> datetime:
    return request.ended_at or request.created_at or _LONG_AGO

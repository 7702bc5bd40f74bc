"""When a grant begins and when it ends: one rule, no matter what was late (promises P1 and P5).

The start moves later until everything is there that a grant needs: the approvals, `notBefore`, a log that takes records,
and a place under the limit. The duration counts from the start and is cut at `notAfter`, which never moves. Start and end
are announced in the log, seconds before the start if the grant waits for nothing else. From then on both are fixed: time that
is lost before the binding is made is lost from the grant.
"""

from datetime import datetime

from curfew.api.access_request import AccessRequest


def window(request: AccessRequest, start: datetime) -> tuple[datetime, datetime]:
    """Return start and end of a grant that starts at an instant. It is cut to the second; the end is counted from it."""
    starts_at = start.replace(microsecond=0)
    ends_at, last = starts_at + request.spec.duration, request.spec.not_after
    return starts_at, min(ends_at, last) if last is not None else ends_at


def is_over(request: AccessRequest, now: datetime) -> bool:
    """Whether the time that the access was asked for is completely over."""
    last = request.spec.not_after
    return last is not None and last <= now

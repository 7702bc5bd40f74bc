"""When a grant begins and when it ends: one rule, whatever was late (promises P1 and P5).

The start moves to later until all is there that a grant needs: the approvals, `notBefore`, a log that takes records, a
place under the limit. The duration counts from it and is cut at `notAfter`, which never moves. Both ends are announced
in the log. From then on nothing moves: time that is lost before the binding is made is lost from the grant.
"""

from datetime import datetime

from curfew.api.access_request import AccessRequest


def window(request: AccessRequest, now: datetime) -> tuple[datetime, datetime]:
    """Return start and end of a grant that is announced now. The start is cut to the second, and the end keeps to that."""
    starts_at = now.replace(microsecond=0)
    ends_at, last = starts_at + request.spec.duration, request.spec.not_after
    return starts_at, min(ends_at, last) if last is not None else ends_at


def is_over(request: AccessRequest, now: datetime) -> bool:
    """Whether nothing is left of the time in which the access was asked for."""
    last = request.spec.not_after
    return last is not None and last <= now

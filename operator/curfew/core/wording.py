"""What people read in conditions, Events and the trail: full sentences, the name of the thing, the next step.

No times in condition messages: a condition must not change because time passes.
"""

from curfew.api.access_request import AccessRequest
from curfew.api.times import format_time
from curfew.core import conditions
from curfew.core.counting import TallyKey
from curfew.core.facts import TrailState
from curfew.core.reasons import Reason

_SEALED = "every record is in the trail, or sealed in status.outbox and on its way there"


def role(request: AccessRequest) -> str:
    """Return the role that a request is about, in the words that people use."""
    terms = request.status.terms
    return (
        f"{terms.role.kind} {terms.role.name}"
        if terms is not None
        else f"what AccessPolicy {request.spec.policy_name} offers"
    )


def shown_by_audit_log(uid: str) -> str:
    """Return where to look for who deleted an object. A watch only shows that the object is gone, not who deleted it."""
    return f"the API server's audit log shows by whom; look in it for {uid}"


def ended(request: AccessRequest, reason: Reason, detail: str) -> str:
    """Return the sentence about the end of a grant."""
    how = "ended" if reason is Reason.DURATION_ELAPSED else "was ended early"
    return f"the access of {request.spec.requester} to {role(request)} {how}: {detail}"


def counted(key: TallyKey) -> conditions.Observation:
    """Return the condition of a refused request that has no records of its own."""
    hour = format_time(key.hour)
    return conditions.Observation(
        conditions.RECORDED,
        False,
        "Counted",
        f"it has no records of its own: one record, written after the hour from {hour}, holds the number of requests "
        "that were refused in that hour",
    )


def recorded(waiting: int, trail: TrailState, *, holds_up: bool = False) -> conditions.Observation:
    """Return the condition that shows whether every record of a request is durable: in the trail, or sealed on its way there.

    Records that wait in a status leave it with its next change, so it may show them when they are in the trail already.
    `holds_up` means that a grant waits for the trail, so that the trail's trouble matters although no record waits.
    """
    if not trail.ok and (waiting or holds_up):
        return conditions.Observation(conditions.RECORDED, False, trail.reason, trail.message)
    if waiting:
        return conditions.Observation(conditions.RECORDED, True, "Sealed", _SEALED)
    return conditions.Observation(conditions.RECORDED, True, "Durable", "all records are durable in the trail")

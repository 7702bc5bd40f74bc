"""What a lock on a person means for their decisions about the requests of others.

What gives access, or is the end of an inquiry, does not count while its author is locked; what takes access away always does
(promise P3). A decision that Curfew first saw while its author was locked never counts, also after the lock is lifted: the
status and the log have it as refused.
"""

from typing import Final

from curfew.api.access_lock import AccessLock
from curfew.api.access_policy import Mode
from curfew.api.access_request import AccessRequest, Decision, DecisionKind
from curfew.api.characters import person
from curfew.core.approval import was_locked_out
from curfew.core.facts import Facts

_ENDS_ACCESS: Final = frozenset({DecisionKind.DENY, DecisionKind.REVOKE, DecisionKind.CANCEL})


def lock_on(decision: Decision, facts: Facts) -> AccessLock | None:
    """Return the lock because of which a decision that is first seen now is refused, or None."""
    if not facts.locked or decision.decision in _ENDS_ACCESS or _was_seen(decision, facts):
        return None
    return facts.locked.get(person(decision.by))


def counting(facts: Facts) -> AccessRequest:
    """Return the request without the decisions that are first seen now and are refused because of a lock."""
    request = facts.request
    if not facts.locked:
        return request
    kept = tuple(decision for decision in request.status.decisions if lock_on(decision, facts) is None)
    return request.model_copy(update={"status": request.status.model_copy(update={"decisions": kept})})


def lock_on_approver(facts: Facts) -> tuple[str, AccessLock] | None:
    """Return who approved the request before they were locked, and the lock; None if nobody did, or had to."""
    if not facts.locked or facts.policy is None or facts.policy.spec.approval.mode is not Mode.REVIEW:
        return None
    counted = {review.by for review in facts.request.status.reviews if review.effect == "Counted"}
    for decision in facts.request.status.decisions:
        lock = facts.locked.get(person(decision.by))
        if lock is None or decision.decision is not DecisionKind.APPROVE or was_locked_out(facts.request, decision):
            continue
        if decision.by in counted or _was_announced(decision, facts):
            return decision.by, lock
    return None


def _was_seen(decision: Decision, facts: Facts) -> bool:
    """Whether it is settled already what became of a decision: in the status, or in the announcement of the grant."""
    seen = ((review.by, review.decision) for review in facts.request.status.reviews)
    return (decision.by, decision.decision) in seen or _was_announced(decision, facts)


def _was_announced(decision: Decision, facts: Facts) -> bool:
    told = facts.announced.decisions if facts.announced is not None else ()
    return (decision.by, str(decision.decision)) in ((one.by, one.decision) for one in told)

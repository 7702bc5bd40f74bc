"""A new request: it is accepted with its terms pinned, or refused, or it waits for the objects that it names."""

from datetime import datetime, timedelta

from curfew.api.access_request import RightBy
from curfew.core import checks, conditions
from curfew.core.facts import Facts, Read
from curfew.core.lifecycle import Event
from curfew.core.outbox import conditions_of
from curfew.core.reasons import Reason
from curfew.core.rechecks import POLICY_RECHECK, SEALS_RECHECK
from curfew.core.steps import Patch, Step
from curfew.core.terms import pin
from curfew.core.transition import transition

POLICY_GRACE = timedelta(seconds=30)
"""How long a new request waits for its policy and role to appear: one `kubectl apply` of a folder sends them in any order."""


RIGHTS_GRACE = timedelta(seconds=5)
"""How long a new request waits for one of Curfew's own rights: the API server learns of new bindings a moment late."""


def accept(facts: Facts) -> Step | None:
    """Check a new request and pin its terms, or report what is wrong with it."""
    request = facts.request
    if request.status.phase is not None:
        return None
    # Limits first: refusing a flood of requests must cost no calls.
    violation = checks.first_violation(checks.LIMITS, facts)
    if violation is None and facts.policy is not None and (unread := _unread(facts)):
        return Step(reads=unread)
    violation = violation or checks.first_violation(checks.ACCEPTANCE, facts)
    if violation is not None and violation.reason is Reason.ROLE_IS_PERMANENT and Read.ROLE not in facts.fresh:
        return Step(reads=frozenset({Read.ROLE}))  # the watch may not have reported yet that it was mended
    if violation is not None:
        grace = RIGHTS_GRACE if violation.reason is Reason.CANNOT_BIND else POLICY_GRACE
        waits_until = (request.metadata.creation_timestamp or facts.now) + grace
        may_appear = violation.reason in (Reason.POLICY_NOT_FOUND, Reason.ROLE_NOT_FOUND, Reason.CANNOT_BIND)
        if may_appear and facts.now < waits_until:
            return _wait_for_policy(facts, violation, waits_until)
        return _reject(facts, violation)
    if facts.policy is None or facts.role is None:
        raise AssertionError("ACCEPTANCE lets nothing through without policy and role")
    if facts.policy.spec.limits.once_per_name:
        if Read.NAME not in facts.was_read:  # last, because asking uses the name up
            return Step(reads=facts.was_read | {Read.NAME})
        if facts.name is None or facts.name.problem:
            return _wait_for_name(facts)
    terms = pin(request, facts.policy, facts.role, _right(facts))
    return transition(facts, Event.ACCEPT, terms=terms)


def _unread(facts: Facts) -> frozenset[Read]:
    """Return what must be read. The role is pinned as last seen: it is read at the grant, and nothing else is granted."""
    role = {Read.ROLE} if facts.role is None else set()
    return frozenset({Read.RIGHTS, *role}) - facts.fresh


def _reject(facts: Facts, violation: checks.Violation) -> Step:
    """Refuse a request, with its own records or counted with others. Only the log shows which, so it is read first."""
    if not facts.trail.is_open and facts.trail.is_starting:
        return Step(wake_at=facts.now + SEALS_RECHECK)
    is_ours = violation.reason is Reason.SELF_TEST
    return transition(
        facts,
        Event.REJECT,
        reason=violation.reason,
        detail=violation.message,
        counted=None if is_ours else facts.counting,
    )


def _right(facts: Facts) -> RightBy | None:
    if facts.rights is None:
        return None
    return RightBy.NAME if facts.rights.requester_may_ask else RightBy.GROUP


def _wait_for_name(facts: Facts) -> Step:
    """Wait until the store reports who has the name. Report the wait once."""
    problem = facts.name.problem if facts.name is not None else "it was not asked for"
    message = f"Curfew cannot find out whether the name was used before: {problem}"
    observed = conditions.Observation(conditions.READY, False, "NameUnknown", message)
    ready = next((c for c in facts.request.status.conditions if c.type == conditions.READY), None)
    if ready is not None and ready.message == observed.message:
        return Step(wake_at=facts.now + POLICY_RECHECK)
    return Step(act=Patch({"conditions": conditions_of(facts, observed)}))


def _wait_for_policy(facts: Facts, violation: checks.Violation, until: datetime) -> Step:
    observed = conditions.Observation(conditions.READY, False, str(violation.reason), violation.message)
    new = conditions.update(
        facts.request.status.conditions, (observed,), now=facts.now, generation=facts.request.metadata.generation
    )
    ready = next((c for c in facts.request.status.conditions if c.type == conditions.READY), None)
    if ready is not None and (ready.reason, ready.message) == (observed.reason, observed.message):
        return Step(wake_at=min(until, facts.now + POLICY_RECHECK))
    return Step(act=Patch({"conditions": new}))

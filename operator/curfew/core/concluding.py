"""Ends: of access, of requests whose binding is gone, and of requests deleted or restored (promises P1 and P3)."""

from typing import Literal

from curfew.api.access_request import Phase
from curfew.audit.record import record_id
from curfew.core import bindings, conditions, ending, lifecycle, role_changes, stories, wording
from curfew.core.facts import Facts, Read
from curfew.core.finishing import finish_recorded
from curfew.core.lifecycle import Event
from curfew.core.notices import about_request
from curfew.core.outbox import altered, conditions_of, has_room, missing, with_new
from curfew.core.reasons import Reason
from curfew.core.steps import Close, Forget, Patch, Remove, Step
from curfew.core.transition import transition


def end_access(facts: Facts) -> Step | None:
    """Remove a binding that has no right to exist, before looking at anything that can fail (promises P1 and P3)."""
    if facts.binding is None:
        return None
    cause = ending.why_ended(facts, facts.binding)
    if cause is None:
        return None
    return Step(act=Remove(facts.binding, *cause))


def close_restored(facts: Facts) -> Step | None:
    """Close a request again if the log shows its story as closed: etcd was restored from a time before its end.

    Nothing is recorded: the log has the whole story, and it may hold no record twice (promise P7).
    """
    request, status = facts.request, facts.request.status
    if not facts.story_closed:
        return None
    if facts.is_gone:
        return Step(act=Forget())
    if status.phase in lifecycle.FINAL:
        # Shortly after an ordinary end the records are still known, and the story closes in the ordinary way.
        is_long_ago = record_id(request.metadata.uid, "request.closed") not in facts.durable
        if not (is_long_ago or status.end_reason == Reason.STORY_CLOSED):
            return None
        return Step(act=Patch({}, outbox=()) if status.outbox else Close())  # the log also holds what is in the outbox
    if (step := finish_recorded(facts)) is not None:
        return step
    reason, detail = ending.STORY_CLOSED
    if status.phase is Phase.ACTIVE:
        ended = conditions.Observation(conditions.ACTIVE, False, str(reason), wording.ended(request, reason, detail))
        return transition(facts, Event.REVOKE, reason=reason, detail=detail, active=ended)
    event = Event.REJECT if status.phase is None else Event.FAIL
    return transition(facts, event, reason=reason, detail=detail)


def close_gone(facts: Facts) -> Step | None:
    """Record the end of a deleted request. It has no status any more, so its records go straight to the trail."""
    if not facts.is_gone:
        return None
    if facts.binding is None and Read.BINDING not in facts.was_read and _may_have_binding(facts):
        return Step(reads=frozenset({Read.BINDING}))
    records = (*with_new(facts, altered(facts)), *stories.deleted(facts))
    if all(record.id in facts.durable for record in records):
        return Step(act=Forget())
    return Step(submit=missing(records, facts), notices=stories.deleted_notices(facts))


def _may_have_binding(facts: Facts) -> bool:
    return facts.request.status.phase not in lifecycle.FINAL and facts.request.status.phase is not None


def conclude(facts: Facts) -> Step | None:
    """Close a grant whose binding is gone: the API server said so when Curfew removed it, or it was read back."""
    request, status = facts.request, facts.request.status
    if status.phase is not Phase.ACTIVE or (facts.binding is not None and ending.is_ours(facts.binding)):
        return None
    if facts.removal is None and Read.BINDING not in facts.was_read:
        return Step(reads=frozenset({Read.BINDING}))
    reason, detail = ending.why_gone(facts)
    ended_at = facts.removal.at if facts.removal is not None else facts.now
    event = Event.EXPIRE if reason is Reason.DURATION_ELAPSED else Event.REVOKE
    return transition(
        facts,
        event,
        reason=reason,
        detail=detail,
        ended_at=ended_at,
        active=conditions.Observation(conditions.ACTIVE, False, str(reason), wording.ended(request, reason, detail)),
    )


def adopt(facts: Facts) -> Step | None:
    """Show a grant as Active once its binding was read back. A binding of that name that Curfew did not make is a stranger."""
    request, status = facts.request, facts.request.status
    if status.phase not in (Phase.PENDING, Phase.APPROVED):
        return None
    binding = facts.binding or facts.lost
    if binding is None or (facts.binding is None and not ending.is_announced(facts)):
        return None  # what was removed before it was known whether it was a grant, and was none
    if not ending.is_ours(binding):
        return transition(
            facts,
            Event.FAIL,
            reason=Reason.BINDING_CONFLICT,
            detail=f"a RoleBinding named {binding.name} that Curfew did not make blocks the grant; "
            "an administrator has to look at it",
        )
    drift = bindings.find_drift(binding, request)
    if drift is not None:  # it is gone already, or `end_access` would have removed it
        return transition(facts, Event.FAIL, reason=drift[0], detail=drift[1])
    return transition(
        facts,
        Event.GRANT,
        binding=binding,
        active=conditions.Observation(
            conditions.ACTIVE,
            True,
            "Granted",
            f"{request.spec.requester} holds {wording.role(request)} in {request.metadata.namespace}",
        ),
    )


def note_role_change(facts: Facts) -> Step | None:
    """Record that a grant's role was changed, or changed back, if the policy keeps the grant in spite of that."""
    status, seen = facts.request.status, facts.role_seen
    if status.phase is not Phase.ACTIVE or status.terms is None or seen is None:
        return None
    said = next((c for c in status.conditions if c.type == conditions.ROLE_UNCHANGED), None)
    changed = role_changes.role_was_changed(facts)
    if changed is not None:
        now = f" (now {seen.rules_digest[:12]})" if seen.rules_digest else ""
        observed = conditions.Observation(conditions.ROLE_UNCHANGED, False, str(Reason.ROLE_CHANGED), f"{changed}{now}")
    elif said is not None and not role_changes.is_settling(facts):
        changed = f"the rules of {wording.role(facts.request)} were changed back"
        observed = conditions.Observation(conditions.ROLE_UNCHANGED, True, "AsApproved", changed)
    else:
        return None
    if (said is not None and said.message == observed.message) or not has_room(facts):
        return None
    record = stories.role_changed(facts, changed, seen.rules_digest)
    patch = Patch({"conditions": conditions_of(facts, observed)}, outbox=with_new(facts, (record,)))
    type_: Literal["Normal", "Warning"] = "Normal" if observed.status else "Warning"
    notice = about_request(
        facts.request, type_, str(Reason.ROLE_CHANGED), "Keep", record.message, key=f"role/{record.id}"
    )
    return Step(act=patch, notices=(notice,))

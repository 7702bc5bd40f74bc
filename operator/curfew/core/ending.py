"""Why an access ends: asked while its binding exists, and again after it is gone (promises P1 and P3)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from curfew.api.access_request import AccessRequest, DecisionKind, Phase
from curfew.api.times import format_time
from curfew.core import bindings, lifecycle, wording
from curfew.core.approval import find_decision, tally
from curfew.core.bindings import Binding
from curfew.core.facts import Facts, Read
from curfew.core.reasons import Reason
from curfew.core.role_changes import why_role_ends

Cause = tuple[Reason, str]
"""Why an access ends, in one CamelCase word and in words for people."""


STORY_CLOSED: Cause = (
    Reason.STORY_CLOSED,
    "the log holds its story closed: the cluster was set back to a time before its end",
)


def is_over(binding: Binding, now: datetime) -> Cause | None:
    """Return that the time of a binding is over, which needs the binding alone, or None."""
    if binding.expires_at is None or binding.expires_at > now:
        return None
    return Reason.DURATION_ELAPSED, "its window is over"


def last_word(body: Mapping[str, Any]) -> Cause | None:
    """Return why an access ends by what is left of an AccessRequest that cannot be read, or None.

    A decision to end it, a deletion and a final phase are carried out whatever else is in the object (promise P3).
    """
    meta, status = body.get("metadata"), body.get("status")
    if isinstance(meta, Mapping) and meta.get("deletionTimestamp") is not None:
        return Reason.REQUEST_DELETED, "its request was deleted"
    if not isinstance(status, Mapping):
        return None
    if status.get("phase") in tuple(lifecycle.FINAL):
        return Reason.BINDING_UNANNOUNCED, f"its request is {status['phase']}"
    decisions = status.get("decisions")
    for one in decisions if isinstance(decisions, list) else ():
        kind = one.get("decision") if isinstance(one, Mapping) else None
        if kind == DecisionKind.CANCEL:
            return Reason.RELEASED_BY_REQUESTER, f"{one.get('by')} gave it back"
        if kind in (DecisionKind.REVOKE, DecisionKind.DENY):
            return Reason.REVOKED_BY_APPROVER, f"{one.get('by')} decided {kind}"
    return None


def why_ended(facts: Facts, binding: Binding) -> Cause | None:
    """Return why a binding must go, or None while it may stay."""
    request, status = facts.request, facts.request.status
    if not is_ours(binding) and not _has_lost_our_label(binding, facts):
        return None  # a stranger's: ours carry our label; `adopt` raises the alarm
    if (over := is_over(binding, facts.now)) is not None:
        return over
    if facts.is_gone or request.metadata.deletion_timestamp is not None:
        return Reason.REQUEST_DELETED, "its request was deleted"
    if facts.story_closed and status.phase not in lifecycle.FINAL:
        return STORY_CLOSED
    drift = bindings.find_drift(binding, request)
    if drift is not None:
        return drift
    if status.phase is Phase.ACTIVE and status.expires_at is None:
        return Reason.EXPIRY_MISSING, "its request is Active without an end"
    if status.phase is None or status.phase in lifecycle.FINAL:
        return Reason.BINDING_UNANNOUNCED, f"its request is {status.phase or 'new'}"
    decided = _decided(request)
    if decided is not None:
        return decided
    if not _is_announced(facts):
        return Reason.BINDING_UNANNOUNCED, "the log does not announce it"
    if facts.intent is not None and binding.expires_at is not None and binding.expires_at > facts.intent.expires_at:
        return Reason.BINDING_TAMPERED, f"its end is later than was announced, {format_time(facts.intent.expires_at)}"
    return why_role_ends(facts)


def why_gone(facts: Facts) -> Cause:
    """Return why an Active request has no binding any more."""
    if facts.removal is not None:
        return facts.removal.reason, facts.removal.detail
    request, expires_at = facts.request, facts.request.status.expires_at
    if expires_at is not None and expires_at <= facts.now:
        return Reason.DURATION_ELAPSED, "its window is over"
    decided = _decided(request)
    if decided is not None:
        return decided
    return why_role_ends(facts) or _removed(request)


def _removed(request: AccessRequest) -> Cause:
    what, grant = "its binding was deleted by somebody else than Curfew", request.status.grant
    return Reason.BINDING_REMOVED, what if grant is None else f"{what}; {wording.shown_by_audit_log(grant.uid)}"


def is_ours(binding: Binding) -> bool:
    """Whether a binding carries our label; whatever else is in it, `why_ended` has judged by then."""
    return bool(binding.request_uid)


def _decided(request: AccessRequest) -> Cause | None:
    """Return which decision of a person ends the access, or None."""
    decision = find_decision(request, DecisionKind.REVOKE, DecisionKind.DENY)
    if decision is not None:
        return Reason.REVOKED_BY_APPROVER, f"{decision.by} decided {decision.decision}"
    decision = find_decision(request, DecisionKind.CANCEL)
    if decision is not None:
        return Reason.RELEASED_BY_REQUESTER, f"{decision.by} gave it back"
    return None


def _is_announced(facts: Facts) -> bool:
    """Whether a binding can be a grant: one that the log announces, whatever the status holds (promises P2 and P9).

    Until the log is read nothing follows from what is missing in it; but a binding that not enough people agreed to goes.
    """
    if facts.trail.is_open:
        return facts.intent is not None
    if facts.request.status.phase in (Phase.ACTIVE, Phase.APPROVED):
        return True
    return facts.policy is not None and tally(facts.policy.spec.approval, facts.request).is_complete


def _has_lost_our_label(binding: Binding, facts: Facts) -> bool:
    """Whether a binding that was just read is the one that was granted, without our label: no watch tells of it any more."""
    grant = facts.request.status.grant
    return Read.BINDING in facts.was_read and grant is not None and grant.uid == binding.uid

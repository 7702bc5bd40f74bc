"""Why an access ends: checked while its binding exists, and again after the binding is gone (promises P1 and P3).

Each reason is a small function. One list sets the order in which they are checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.api.access_lock import AccessLock
from curfew.api.access_request import DecisionKind, Phase
from curfew.api.times import format_time
from curfew.core import bindings, lifecycle, locks, wording
from curfew.core.approval import find_decision, tally
from curfew.core.bindings import Binding
from curfew.core.facts import Facts, Read
from curfew.core.reasons import Reason
from curfew.core.role_changes import why_role_ends

Cause = tuple[Reason, str]
"""Why an access ends: one CamelCase word, and a sentence for people."""

STORY_CLOSED: Cause = (
    Reason.STORY_CLOSED,
    "the log holds its story as closed: the cluster was set back to a time before its end",
)

_DELETED: Cause = (Reason.REQUEST_DELETED, "its request was deleted")


@dataclass(frozen=True, slots=True)
class Ending:
    """A reason why a binding must be removed."""

    check: Callable[[Facts, Binding | None], Cause | None]
    explains_absence: bool = False  # this is also the reason if the binding is gone and Curfew did not remove it


def window_is_over(facts: Facts, binding: Binding | None) -> Cause | None:
    """The time is over. The end on the binding counts; if the binding is gone, the end in the status counts."""
    return _elapsed(binding.expires_at if binding is not None else facts.request.status.expires_at, facts.now)


def request_was_deleted(facts: Facts, _: Binding | None) -> Cause | None:
    """The request is deleted, or will be."""
    return _DELETED if facts.is_gone or facts.request.metadata.deletion_timestamp is not None else None


def it_is_locked(facts: Facts, _: Binding | None) -> Cause | None:
    """A lock covers the request, or the binding."""
    return locked(facts.lock) if facts.lock is not None else None


def story_is_closed(facts: Facts, _: Binding | None) -> Cause | None:
    """The log holds the end of the story; the status does not show it."""
    return STORY_CLOSED if facts.story_closed and facts.request.status.phase not in lifecycle.FINAL else None


def binding_has_drifted(facts: Facts, binding: Binding | None) -> Cause | None:
    """The binding is not what was granted."""
    return bindings.find_drift(binding, facts.request) if binding is not None else None


def end_is_missing(facts: Facts, _: Binding | None) -> Cause | None:
    """The status has lost the end."""
    status = facts.request.status
    if status.phase is Phase.ACTIVE and status.expires_at is None:
        return Reason.EXPIRY_MISSING, "its request is Active without an end"
    return None


def request_is_over_or_new(facts: Facts, _: Binding | None) -> Cause | None:
    """The request is over, or Curfew has never looked at it."""
    phase = facts.request.status.phase
    return _unannounced(phase or "new") if phase is None or phase in lifecycle.FINAL else None


def somebody_decided(facts: Facts, _: Binding | None) -> Cause | None:
    """A person ended the access. An approver's decision counts before the requester's."""
    request = facts.request
    decision = find_decision(request, DecisionKind.REVOKE, DecisionKind.DENY) or find_decision(
        request, DecisionKind.CANCEL
    )
    return _decided(decision.decision, decision.by) if decision is not None else None


def log_does_not_announce_it(facts: Facts, _: Binding | None) -> Cause | None:
    """The grant was not announced (promises P2 and P9)."""
    return None if is_announced(facts) else (Reason.BINDING_UNANNOUNCED, "the log does not announce it")


def end_is_later_than_announced(facts: Facts, binding: Binding | None) -> Cause | None:
    """The end on the binding is later than the log announces."""
    intent, expires_at = facts.intent, binding.expires_at if binding is not None else None
    if intent is None or expires_at is None or expires_at <= intent.expires_at:
        return None
    return Reason.BINDING_TAMPERED, f"its end is later than was announced, {format_time(intent.expires_at)}"


def role_has_changed(facts: Facts, _: Binding | None) -> Cause | None:
    """The role now allows something else, and the grant ends because of that."""
    return why_role_ends(facts)


ENDINGS: tuple[Ending, ...] = (
    Ending(window_is_over, explains_absence=True),
    Ending(request_was_deleted, explains_absence=True),
    Ending(story_is_closed),
    Ending(binding_has_drifted),
    Ending(end_is_missing),
    Ending(request_is_over_or_new),
    Ending(somebody_decided, explains_absence=True),
    Ending(log_does_not_announce_it),
    Ending(end_is_later_than_announced),
    Ending(it_is_locked, explains_absence=True),  # after what shows that it was never a grant
    Ending(role_has_changed, explains_absence=True),
)
"""Why a binding must be removed; the first reason that applies counts."""


def why_ended(facts: Facts, binding: Binding) -> Cause | None:
    """Return why a binding must be removed, or None while it may stay."""
    if not is_ours(binding) and not _has_lost_our_label(binding, facts):
        return None  # a stranger's: ours carry our label; `adopt` raises the alarm
    return next((cause for one in ENDINGS if (cause := one.check(facts, binding)) is not None), None)


def why_gone(facts: Facts) -> Cause:
    """Return why an Active request has no binding any more. If Curfew removed it, the reason of that removal stays."""
    if facts.removal is not None:
        return facts.removal.reason, facts.removal.detail
    known = (one.check(facts, None) for one in ENDINGS if one.explains_absence)
    return next((cause for cause in known if cause is not None), None) or _removed(facts)


def is_over(binding: Binding, now: datetime) -> Cause | None:
    """Return the cause if the time of a binding is over, or None. This needs only the binding."""
    return _elapsed(binding.expires_at, now)


def locked(lock: AccessLock) -> Cause:
    """Return the cause of an end by a lock."""
    return Reason.LOCKED, locks.sentence(lock)


def last_word(body: Mapping[str, Any]) -> Cause | None:
    """Return why an access ends, from the readable rest of an AccessRequest that cannot be read as a whole, or None.

    A decision to end the access, a deletion and a final phase take effect whatever else is in the object (promise P3).
    The first of several decisions counts, no matter who made it.
    """
    meta, status = body.get("metadata"), body.get("status")
    if isinstance(meta, Mapping) and meta.get("deletionTimestamp") is not None:
        return _DELETED
    if not isinstance(status, Mapping):
        return None
    if status.get("phase") in tuple(lifecycle.FINAL):
        return _unannounced(status["phase"])
    decisions = status.get("decisions")
    read = (one for one in (decisions if isinstance(decisions, list) else ()) if isinstance(one, Mapping))
    known = (_decided(one.get("decision"), one.get("by")) for one in read)
    return next((cause for cause in known if cause is not None), None)


def is_ours(binding: Binding) -> bool:
    """Whether a binding carries our label. `why_ended` has already judged everything else in the binding."""
    return bool(binding.request_uid)


def _elapsed(expires_at: datetime | None, now: datetime) -> Cause | None:
    if expires_at is None or expires_at > now:
        return None
    return Reason.DURATION_ELAPSED, "its window is over"


def _unannounced(phase: str) -> Cause:
    return Reason.BINDING_UNANNOUNCED, f"its request is {phase}"


def _decided(kind: object, by: object) -> Cause | None:
    """Return the cause if a decision of this kind ends the access, or None."""
    if kind in (DecisionKind.REVOKE, DecisionKind.DENY):
        return Reason.REVOKED_BY_APPROVER, f"{by} decided {kind}"
    if kind == DecisionKind.CANCEL:
        return Reason.RELEASED_BY_REQUESTER, f"{by} gave it back"
    return None


def _removed(facts: Facts) -> Cause:
    what, grant = "its binding was deleted by somebody other than Curfew", facts.request.status.grant
    return Reason.BINDING_REMOVED, what if grant is None else f"{what}; {wording.shown_by_audit_log(grant.uid)}"


def is_announced(facts: Facts) -> bool:
    """Whether a binding can be a grant: the log must announce it, whatever the status shows (promises P2 and P9).

    Until the log is read, a missing announcement proves nothing. A binding that too few people agreed to is removed anyway.
    """
    if facts.trail.is_open:
        return facts.intent is not None
    if facts.request.status.phase in (Phase.ACTIVE, Phase.APPROVED):
        return True
    return facts.policy is not None and tally(facts.policy.spec.approval, facts.request).is_complete


def _has_lost_our_label(binding: Binding, facts: Facts) -> bool:
    """Whether a binding that was just read is the granted one without our label. No watch reports it any more."""
    grant = facts.request.status.grant
    return Read.BINDING in facts.was_read and grant is not None and grant.uid == binding.uid

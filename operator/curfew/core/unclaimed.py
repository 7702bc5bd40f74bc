"""Bindings that carry our label but are not a grant: how each ends, and what that means for its request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curfew.api.access_request import AccessRequest, Phase
from curfew.api.names import granted_by
from curfew.core.bindings import Binding
from curfew.core.facts import Refusal
from curfew.core.reasons import Reason
from curfew.core.steps import Remove

TAMPERED = (Reason.BINDING_TAMPERED, Reason.EXPIRY_MISSING)
"""Reasons to remove a binding that is no longer the one we made."""

ILLEGITIMATE = (Reason.BINDING_UNANNOUNCED, *TAMPERED)
"""Reasons to remove a binding that was never a grant of ours, or is no longer the one we made."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a binding ends if nothing is known about its request."""

    removal: Remove
    doubt: str = ""  # the log was not read yet: why the binding is an orphan if the log does not know its request


def judge(
    uid: str, binding: Binding, found: Mapping[str, Any] | None, *, is_explained: bool, is_log_read: bool
) -> Verdict:
    """Return how the binding with the key `uid` ends if nothing is known about its request.

    `found` is the request that the binding names, if one exists: it is closed, or it is another request. `is_explained`: the
    log shows the request's story as open, or as closed by deletion. Then this is the end of that grant and recorded as that.
    """
    why = _why_orphan(uid, binding, found)
    if is_explained or not is_log_read:
        removal = Remove(binding, Reason.REQUEST_DELETED, "its request was deleted")
        return Verdict(removal, doubt="" if is_explained else why)
    return Verdict(Remove(binding, Reason.BINDING_UNANNOUNCED, why))


def _why_orphan(uid: str, binding: Binding, found: Mapping[str, Any] | None) -> str:
    if granted_by(binding.name) != uid:
        return "it looks like a grant but belongs to no request"
    return "its request is over" if found is not None else "its request does not exist"


def was_no_grant(removal: Remove, request: AccessRequest | None, *, is_story_closed: bool) -> bool:
    """Whether a removed binding was not ours to adopt, so that its end is not the end of a grant.

    `request` is the request that the binding claims to be for, if known. If the log shows that story as closed
    (`is_story_closed`), the binding came back with an older state of the cluster.
    """
    if request is None:
        return removal.reason in ILLEGITIMATE
    return is_story_closed or (removal.reason in ILLEGITIMATE and request.status.phase is not Phase.ACTIVE)


def refuses_another(removal: Remove) -> Refusal | None:
    """Return why no binding is made in place of one that was not a grant; None if another may be made."""
    if removal.reason not in TAMPERED:
        return None
    return Refusal(removal.reason, f"its binding was not as it was made: {removal.detail}")

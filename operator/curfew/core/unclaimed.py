"""Bindings that carry our label and are no grant: how each ends, and what that means for its request."""

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
"""Why a binding is removed that is no longer the one we made."""

ILLEGITIMATE = (Reason.BINDING_UNANNOUNCED, *TAMPERED)
"""Why a binding is removed that was never a grant of ours, or is no longer the one we made."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a binding ends of whose request nothing is known."""

    removal: Remove
    doubt: str = ""  # why it is an orphan if the log, which is not read yet, turns out not to know its request


def judge(
    uid: str, binding: Binding, found: Mapping[str, Any] | None, *, is_explained: bool, is_log_read: bool
) -> Verdict:
    """Return how a binding with the key `uid` ends of whose request nothing is known.

    `found` is the request that the binding names, if there is one: it is closed, or another. `is_explained`: the log holds the
    request's story open, or has it closed as deleted: then this is the end of that grant, and told with it.
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
    """Whether a binding that was removed was none of ours to adopt, so that its end is not the end of a grant.

    `request` is the one that it claims to be for, if that is known. If the log holds its story closed (`is_story_closed`), the
    binding came back with an older state of the cluster.
    """
    if request is None:
        return removal.reason in ILLEGITIMATE
    return is_story_closed or (removal.reason in ILLEGITIMATE and request.status.phase is not Phase.ACTIVE)


def refuses_another(removal: Remove) -> Refusal | None:
    """Return why no binding is made in place of one that was no grant; None if another may be made."""
    if removal.reason not in TAMPERED:
        return None
    return Refusal(removal.reason, f"its binding was not as it was made: {removal.detail}")

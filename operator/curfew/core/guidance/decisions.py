"""A decision as a JSON patch: it tests that the request is the one that was shown."""

from typing import Any, Final

from curfew.core.guidance.objects import ShownRequest

POSSIBLE: Final = {
    "Approve": ("Pending",),
    "Deny": ("Pending",),
    "Revoke": ("Approved", "Active"),
    "Cancel": ("Pending", "Approved", "Active"),
}
"""The phases in which a decision can be made."""

_INSTEAD = {
    ("Deny", "Approved"): "revoke it instead",
    ("Deny", "Active"): "revoke it instead",
    ("Revoke", "Pending"): "deny it instead, or let its requester cancel it",
}


def patch(request: ShownRequest, by: str, decision: str, *, stage: str = "", reason: str = "") -> list[dict[str, Any]]:
    """Return the operations that add a decision to the very request that was shown, with the terms that were shown.

    A request that was made again under the same name has another UID, so the API server refuses the patch.
    """
    value = {"by": by, "decision": decision}
    if stage:
        value["stage"] = stage
    if reason:
        value["reason"] = reason
    tests: list[dict[str, Any]] = [{"op": "test", "path": "/metadata/uid", "value": request.uid}]
    if decision == "Approve" and request.terms:
        tests.append({"op": "test", "path": "/status/terms/digest", "value": request.terms})
    return [*tests, {"op": "add", "path": "/status/decisions/-", "value": value}]


def not_now(request: ShownRequest, decision: str) -> str:
    """Return why a decision cannot be made in the phase of a request; nothing if it can."""
    if request.phase in POSSIBLE[decision]:
        return ""
    if request.phase == "":
        return "Curfew has not looked at it yet; if that does not change within a minute, Curfew is not running"
    if not request.is_open:
        return f"it is over: {request.phase}" + (f" ({request.end_reason})" if request.end_reason else "")
    instead = _INSTEAD.get((decision, request.phase), "")
    return f"it is {request.phase}" + (f"; {instead}" if instead else "")

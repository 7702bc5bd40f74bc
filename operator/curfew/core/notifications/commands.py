"""The exact commands that decide a request, with bare kubectl.

They are pasted into shells, so a name that is not as the API server makes names gives no command at all.
"""

import json
import re
import shlex
from typing import Final

from curfew.api.access_request import DecisionKind
from curfew.api.names import NAMESPACE_NAME, OBJECT_NAME
from curfew.audit.record import Story
from curfew.core.notifications.message import Command

_UID: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9]{0,62}[A-Za-z0-9])?")

_CALLER: Final = """'"$(kubectl auth whoami -o jsonpath='{.status.userInfo.username}')"'"""
"""Ends the single quotes, puts in the name that the API server knows the caller by, and opens them again."""

_PLACE: Final = "CALLER"

WRITE_WHY: Final = "WRITE WHY"
"""Stands where a reason has to be written."""


def decide(told: Story, decision: DecisionKind, *, stage: str = "", needs_reason: bool = False) -> Command | None:
    """Return the command by which whoever runs it decides a request, or None if its names cannot be trusted in a shell.

    It tests the UID, so it decides this request and no later one of the same name.
    """
    is_safe = (
        NAMESPACE_NAME.fullmatch(told.namespace)
        and OBJECT_NAME.fullmatch(told.request)
        and _UID.fullmatch(told.uid)
        and (not stage or NAMESPACE_NAME.fullmatch(stage))
    )
    if not is_safe:
        return None
    value = {"by": _PLACE, "decision": str(decision)}
    if stage:
        value["stage"] = stage
    if needs_reason:
        value["reason"] = WRITE_WHY
    patch = json.dumps(
        [
            {"op": "test", "path": "/metadata/uid", "value": told.uid},
            {"op": "add", "path": "/status/decisions/-", "value": value},
        ],
        separators=(",", ":"),
    )
    before, _, after = patch.partition(_PLACE)
    does = f"{decision}" + (f" for stage {stage}" if stage else "") + (" (write your reason)" if needs_reason else "")
    return Command(
        does,
        f"kubectl patch accessrequest {shlex.quote(told.request)} -n {shlex.quote(told.namespace)} "
        f"--subresource=status --type=json -p '{before}{_CALLER}{after}'",
    )

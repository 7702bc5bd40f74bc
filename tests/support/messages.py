"""Messages and the records that they follow from, good by default."""

from datetime import datetime, timedelta
from typing import Any

from curfew.audit.record import CURFEW, PolicyRef, Record, RoleRef, Story, make_record
from curfew.core.notifications.message import Message
from curfew.core.notifications.requests import messages
from tests.support.builders import ALICE, NOON

UID = "6f1e8c1e-7d6b-4b86-a5a5-0c6b0f3f5a11"


def a_told_story(**changes: Any) -> Story:
    """Return the story of alice's request."""
    known: dict[str, Any] = {
        "uid": UID,
        "namespace": "payments",
        "request": "inc-4711",
        "requester": ALICE,
        "submitted_by": ALICE,
        "reason": "payment workers crash-loop",
        "ticket": "INC-4711",
        "duration": 3600,
        "policy": PolicyRef("debug", "p", 1),
        "role": RoleRef("ClusterRole", "payments-debug", "r", "00"),
        "decide_by": NOON + timedelta(hours=1),
    }
    return Story(**(known | changes))


def a_told_record(
    event: str = "request.accepted",
    *,
    at: datetime = NOON,
    detail: dict[str, Any] | None = None,
    actor: str = CURFEW,
    message: str = "",
    **story: Any,
) -> Record:
    """Return a record about alice's request, by default that it was accepted and needs one person."""
    if detail is None:
        detail = {"needed": 1, "risk": ["ReadsSecrets"]} if event == "request.accepted" else {}
    told = a_told_story(**story)
    return make_record(
        event, at=at, actor=actor, message=message or f"request {told.request}", story=told, detail=detail
    )


def a_message(event: str = "request.accepted", **changes: Any) -> Message:
    """Return the message that follows from such a record."""
    return messages(a_told_record(event, **changes))[0]

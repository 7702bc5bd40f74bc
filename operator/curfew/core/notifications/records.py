"""The records of what was told to whom: sent, or given up. No address is in them, for addresses hold secrets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.notifications.message import Message

SENT: Final = "notification.sent"
DROPPED: Final = "notification.dropped"

MOST_NAMED: Final = 500
"""Most messages that one record names; a digest holds no more."""


def sent(
    log: str, messages: Sequence[Message], *, route: str, number: int, channel: str, attempts: int, at: datetime
) -> Record:
    """Return the record that a message, or a digest of several, went out by a channel: the receiver has confirmed it.

    `log` is the id of the monitor's log. A second record about the same messages and the same channel is the same record.
    """
    what = _what(messages)
    detail = _detail(messages, route, number, channel) | {"attempts": attempts}
    return make_record(
        SENT,
        at=at,
        actor=CURFEW,
        message=f"{what} went out by route {route} ({channel})" + (f" at try {attempts}" if attempts > 1 else ""),
        subject=log,
        qualifier=_qualifier(messages, route, number),
        detail=detail,
    )


def dropped(
    log: str,
    messages: Sequence[Message],
    *,
    route: str,
    number: int,
    channel: str,
    attempts: int,
    why: str,
    at: datetime,
) -> Record:
    """Return the record that messages were given up, with their number. `why` is a sentence without secrets."""
    detail = _detail(messages, route, number, channel) | {"attempts": attempts, "why": why}
    return make_record(
        DROPPED,
        at=at,
        actor=CURFEW,
        message=f"{_what(messages)} did not go out by route {route} ({channel}): {why}",
        subject=log,
        qualifier=f"{_qualifier(messages, route, number)}/{format_time(at)}",
        success=False,
        detail=detail,
    )


def settled(record: Record) -> tuple[tuple[str, str], ...]:
    """Return which messages a record is about, each as its key and its channel; none for a record that cannot be read."""
    if record.event not in (SENT, DROPPED):
        return ()
    detail = record.block.get("detail")
    if not isinstance(detail, Mapping):
        return ()
    keys, route, number = detail.get("messages"), detail.get("route"), detail.get("number")
    if not isinstance(keys, list) or not isinstance(route, str) or type(number) is not int:
        return ()
    return tuple((key, f"{route}/{number}") for key in keys[:MOST_NAMED] if isinstance(key, str))


def _detail(messages: Sequence[Message], route: str, number: int, channel: str) -> dict[str, Any]:
    topics = {str(message.topic) for message in messages}
    return {
        "event": topics.pop() if len(topics) == 1 else "Digest",
        "messages": [message.key for message in messages[:MOST_NAMED]],
        "route": route,
        "number": number,
        "channel": channel,
        "count": len(messages),
    }


def _what(messages: Sequence[Message]) -> str:
    return f"message {messages[0].topic}" if len(messages) == 1 else f"a digest of {len(messages)} messages"


def _qualifier(messages: Sequence[Message], route: str, number: int) -> str:
    return f"{route}/{number}/{messages[0].key}/{messages[-1].key}/{len(messages)}"

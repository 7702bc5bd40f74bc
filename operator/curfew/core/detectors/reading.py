"""What detectors read of records, whatever those hold: a value of another type than it should be is as good as missing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from curfew.audit.record import Record, RecordRefused, Story

LONGEST: Final = 256
"""Most characters of a text that an alert repeats. Names of Kubernetes' are shorter; what is longer is somebody's trick."""

_MOST: Final = 100  # texts of a list


def detail(record: Record) -> Mapping[str, Any]:
    """Return what only this kind of record has; nothing if it has nothing or is damaged."""
    told = record.block.get("detail")
    return told if isinstance(told, Mapping) else {}


def text(told: Mapping[str, Any], name: str) -> str:
    """Return a text, cut to `LONGEST`; empty if there is none."""
    value = told.get(name)
    return value[:LONGEST] if type(value) is str else ""


def number(told: Mapping[str, Any], name: str) -> int:
    """Return a whole number that is not negative; 0 if there is none."""
    value = told.get(name)
    return value if type(value) is int and value >= 0 else 0


def texts(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the texts of a list, at most a hundred."""
    value = told.get(name)
    return tuple(one[:LONGEST] for one in value[:_MOST] if type(one) is str) if isinstance(value, list | tuple) else ()


def time(told: Mapping[str, Any], name: str) -> datetime | None:
    """Return an instant in UTC; None if there is none."""
    try:
        at = datetime.fromisoformat(told[name])
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def actor(record: Record) -> str:
    """Return who did it, as the API server authenticated it; empty if the record does not name anybody."""
    return text(record.block, "actor")


def story_of(record: Record) -> Story | None:
    """Return the story of a record about a request; None for any other, and for one that cannot be read."""
    try:
        return Story.of(record)
    except RecordRefused:
        return None

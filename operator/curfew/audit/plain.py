"""Values as a record holds them: texts, whole numbers, booleans, lists and objects. What is not known is left out."""

import dataclasses
import functools
from datetime import UTC, datetime
from typing import Any


def plain(value: Any) -> Any:
    """Return a value without times, tuples and dataclasses; fields that are None or empty tuples are left out."""
    if isinstance(value, datetime):
        return told_time(value)
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    kind: Any = type(value)
    if (names := _names_of(kind)) is None:
        return value
    told = {}
    for name in names:
        part = getattr(value, name)
        # Most parts are texts, and every record of a log passes here.
        if type(part) is str:
            told[name] = part
        elif part is not None and part != ():
            told[name] = plain(part)
    return told


def told_time(at: datetime) -> str:
    """Return an instant (aware) in UTC, to the microsecond if it is not on a second."""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{in_utc.isoformat(timespec='microseconds' if at.microsecond else 'seconds')[:-6]}Z"  # without +00:00


@functools.cache
def _names_of(kind: type[Any]) -> tuple[str, ...] | None:
    """Return the names of a dataclass's fields, or None for another type."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None

"""Values as a record holds them: texts, whole numbers, booleans, lists and objects. What is not known is left out."""

import dataclasses
import functools
from datetime import UTC, datetime
from typing import Any


def plain(value: Any) -> Any:
    """Return a value without times, tuples and dataclasses; fields that are None or empty tuples are left out."""
    if isinstance(value, datetime):
        return told_time(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {}
        for name in _names_of(type(value)):
            part = getattr(value, name)
            # Most parts are texts, and every record of a log passes here.
            if type(part) is str:
                told[name] = part
            elif part is not None and part != ():
                told[name] = plain(part)
        return told
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def told_time(at: datetime) -> str:
    """Return an instant (aware) in UTC, to the microsecond if it is not on a second."""
    text = at.astimezone(UTC).isoformat(timespec="microseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


@functools.cache
def _names_of(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))

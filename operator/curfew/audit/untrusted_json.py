"""Reading JSON from outside: the number of values is bounded before parsing, and refusals are clauses for people."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import orjson

MOST_VALUES = 2_000_000
"""Most values in a document. Each takes some 60 bytes when it is parsed."""

TEXT: Final = rb'"(?:[^"\\]++|\\.?)*+"?'
"""Pattern (with DOTALL) of a text of JSON, to its end or that of the document."""

_TEXT_OR_SIGN: Final = re.compile(TEXT + rb"|([,\[{:])", re.DOTALL)


class GivenRefused(ValueError):
    """A document that does not have the required form. `str(error)` completes "it cannot be used: ..."."""


class TooManyValues(GivenRefused):
    """A document that holds more values than are parsed."""


def parse_given(data: bytes, most_values: int = MOST_VALUES) -> Any:
    """Return the value of a JSON document, or raise `GivenRefused`. Its reader has to bound the number of its bytes.

    The value holds no numbers that are not finite, and is nested 1,024 deep at most.
    """
    # The signs in texts do not count, but finding the texts takes time.
    if _signs(data) > most_values and _has_more_signs(data, most_values):
        raise TooManyValues(f"it holds more than {most_values:,} values")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise GivenRefused(f"it is not JSON: {error}") from error


def _signs(data: bytes) -> int:
    """Return how many signs there are after which a value comes. Only the first value comes after none."""
    return sum(map(data.count, (b",", b"[", b"{", b":")))


def _has_more_signs(data: bytes, most: int) -> bool:
    """Whether there are more than so many signs outside of texts. One by one: millions of texts at once fill the memory."""
    found = sum(1 for _ in islice((one for one in _TEXT_OR_SIGN.finditer(data) if one.lastindex), most + 1))
    return found > most


def require(value: object, kind: "type[Any] | tuple[type[Any], ...]", what: str) -> Any:
    """Return a value of that type, or raise `GivenRefused`. A truth value does not count as a whole number."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise GivenRefused(f"{what} is missing or has the wrong type")
    return value


def fields(value: object, kinds: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return an object that has at least these fields, of these types, or raise `GivenRefused`."""
    told: dict[str, Any] = require(value, dict, what)
    for name, kind in kinds.items():
        require(told.get(name), kind, name)
    return told


def instant(text: str, what: str) -> datetime:
    """Return an instant in RFC 3339, in UTC, or raise `GivenRefused`."""
    try:
        at = datetime.fromisoformat(text)
        in_utc = at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GivenRefused(f"{what} is no time: {error}") from error
    if at.tzinfo is None:
        raise GivenRefused(f"{what} has no time zone: {text}")
    return in_utc

"""Reading single fields of an event: the type is checked, and each text is bounded.

Much of an event is chosen by the caller, who can make most texts as long as a megabyte. So a long text is cut and not
refused: nobody can hide a call by making its event unwelcome.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from curfew.audit.untrusted_json import GivenRefused, instant
from curfew.core.activity.formats.forms import EventRefused, Why

_DIGEST: Final = 32
"""Hex digits that take the place of what was cut, so that different texts stay different."""


def bounded(text: str, most: int) -> str:
    """Return a text of at most `most` characters, without halves of characters."""
    if not text.isascii():
        text = text.encode(errors="replace").decode()
    if len(text) <= most:
        return text
    return f"{text[: most - _DIGEST - 1]}~{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]}"


def text(of: Mapping[str, Any], name: str, most: int) -> str:
    """Return a text, empty if there is none."""
    value = of.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(name)
    return bounded(value, most)


def required(of: Mapping[str, Any], name: str, most: int) -> str:
    """Return a text that is not empty."""
    found = text(of, name, most)
    if not found:
        raise wrong(name)
    return found


def texts(of: Mapping[str, Any], name: str, most: int, each: int) -> tuple[str, ...]:
    """Return the last `most` texts of a list. Of the addresses, only the last one is not the caller's word."""
    value = of.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise wrong(name)
    return tuple(bounded(item, each) for item in value[-most:])


def part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object, empty if there is none."""
    value = of.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name)
    return value


def time(of: Mapping[str, Any], name: str) -> datetime:
    """Return an instant in UTC."""
    try:
        return instant(required(of, name, 64), name)
    except GivenRefused as error:
        raise wrong(name) from error


def whole(of: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number, None if there is none."""
    value = of.get(name)
    if value is not None and type(value) is not int:
        raise wrong(name)
    return value


def wrong(name: str) -> EventRefused:
    """Return the refusal of a field."""
    return EventRefused(Why.WRONG_FIELD, f"{name} is missing or has the wrong type")

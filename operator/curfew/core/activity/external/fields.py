"""Finds a value inside a JSON object by its path, and reads it as text."""

import re
from collections.abc import Mapping
from typing import Any, Final

MOST_STEPS: Final = 16
"""Most steps of a path."""

_STEP: Final = re.compile(r'(?:^|(?!^)\.)([^\s.\[\]"]+)|\[(\d{1,4})\]|\["([^"\\]{1,256})"\]')

FieldPath = tuple[str | int, ...]
"""The keys and the places in lists that lead to a value."""


def parse_path(text: str) -> FieldPath:
    """Return the steps of a path such as `user.names[0]` or `labels["example.com/team"]`, or raise ValueError."""
    steps: list[str | int] = []
    end = 0
    while found := _STEP.match(text, end):
        name, place, key = found.groups()
        steps.append(int(place) if place is not None else name or key)
        end = found.end()
    if end != len(text) or not 1 <= len(steps) <= MOST_STEPS:
        raise ValueError(
            f"is {text[:80]!r}, which is not a path of up to {MOST_STEPS} steps; write names with dots, a list's place "
            'as [0], and a name that has dots itself as ["a.b"]'
        )
    return tuple(steps)


def value_at(value: Any, path: FieldPath) -> Any:
    """Return the value that a path leads to; None if there is none."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def text_of(value: Any) -> str | None:
    """Return a text, a number or a truth value as JSON writes it; None for everything else, and for an empty text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value) or None
    return None

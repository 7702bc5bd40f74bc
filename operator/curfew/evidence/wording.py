"""How instants, durations and numbers are written in a report."""

from datetime import datetime

NONE = "\N{EN DASH}"
"""The text for an empty value."""


def instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else NONE


def count(number: int, thing: str, things: str = "") -> str:
    """Return a number together with the thing that it counts."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part as a percentage that never rounds up to 100."""
    if not whole:
        return NONE
    return "100 %" if part == whole else f"{min(99.99, 100 * part / whole):.4g} %"

"""How instants, durations and numbers are written in a report."""

from datetime import datetime, timedelta

NONE = "\N{EN DASH}"
"""The text for an empty value."""


def instant(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else NONE


def duration(length: timedelta) -> str:
    """Return a duration in its two largest non-zero units, for example `1 h 30 min`; below a minute, in seconds."""
    milliseconds = round(length.total_seconds() * 1000)
    if milliseconds < 0:
        return f"-{duration(-length)}"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g} s"
    seconds = milliseconds // 1000
    parts = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts[:2])


def count(number: int, thing: str, things: str = "") -> str:
    """Return a number together with the thing that it counts."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part as a percentage that never rounds up to 100."""
    if not whole:
        return NONE
    return "100 %" if part == whole else f"{min(99.99, 100 * part / whole):.4g} %"

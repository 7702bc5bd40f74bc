"""Instants and durations as text: RFC 3339 in UTC, and Go's 1h30m. It needs nothing but the standard library."""

import re
from datetime import UTC, datetime, timedelta

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
DURATION = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)

# In nanoseconds.
UNITS = {
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1000,
    "µs": 1000,  # the micro sign
    "μs": 1000,  # the Greek letter
    "ns": 1,
}


def format_time(instant: datetime) -> str:
    """Return RFC 3339 in UTC, with six digits unless the seconds are whole. Raise ValueError for a naive time."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds" if utc.microsecond else "seconds") + "Z"


def parse_time(text: str) -> datetime:
    """Return the instant in an RFC 3339 text, in UTC; digits beyond microseconds are dropped. Raise ValueError."""
    if not INSTANT.fullmatch(text):
        raise ValueError(f"{text!r} is not a time such as 2026-11-23T20:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}") from None


def format_duration(duration: timedelta) -> str:
    """Return the shortest Go notation of a duration, for example 1h30m, 45s or 0.25s."""
    left = duration // timedelta(microseconds=1)
    sign, left = ("-", -left) if left < 0 else ("", left)
    hours, left = divmod(left, 3_600_000_000)
    minutes, left = divmod(left, 60_000_000)
    seconds, micros = divmod(left, 1_000_000)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    if micros:
        parts.append(f"{seconds}.{micros:06d}".rstrip("0") + "s")
    elif seconds:
        parts.append(f"{seconds}s")
    return sign + ("".join(parts) or "0s")


def parse_duration(text: str) -> timedelta:
    """Return the duration in a text in Go notation; digits beyond microseconds are dropped. Raise ValueError."""
    if text in {"0", "+0", "-0"}:  # the only number that Go accepts without a unit
        return timedelta()
    if not DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 30m or 1h30m")
    from fractions import Fraction  # only here: programs that people start often read no durations

    total = sum((Fraction(number) * UNITS[unit] for number, unit in PART.findall(text)), Fraction())
    try:
        duration = timedelta(microseconds=int(total / 1000))
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None
    return -duration if text.startswith("-") else duration

"""Instants and durations as Kubernetes writes them: RFC 3339 in UTC, and Go's 1h30m."""

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
DURATION = re.compile(r"[+-]?((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)

WRITTEN = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""The times that a custom resource may hold: the format date-time alone would allow `20:00:00,5Z` and `+24:00`."""

# In microseconds, the smallest unit that timedelta knows.
UNITS = {
    "h": Fraction(3_600_000_000),
    "m": Fraction(60_000_000),
    "s": Fraction(1_000_000),
    "ms": Fraction(1000),
    "us": Fraction(1),
    "µs": Fraction(1),  # the micro sign
    "μs": Fraction(1),  # the Greek letter
    "ns": Fraction(1, 1000),
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
    total = sum((Fraction(number) * UNITS[unit] for number, unit in PART.findall(text)), Fraction())
    try:
        duration = timedelta(microseconds=int(total))
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None
    return -duration if text.startswith("-") else duration


def _said(value: object) -> str:
    """Return a description of a value that is not text: a number as it is, of anything else only its type."""
    return repr(value) if value is None or isinstance(value, int | float) else f"a {type(value).__name__}"


def _to_time(value: object) -> object:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone")
        return value.astimezone(UTC)
    raise ValueError(f"{_said(value)} is not a time such as 2026-11-23T20:00:00Z")


def _to_duration(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{_said(value)} is not a duration such as 30m or 1h30m")


Time = Annotated[
    datetime,
    BeforeValidator(_to_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": WRITTEN,
            # The API server has to parse the time to compare it, and it cannot parse 30 February.
            "x-kubernetes-validations": [
                {
                    "rule": "self >= timestamp('2000-01-01T00:00:00Z') && self < timestamp('2100-01-01T00:00:00Z')",
                    "message": "must be a time between the years 2000 and 2100",
                }
            ],
        }
    ),
]
"""An aware instant in UTC, written as RFC 3339."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_to_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 16}),
]
"""A length of time, written as Go writes it: 1h30m."""

"""Instants and durations as Kubernetes writes them: RFC 3339 in UTC, and Go's 1h30m."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from curfew.api.time_text import format_duration as format_duration
from curfew.api.time_text import format_time as format_time
from curfew.api.time_text import parse_duration as parse_duration
from curfew.api.time_text import parse_time as parse_time

WRITTEN = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    "([.][0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""The times that a custom resource may hold: the format date-time alone would allow `20:00:00,5Z` and `+24:00`."""


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

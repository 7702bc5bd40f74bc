"""Reads the times that other systems write."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from curfew.api.times import parse_time


class MomentFormat(StrEnum):
    """How a system writes a time."""

    RFC3339 = "RFC3339"
    UNIX_SECONDS = "UnixSeconds"
    UNIX_MILLISECONDS = "UnixMilliseconds"
    POSTGRESQL = "PostgreSQL"  # 2026-11-23 12:00:00.123 UTC, as PostgreSQL writes its log


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"\d{1,14}(\.\d{1,9})?", re.ASCII)
_MICROSECONDS: Final = {MomentFormat.UNIX_SECONDS: 1_000_000, MomentFormat.UNIX_MILLISECONDS: 1_000}
_POSTGRESQL: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?) (\S{1,16})", re.ASCII)
_OFFSET: Final = re.compile(r"([+-]\d\d):?(\d\d)?", re.ASCII)


def parse_moment(text: str, form: MomentFormat) -> datetime:
    """Return the instant in a text, in UTC, or raise ValueError. Digits beyond microseconds are dropped."""
    match form:
        case MomentFormat.RFC3339:
            return parse_time(text)
        case MomentFormat.POSTGRESQL:
            return _of_postgresql(text)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a number of seconds or milliseconds since 1970")
    try:
        return _EPOCH + timedelta(microseconds=int(Fraction(text) * _MICROSECONDS[form]))
    except OverflowError as error:
        raise ValueError(f"{text} is after the year 9999") from error


def _of_postgresql(text: str) -> datetime:
    """Read a time of PostgreSQL's log. Only offsets and UTC have one meaning: CST is in America, China and Cuba."""
    found = _POSTGRESQL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not a time such as 2026-11-23 12:00:00.123 UTC")
    day, time, zone = found.groups()
    if zone in ("UTC", "GMT"):
        return parse_time(f"{day}T{time}Z")
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        raise ValueError(f"the time zone {zone} can mean several; set log_timezone = 'UTC' in PostgreSQL")
    return parse_time(f"{day}T{time}{offset[1]}:{offset[2] or '00'}")

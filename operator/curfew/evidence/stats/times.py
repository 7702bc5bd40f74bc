"""Milliseconds since 1970 as people read them: in a time zone."""

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local(milliseconds: int, zone: tzinfo) -> datetime:
    """Return an instant in a time zone."""
    return (_EPOCH + timedelta(milliseconds=milliseconds)).astimezone(zone)

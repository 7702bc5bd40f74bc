"""Times in words, both ways: how long from now, and the time of day in UTC. And times as people type them."""

import re
from datetime import UTC, datetime, timedelta

from curfew.api.time_text import parse_time
from curfew.audit.wording import duration

_TIME_OF_DAY = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
_DAY_AND_TIME = r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2})?"

TIME_FORMS = "a time such as 22:00 (the next one, in UTC), 2026-11-23T22:00Z or 2026-11-23T22:00:00+01:00"


def both_ways(at: datetime, now: datetime) -> str:
    """Return an instant as `in 42 min, 20:40 UTC` or `3 h ago, 17:22 UTC`, with the day if it is not today's in UTC."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    away = at - now
    is_near = abs(away) < timedelta(minutes=2)
    clock = f"{at:%H:%M:%S}" if is_near else f"{at:%H:%M}"
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{_away(away)}, {day}{clock} UTC"


def _away(away: timedelta) -> str:
    """Return how far away an instant is, to the second if it is near, else to the minute."""
    far = abs(away)
    rounded = timedelta(seconds=far // timedelta(seconds=1))
    if far >= timedelta(minutes=2):
        rounded = timedelta(minutes=far // timedelta(minutes=1))
    if not rounded:
        return "now"
    return f"in {duration(rounded)}" if away > timedelta() else f"{duration(rounded)} ago"


def read_time(text: str, now: datetime) -> datetime:
    """Return the instant that a person typed; a time of day is the next one in UTC. Raise ValueError."""
    said = text.strip()
    if found := re.fullmatch(_TIME_OF_DAY, said, re.ASCII):
        hour, minute, second = (int(part or 0) for part in found.groups())
        at = now.astimezone(UTC).replace(hour=hour, minute=minute, second=second, microsecond=0)
        return at if at > now else at + timedelta(days=1)
    whole = said.replace(" ", "T", 1)
    zone = re.search(r"([Zz]|[+-]\d{2}:\d{2})\Z", whole)
    day = whole[: zone.start()] if zone else whole
    if not re.fullmatch(_DAY_AND_TIME, day, re.ASCII):
        raise ValueError(f"{text!r} is not {TIME_FORMS}")
    seconds = "" if re.search(r":\d{2}:\d{2}\Z", day) else ":00"
    return parse_time(f"{day}{seconds}{zone[0] if zone else 'Z'}")

"""Time as people write it: "yesterday", "last week", "2026-11-01..2026-11-07", "3 days ago". All times are UTC.

The result is a span: a day is the whole day, and the last day of a range belongs to it. An instant is a span without
length.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FORMS = (
    "today, yesterday, this or last week, month, quarter or year, last 7 days, 3 hours ago, 2026, 2026-H2, 2026-Q3, 2026-11, "
    "2026-11-23, 2026-11-23T14:00, since DATE, or a range such as 2026-11-01..2026-11-07"
)
"""One example of each way to write it."""


class NotUnderstood(ValueError):
    """A text that is no time. `str(error)` is the reason, with the accepted forms."""


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin` up to but without `end`, aware and in UTC; an end that is None is open."""

    begin: datetime | None
    end: datetime | None

    def __contains__(self, at: datetime) -> bool:
        """Whether an instant is in the span."""
        return (self.begin is None or self.begin <= at) and (self.end is None or at < self.end)

    @property
    def is_instant(self) -> bool:
        """Whether the span has no length."""
        return self.begin is not None and self.begin == self.end


ALWAYS = Span(None, None)
"""All time."""


def parse_span(text: str, now: datetime) -> Span:
    """Return the span in a text, seen from `now` (aware), or raise `NotUnderstood`."""
    said = " ".join(text.split())
    first, dots, last = said.partition("..")
    if said.lower().startswith("since "):
        return Span(_one(said[6:], text, now).begin, None)
    if not dots:
        return _one(said, text, now)
    begin = _one(first, text, now).begin if first.strip() else None
    end = _one(last, text, now).end if last.strip() else None
    if begin is None and end is None:
        raise NotUnderstood(f"{text!r} has neither a beginning nor an end")
    if begin is not None and end is not None and end < begin:
        raise NotUnderstood(f"{text!r} ends before it begins; write the earlier time first")
    return Span(begin, end)


def _one(said: str, whole: str, now: datetime) -> Span:
    """Return the span of a text without dots."""
    now = now.astimezone(UTC)
    said = said.strip()
    try:
        for form, span in _SPANS:
            if match := form.fullmatch(said):
                return span(match, now)
    except (ValueError, OverflowError) as error:
        raise NotUnderstood(f"{whole!r} is not a time: {error}") from error
    raise NotUnderstood(f"{whole!r} is not a time that Curfew understands; write {FORMS}")


# --- units of the calendar


def _calendar(unit: str, day: datetime) -> Span:
    return Span(*_bounds(unit, day))


def _bounds(unit: str, day: datetime) -> tuple[datetime, datetime]:
    """Return the first instant of the unit that a day is in, and of the next unit."""
    match unit:
        case "day":
            return day, day + timedelta(days=1)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return monday, monday + timedelta(days=7)
        case "month":
            return _month(day.year, day.month), _month(day.year, day.month + 1)
        case "half":
            first = 1 if day.month < 7 else 7
            return _month(day.year, first), _month(day.year, first + 6)
        case "quarter":
            first = day.month - (day.month - 1) % 3
            return _month(day.year, first), _month(day.year, first + 3)
        case _:
            return _month(day.year, 1), _month(day.year, 13)


def _month(year: int, month: int) -> datetime:
    """Return the first instant of a month; month 13 is the first month of the next year."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _before(unit: str, now: datetime) -> Span:
    begin, _ = _bounds(unit, _midnight(now))
    return _calendar(unit, begin - timedelta(days=1))


def _length(match: re.Match[str]) -> timedelta:
    days = {"month": 30, "quarter": 91, "year": 365}
    number, unit = int(match["number"] or 1), match["unit"].lower()
    return timedelta(days=number * days[unit]) if unit in days else timedelta(**{f"{unit}s": number})


def _instant(at: datetime) -> Span:
    return Span(at, at)


def _date(match: re.Match[str], _: datetime) -> Span:
    year = int(match["year"])
    if match["half"]:
        return _calendar("half", _month(year, int(match["half"]) * 6))
    if match["quarter"]:
        return _calendar("quarter", _month(year, int(match["quarter"]) * 3))
    if match["day"]:
        return _calendar("day", datetime(year, int(match["month"]), int(match["day"]), tzinfo=UTC))
    if match["month"]:
        return _calendar("month", datetime(year, int(match["month"]), 1, tzinfo=UTC))
    return _calendar("year", datetime(year, 1, 1, tzinfo=UTC))


def _exact(match: re.Match[str], _: datetime) -> Span:
    at = datetime.fromisoformat(match[0].upper().replace(" ", "T"))
    return _instant(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_UNIT = "(?P<unit>second|minute|hour|day|week|month|quarter|year)"
_SPANS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Span]], ...] = (
    (_form("now"), lambda _, now: _instant(now)),
    (_form("today"), lambda _, now: _calendar("day", _midnight(now))),
    (_form("yesterday"), lambda _, now: _before("day", now)),
    (
        _form("this (?P<unit>week|month|quarter|year)"),
        lambda match, now: _calendar(match["unit"].lower(), _midnight(now)),
    ),
    (_form("last (?P<unit>week|month|quarter|year)"), lambda match, now: _before(match["unit"].lower(), now)),
    (_form(rf"(?:the )?last (?P<number>\d+ )?{_UNIT}s?"), lambda match, now: Span(now - _length(match), now)),
    (_form(rf"(?P<number>\d+) {_UNIT}s? ago"), lambda match, now: _instant(now - _length(match))),
    (_form(rf"(?:an?|one)(?P<number>) {_UNIT} ago"), lambda match, now: _instant(now - _length(match))),
    (_form(r"(?P<year>\d{4})(?:-H(?P<half>[12])|-Q(?P<quarter>[1-4])|-(?P<month>\d\d)(?:-(?P<day>\d\d))?)?"), _date),
    (_form(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?"), _exact),
)
"""The ways to write a time, and the meaning of each; the first that matches wins."""

"""The period that a report is about: whole days in UTC, as people write them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

FORMS = "2026, 2026-H2, 2026-Q3, 2026-07, 2026-07-01, or 2026-07-01..2026-09-30"
"""One example of each way to write a period."""


class PeriodRefused(ValueError):
    """A text that is no period. `str(error)` says why, and what would be one."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` up to but without `end`; aware, UTC, both at midnight. `name` is how it was written."""

    name: str
    begin: datetime
    end: datetime

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read a year, half-year, quarter, month or day, or two of these with `..` between, the last day included.

        Raise `PeriodRefused` for anything else.
        """
        first, dots, last = text.strip().partition("..")
        begin, end = _days(first, text)
        if dots:
            later, end = _days(last, text)
            if later < begin:
                raise PeriodRefused(f"the period {text} ends before it begins; write the earlier day first")
        return cls(text.strip(), _midnight(begin), _midnight(end))

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.begin).days

    @property
    def last_day(self) -> date:
        """The last day that belongs to it."""
        return (self.end - timedelta(days=1)).date()

    def has(self, at: datetime | None) -> bool:
        """Whether an instant is in it; what is not known is not."""
        return at is not None and self.begin <= at < self.end

    def touches(self, since: datetime, until: datetime) -> bool:
        """Whether any of the time from `since` to `until` is in it."""
        return since < self.end and until >= self.begin


def _days(text: str, whole: str) -> tuple[date, date]:
    """Return the first day of a period without dots, and the day after its last."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise PeriodRefused(f"{whole!r} is not a period; write {FORMS}")
    try:
        year = int(match["year"])
        if match["half"]:
            return _months(year, int(match["half"]) * 6 - 5, 6)
        if match["quarter"]:
            return _months(year, int(match["quarter"]) * 3 - 2, 3)
        if match["day"]:
            day = date(year, int(match["month"]), int(match["day"]))
            return day, day + timedelta(days=1)
        return _months(year, int(match["month"]), 1) if match["month"] else _months(year, 1, 12)
    except (ValueError, OverflowError) as error:
        raise PeriodRefused(f"{whole!r} is not a period ({error}); write {FORMS}") from error


def _months(year: int, first: int, count: int) -> tuple[date, date]:
    after = first + count - 1
    return date(year, first, 1), date(year + after // 12, after % 12 + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


_FORM = re.compile(
    r"(?P<year>\d{4})(?:-H(?P<half>[12])|-Q(?P<quarter>[1-4])|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?", re.ASCII
)

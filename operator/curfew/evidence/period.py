"""The period that a report is about: whole days in UTC, as people write them."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from curfew.audit.timespan import NotUnderstood, parse_span

FORMS = "2026, 2026-H2, 2026-Q3, 2026-07, 2026-07-01, 2026-07-01..2026-09-30, or last quarter"
"""One example of each way to write a period."""


class PeriodRefused(ValueError):
    """A text that is not a period. `str(error)` is the reason, with the valid forms."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` up to but without `end`; aware, UTC, both at midnight. `name` is the period as it was written."""

    name: str
    begin: datetime
    end: datetime

    @classmethod
    def parse(cls, text: str, now: datetime) -> "Period":
        """Read a span of whole days as people write it, relative to `now`, or raise `PeriodRefused`."""
        try:
            span = parse_span(text, now)
        except NotUnderstood as error:
            # The message begins with what is wrong. The rest names forms for any time, and a period allows fewer forms.
            raise PeriodRefused(f"{str(error).partition(';')[0]}; write {FORMS}") from error
        if span.begin is None or span.end is None:
            raise PeriodRefused(f"{text!r} has only a beginning or an end; write {FORMS}")
        if span.is_instant or {span.begin.time(), span.end.time()} != {time.min}:
            raise PeriodRefused(f"{text!r} is not made of whole days; write {FORMS}")
        return cls(text.strip(), span.begin, span.end)

    @property
    def days(self) -> int:
        """How many days the period has."""
        return (self.end - self.begin).days

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period."""
        return (self.end - timedelta(days=1)).date()

    def has(self, at: datetime | None) -> bool:
        """Whether an instant is in the period; False if the instant is not known."""
        return at is not None and self.begin <= at < self.end

    def touches(self, since: datetime, until: datetime) -> bool:
        """Whether any part of the time from `since` to `until` is in the period."""
        return since < self.end and until >= self.begin

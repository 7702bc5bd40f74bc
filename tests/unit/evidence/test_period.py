"""The periods that people write, and what they mean."""

from datetime import UTC, datetime

import pytest

from curfew.evidence.period import Period, PeriodRefused

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=UTC)


def day(year: int, month: int, number: int) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("2026", day(2026, 1, 1), day(2027, 1, 1)),
        ("2026-H2", day(2026, 7, 1), day(2027, 1, 1)),
        ("2026-Q3", day(2026, 7, 1), day(2026, 10, 1)),
        ("2026-Q4", day(2026, 10, 1), day(2027, 1, 1)),
        ("2026-12", day(2026, 12, 1), day(2027, 1, 1)),
        ("2024-02-29", day(2024, 2, 29), day(2024, 3, 1)),
        ("2026-07-01..2026-09-30", day(2026, 7, 1), day(2026, 10, 1)),
        ("2026-Q1..2026-Q3", day(2026, 1, 1), day(2026, 10, 1)),
        ("last quarter", day(2026, 7, 1), day(2026, 10, 1)),
        ("yesterday", day(2026, 11, 25), day(2026, 11, 26)),
    ],
)
def test_a_period_is_whole_days_with_its_last_day(text: str, begin: datetime, end: datetime) -> None:
    period = Period.parse(text, NOW)

    assert (period.begin, period.end) == (begin, end)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Q3",
        "2026-Q5",
        "2026-13",
        "2026-02-30",
        "2026-07-01..",
        "..2026-07-01",
        "now",
        "last 7 days",
        "2026-07-01T12:00..2026-09-30",
        "9999",
    ],
)
def test_what_is_no_period_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(PeriodRefused, match="2026-Q3"):
        Period.parse(text, NOW)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(PeriodRefused, match="ends before it begins"):
        Period.parse("2026-09-30..2026-07-01", NOW)


def test_the_first_instant_belongs_to_a_period_and_the_first_after_it_does_not() -> None:
    period = Period.parse("2026-Q3", NOW)

    assert period.has(day(2026, 7, 1))
    assert not period.has(day(2026, 10, 1))
    assert not period.has(None)

"""Time is understood as people say it, in UTC; what is not understood is told how it would be."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from curfew.audit.timespan import NotUnderstood, Span, parse_span

NOW = datetime(2026, 11, 26, 13, 45, 30, tzinfo=UTC)  # a Thursday


def day(text: str) -> datetime:
    """Return the instant that ISO 8601 says, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "begin", "end"),
    [
        ("today", "2026-11-26", "2026-11-27"),
        ("Yesterday", "2026-11-25", "2026-11-26"),
        ("this week", "2026-11-23", "2026-11-30"),
        ("last week", "2026-11-16", "2026-11-23"),
        ("this month", "2026-11-01", "2026-12-01"),
        ("last month", "2026-10-01", "2026-11-01"),
        ("this quarter", "2026-10-01", "2027-01-01"),
        ("last quarter", "2026-07-01", "2026-10-01"),
        ("this year", "2026-01-01", "2027-01-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("last 7 days", "2026-11-19T13:45:30", "2026-11-26T13:45:30"),
        ("the last 24 hours", "2026-11-25T13:45:30", "2026-11-26T13:45:30"),
        ("last hour", "2026-11-26T12:45:30", "2026-11-26T13:45:30"),
        ("3 days ago", "2026-11-23T13:45:30", "2026-11-23T13:45:30"),
        ("an hour ago", "2026-11-26T12:45:30", "2026-11-26T12:45:30"),
        ("one week ago", "2026-11-19T13:45:30", "2026-11-19T13:45:30"),
        ("now", "2026-11-26T13:45:30", "2026-11-26T13:45:30"),
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-Q3", "2026-07-01", "2026-10-01"),
        ("2026-q4", "2026-10-01", "2027-01-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("2026-11-23T14:00", "2026-11-23T14:00", "2026-11-23T14:00"),
        ("2026-11-23 14:00:05Z", "2026-11-23T14:00:05", "2026-11-23T14:00:05"),
        ("2026-11-23T14:00+02:00", "2026-11-23T12:00", "2026-11-23T12:00"),
        ("2026-11-01..2026-11-07", "2026-11-01", "2026-11-08"),
        ("  2026-11 .. last  week ", "2026-11-01", "2026-11-23"),
        ("3 days ago..yesterday", "2026-11-23T13:45:30", "2026-11-26"),
    ],
)
def test_what_people_say_is_understood(said: str, begin: str, end: str) -> None:
    assert parse_span(said, NOW) == Span(day(begin), day(end))


@pytest.mark.parametrize(
    ("said", "span"),
    [
        ("since yesterday", Span(day("2026-11-25"), None)),
        ("2026-11-01..", Span(day("2026-11-01"), None)),
        ("..2026-11-07", Span(None, day("2026-11-08"))),
    ],
)
def test_a_span_may_be_open(said: str, span: Span) -> None:
    assert parse_span(said, NOW) == span


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("soon", "'soon' is not a time that Curfew understands; write today, yesterday"),
        ("", "'' is not a time that Curfew understands"),
        ("2026-13", "'2026-13' is not a time: month must be in 1..12"),
        ("2026-02-30", "'2026-02-30' is not a time: day"),
        ("0000", "'0000' is not a time"),
        ("..", "'..' has neither a beginning nor an end"),
        ("2026-11-07..2026-11-01", "ends before it begins; write the earlier time first"),
        ("99999999999 years ago", "is not a time"),
        ("yesterday..soon", "'yesterday..soon' is not a time"),
    ],
)
def test_what_is_not_understood_is_told_why(said: str, why: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        parse_span(said, NOW)

    assert why in str(refused.value)


def test_now_may_be_said_in_any_zone() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=14)))  # where it is tomorrow already

    assert parse_span("today", elsewhere) == parse_span("today", NOW)


def test_a_span_has_its_beginning_and_not_its_end() -> None:
    span = parse_span("2026-11-23", NOW)

    assert day("2026-11-23") in span
    assert day("2026-11-23T23:59:59.999999") in span
    assert day("2026-11-24") not in span
    assert day("2026-11-22T23:59:59") not in span
    assert day("1970-01-01") in Span(None, None)

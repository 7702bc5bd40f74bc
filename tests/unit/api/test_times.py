"""Instants and durations are read as Kubernetes writes them, and written so that they are read back the same."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.api.times import format_duration, format_time, parse_duration, parse_time


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-11-23T20:00:00Z", datetime(2026, 11, 23, 20, tzinfo=UTC), id="whole seconds"),
        pytest.param("2026-11-23T20:00:00.5Z", datetime(2026, 11, 23, 20, 0, 0, 500_000, tzinfo=UTC), id="a fraction"),
        pytest.param(
            "2026-11-23T20:00:00.123456789Z", datetime(2026, 11, 23, 20, 0, 0, 123_456, tzinfo=UTC), id="nanoseconds"
        ),
        pytest.param("2026-11-23T21:30:00+01:30", datetime(2026, 11, 23, 20, tzinfo=UTC), id="an offset"),
        pytest.param("2026-11-23t20:00:00z", datetime(2026, 11, 23, 20, tzinfo=UTC), id="lower case"),
    ],
)
def test_an_instant_is_read_into_utc(text: str, instant: datetime) -> None:
    """RFC 3339 as the API server accepts it."""
    parsed = parse_time(text)

    assert instant == parsed
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-11-23",
        "2026-11-23T20:00:00",
        "2026-11-23 20:00:00Z",
        "2026-13-23T20:00:00Z",
        "2026-11-23T24:00:01Z",
        "2026-11-23T20:00:60Z",
        "2026-11-23T20:00:00Z\n",
        "٢٠٢٦-11-23T20:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-23:00",
    ],
)
def test_what_is_not_an_instant_is_refused_by_name(text: str) -> None:
    """The refusal is a ValueError that says what was read, whatever is wrong with it."""
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


def test_a_time_without_a_zone_is_never_written() -> None:
    """A naive time means nothing to anybody else."""
    with pytest.raises(ValueError, match="no time zone"):
        format_time(datetime(2026, 11, 23, 20))  # noqa: DTZ001  the point of the test


def test_an_instant_is_written_in_utc() -> None:
    """Whoever compares two texts compares two instants."""
    local = datetime(2026, 11, 23, 21, tzinfo=timezone(timedelta(hours=1)))

    assert format_time(local) == "2026-11-23T20:00:00Z"
    assert format_time(local + timedelta(microseconds=50)) == "2026-11-23T20:00:00.000050Z"


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_survives_writing_and_reading(instant: datetime) -> None:
    """To the microsecond."""
    assert parse_time(format_time(instant)) == instant


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0", timedelta()),
        ("0s", timedelta()),
        ("45m", timedelta(minutes=45)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("90s", timedelta(seconds=90)),
        ("1h0m5s", timedelta(seconds=3605)),
        ("250ms", timedelta(milliseconds=250)),
        ("7us", timedelta(microseconds=7)),
        ("7µs", timedelta(microseconds=7)),
        ("1500ns", timedelta(microseconds=1)),
        (".5s", timedelta(milliseconds=500)),
        ("-1h", timedelta(hours=-1)),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, duration: timedelta) -> None:
    """Every unit that Go knows."""
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text", ["", "1", "soon", "1 h", "1h ", "h", "1d", "PT1H", "--1h", "1h-30m", ".s", "٣h", "1h\n"]
)
def test_what_is_not_a_duration_is_refused_by_name(text: str) -> None:
    """The refusal names what was read and shows what would do."""
    with pytest.raises(ValueError, match="is not a duration such as 30m"):
        parse_duration(text)


def test_a_duration_beyond_all_calendars_is_refused() -> None:
    """It is a ValueError as the others are, not an overflow."""
    with pytest.raises(ValueError, match="is too long"):
        parse_duration("999999999999999h")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "0s"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=2), "48h"),
        (timedelta(seconds=3605), "1h5s"),
        (timedelta(milliseconds=250), "0.25s"),
        (timedelta(minutes=-1), "-1m"),
    ],
)
def test_a_duration_is_written_short(duration: timedelta, text: str) -> None:
    """As people would write it."""
    assert format_duration(duration) == text


@given(st.timedeltas())
def test_a_duration_survives_writing_and_reading(duration: timedelta) -> None:
    """To the microsecond, below zero as well."""
    assert parse_duration(format_duration(duration)) == duration

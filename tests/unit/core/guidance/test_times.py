"""Times in words, both ways, and times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from curfew.core.guidance.times import both_ways, read_time

NOW = datetime(2026, 11, 30, 19, 58, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(minutes=42), "in 42 min, 20:40 UTC"),
        (timedelta(minutes=42, seconds=59), "in 42 min, 20:41 UTC"),
        (timedelta(seconds=40), "in 40 s, 19:59:10 UTC"),
        (timedelta(), "now, 19:58:30 UTC"),
        (timedelta(seconds=-30), "30 s ago, 19:58:00 UTC"),
        (timedelta(hours=-3, minutes=-5), "3 h 5 min ago, 16:53 UTC"),
        (timedelta(days=2, hours=3), "in 2 d 3 h, 2026-12-02 22:58 UTC"),
        (timedelta(hours=5), "in 5 h, 2026-12-01 00:58 UTC"),
    ],
)
def test_both_ways(away: timedelta, words: str) -> None:
    assert both_ways(NOW + away, NOW) == words


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("22:00", "2026-11-30T22:00:00"),
        ("9:30", "2026-12-01T09:30:00"),
        ("19:58:30", "2026-12-01T19:58:30"),
        ("2026-12-01T22:00Z", "2026-12-01T22:00:00"),
        ("2026-12-01 22:00", "2026-12-01T22:00:00"),
        ("2026-12-01T22:00:00+01:00", "2026-12-01T21:00:00"),
        ("2026-12-01T22:00:05z", "2026-12-01T22:00:05"),
    ],
)
def test_what_is_typed(typed: str, meant: str) -> None:
    assert read_time(typed, NOW) == datetime.fromisoformat(meant).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "typed", ["", "soon", "25:00", "22", "2026-12-01", "2026-13-01T22:00", "2026-12-01T22:00+99:00"]
)
def test_what_is_no_time(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        read_time(typed, NOW)

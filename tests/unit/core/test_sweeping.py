"""When a sweeper is overdue."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from curfew.api.times import format_time
from curfew.core.sweeping import Sweeps, interval_of, judge

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def cron_job(last: datetime | None, schedule: str = "* * * * *") -> dict[str, Any]:
    """Return a CronJob that last succeeded then."""
    status = {} if last is None else {"lastSuccessfulTime": format_time(last)}
    return {"spec": {"schedule": schedule}, "status": status}


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("* * * * *", 1),
        ("*/5 * * * *", 5),
        ("*/25 * * * *", 25),
        ("0,10,40 * * * *", 30),
        ("7 * * * *", 60),
        ("*/0 * * * *", 60),
        ("99 * * * *", 60),
        ("0 3 * * *", 60),
        ("@yearly", 60),
        ("", 60),
    ],
)
def test_the_interval_is_the_longest_pause_of_the_schedule(schedule: str, minutes: int) -> None:
    assert interval_of(schedule) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("seconds", "reason"), [(300, Sweeps.ON_TIME), (301, Sweeps.OVERDUE)])
@pytest.mark.parametrize("has_succeeded", [True, False])
def test_it_is_overdue_after_three_intervals_and_two_minutes(has_succeeded: bool, seconds: int, reason: Sweeps) -> None:
    then = NOON - timedelta(seconds=seconds)
    last, since = (then, NOON - timedelta(days=1)) if has_succeeded else (None, then)

    state = judge(cron_job(last), since=since, now=NOON)

    assert (state.reason, state.last) == (reason, last)
    assert format_time(then) in state.message or (reason is Sweeps.ON_TIME and last is None)


@pytest.mark.parametrize("said", ["9999-12-31T23:59:59Z", "2026-11-24T12:03:00Z", "soon", "", None])
def test_a_time_that_proves_nothing_hides_no_outage(said: str | None) -> None:
    found = {"spec": {"schedule": "* * * * *"}, "status": {"lastSuccessfulTime": said}}

    state = judge(found, since=NOON - timedelta(hours=1), now=NOON)

    assert (state.reason, state.last) == (Sweeps.OVERDUE, None)


def test_where_there_is_none_nothing_is_overdue() -> None:
    state = judge(None, since=NOON - timedelta(days=1), now=NOON)

    assert (state.reason, state.message) == (Sweeps.NOT_INSTALLED, "no sweeper is installed")

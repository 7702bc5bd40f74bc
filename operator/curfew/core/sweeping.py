"""Whether the sweeper runs when it should, judged by its CronJob (promise P1)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from curfew.api.time_text import format_time, parse_time

MISSED: Final = 3
"""How many intervals may pass without a success."""

GRACE: Final = timedelta(minutes=2)
"""Extra time on top of the missed intervals: a Job takes time to start and to end."""

HOUR: Final = timedelta(hours=1)

_MINUTES = re.compile(r"(\*|\*/[0-9]{1,2}|[0-9]{1,2}(?:,[0-9]{1,2}){0,59})( \*){4}")


class Sweeps(StrEnum):
    """What is known about the sweeper."""

    ON_TIME = "OnTime"
    OVERDUE = "SweeperOverdue"
    NOT_INSTALLED = "NotInstalled"


@dataclass(frozen=True, slots=True)
class SweeperState:
    """What the CronJob shows, with a sentence for people."""

    reason: Sweeps
    message: str
    last: datetime | None  # when the sweeper last succeeded, if that is known


def interval_of(schedule: str) -> timedelta:
    """Return the longest pause between two runs.

    An hour is the longest that the chart allows. It is also the result for a schedule that is not in the chart's form.
    """
    if not _MINUTES.fullmatch(schedule):
        return HOUR
    field = schedule.split(" ")[0]
    step = int(field.partition("/")[2] or 1) if field.startswith("*") else 0
    minutes = sorted(set(range(0, 60, step) if step else map(int, field.strip("*/").split(","))))
    following = [*minutes[1:], minutes[0] + 60]
    return min(HOUR, timedelta(minutes=max(after - minute for minute, after in zip(minutes, following, strict=True))))


def judge(cron_job: Mapping[str, Any] | None, *, since: datetime, now: datetime) -> SweeperState:
    """Return what the CronJob shows. `since` is the operator's start, which counts if the sweeper never succeeded."""
    if cron_job is None:
        return SweeperState(Sweeps.NOT_INSTALLED, "no sweeper is installed", None)
    schedule = str((cron_job.get("spec") or {}).get("schedule", ""))
    last = _last_success(cron_job, now)
    if now - (last or since) <= MISSED * interval_of(schedule) + GRACE:
        found = f"last succeeded at {format_time(last)}" if last else "has not succeeded yet"
        return SweeperState(Sweeps.ON_TIME, f"the sweeper {found}", last)
    found = f"since {format_time(last)}" if last else f"at all; Curfew has watched since {format_time(since)}"
    return SweeperState(
        Sweeps.OVERDUE,
        f"The sweeper has not succeeded {found}. If the operator is down, no access ends. Look at its Jobs: "
        "kubectl get cronjob,job and kubectl get events, in Curfew's namespace.",
        last,
    )


def _last_success(cron_job: Mapping[str, Any], now: datetime) -> datetime | None:
    """Return when the sweeper last succeeded. A time in the future proves nothing: it would hide an outage until then."""
    try:
        last = parse_time(str((cron_job.get("status") or {}).get("lastSuccessfulTime")))
    except ValueError:
        return None
    return last if last <= now + GRACE else None

"""A sweeper that does not run, on a real API server. No controller runs CronJobs here, so the test writes their status."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from curfew.api.names import SWEEPER_CRON_JOB
from curfew.api.times import format_time
from tests.integration.installed import SYSTEM, Installed
from tests.support.operator_process import OperatorProcess

SOON = 20.0


@pytest.fixture
def last_success(cluster: Installed) -> Iterator[datetime]:
    """Have the chart's CronJob show an hour-old success, for one test."""
    at = (datetime.now(UTC) - timedelta(hours=1)).replace(microsecond=0)

    def write(text: str | None) -> None:
        patch = json.dumps({"status": {"lastSuccessfulTime": text}})
        about = ("cronjob", SWEEPER_CRON_JOB, "--namespace", SYSTEM, "--subresource=status")
        cluster.kubectl("patch", *about, "--type=merge", f"--patch={patch}")

    write(format_time(at))
    yield at
    write(None)


def test_a_sweeper_that_does_not_run_is_reported(
    cluster: Installed, new_operator: Callable[..., OperatorProcess], last_success: datetime
) -> None:
    """By metrics, an Event, the log and /readyz, beside an operator that grants."""
    operator = new_operator()
    operator.start()
    try:
        operator.await_ready()
        operator.await_so(lambda: operator.metric("curfew_sweeper_overdue") == 1, "report the sweeper", SOON)
        assert operator.metric("curfew_sweeper_installed") == 1
        assert operator.metric("curfew_sweeper_last_success_timestamp_seconds") == last_success.timestamp()
        # One that took over from a killed one was ready to do so, and is ready again when it has opened the log.
        operator.await_ready()
        status, ready = operator.readyz()
        told = f"The sweeper has not succeeded since {format_time(last_success)}."
        assert (status, ready["parts"]["sweeper"].startswith(told)) == (200, True)

        def events() -> list[str]:
            asked = ("get", "events.events.k8s.io", "--namespace", SYSTEM, "--output=json")
            items = json.loads(cluster.kubectl(*asked).stdout)["items"]
            return [e["note"] for e in items if (e["reason"], e["type"]) == ("SweeperOverdue", "Warning")]

        operator.await_so(lambda: any(note.startswith(told) for note in events()), "tell people", SOON)
        operator.await_said("the sweeper does not run")
    finally:
        operator.kill()

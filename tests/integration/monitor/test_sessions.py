"""On a real API server that sends its audit events: what was done with the access is on the request and in the log."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess

pytestmark = pytest.mark.usefixtures("monitor")


async def test_a_session_that_only_reads_has_changed_nothing(
    sessions: Sessions, record_property: Callable[[str, object], None]
) -> None:
    session = await sessions.begin()
    for _ in range(3):
        (await sessions.alice.get(f"{sessions.path}/pods")).done()
    ended = await session.end()

    answer = await session.final()
    took = datetime.now(UTC) - ended
    record_property("final after the end", f"{took.total_seconds():.2f} s")
    assert (answer["changes"], answer["reasons"]) == ("No", [])
    assert (answer["reads"], answer["writes"]) == (3, 0)


async def test_a_session_that_changes_something_has_changed_it(sessions: Sessions) -> None:
    session = await sessions.begin()
    (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("made"))).done()
    await session.shows(changes="Yes", final=False)
    await session.end()

    answer = await session.final()
    assert answer["changes"] == "Yes"
    assert answer["writes"] == 1
    assert answer["changed"] == ["configmaps/made"]


async def test_a_refused_change_is_none(sessions: Sessions) -> None:
    session = await sessions.begin("automatic")
    assert (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("made"))).status == 403
    await session.end()

    answer = await session.final()
    assert (answer["changes"], answer["reasons"]) == ("No", [])
    assert answer["denied"] == 1


async def test_no_use_at_all_is_no_change(sessions: Sessions) -> None:
    session = await sessions.begin()
    await session.end()

    answer = await session.final()
    assert (answer["changes"], answer["reasons"]) == ("No", [])
    assert (answer["reads"], answer["writes"], answer["denied"]) == (0, 0, 0)


async def test_both_logs_verify_and_hold_each_call_once(
    sessions: Sessions,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
) -> None:
    session = await sessions.begin()
    (await sessions.alice.get(f"{sessions.path}/pods")).done()
    await session.end()
    await session.shows(final=True, reads=1)

    def is_answered() -> bool:
        return read_log(monitor).story(session.asked.uid)[-1:] == ["session.assessed"]

    await polled(is_answered, "the answer in the log")  # which it gets a moment after the request
    activity = read_log(monitor)
    assert activity.twice == []
    assert activity.story(session.asked.uid).count("call.read") == 1
    assert read_log(operator).twice == []

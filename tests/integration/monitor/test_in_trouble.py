"""The monitor is killed, or hears nothing for a while: nothing is recorded twice, nothing is lost, and silence is not No."""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.installed import Installed
from tests.integration.monitor.acting import LOOK_SECONDS
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess, dead
from tests.support.scale import seed, soaks, times

KILLS: Final = 10
SECONDS: Final = 60.0


async def dropped(sessions: Sessions) -> float:
    """Return how many audit events the API server has given up."""
    metrics = await sessions.metrics()
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "apiserver_audit_error_total"
    )


async def test_a_monitor_that_is_killed_records_each_call_once_and_says_that_it_was_away(
    sessions: Sessions, monitor: MonitorProcess, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """A change is a change however little was heard, and what begins afterwards is answered in full."""
    session, carol = await sessions.begin(), sessions.place.people.carol
    (await sessions.alice.get(f"{sessions.path}/pods")).done()
    changes = await sessions.begin(by=carol)
    (await carol.post(f"{sessions.path}/configmaps", sessions.config_map("made"))).done()
    await changes.shows(changes="Yes")
    with dead(monitor):
        await changes.end()
        (await sessions.alice.get(f"{sessions.path}/pods")).done()
        (await sessions.alice.get(f"{sessions.path}/configmaps")).done()
    await asyncio.to_thread(monitor.await_ready)
    await session.end()

    answer = await session.shows(final=True, reads=3)  # what the API server sends again may come after the first answer
    assert answer["changes"] == "Unknown"
    assert any("the monitor was not running" in reason for reason in answer["reasons"])
    answer = await changes.final()
    assert answer["changes"] == "Yes"
    assert answer["changed"] == ["configmaps/made"]
    log = read_log(monitor)
    assert log.twice == []
    assert log.story(session.asked.uid).count("call.read") == 3
    assert "coverage.lost" in [record.event for record in log.records]

    await asyncio.to_thread(monitor.await_covered)
    later = await sessions.begin()
    (await sessions.alice.get(f"{sessions.path}/pods")).done()
    await later.end()

    answer = await later.final()
    assert (answer["changes"], answer["reasons"]) == ("No", [])


if soaks():

    async def test_events_that_are_dropped_while_nobody_listens_are_not_no(
        sessions: Sessions, monitor: MonitorProcess
    ) -> None:
        """The API server gives up after five tries. In scripted sessions as well, with less to wait for."""
        session = await sessions.begin()
        with dead(monitor):
            (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("unseen"))).done()
            before = await dropped(sessions)
            async with asyncio.timeout(60):
                while await dropped(sessions) == before:  # noqa: ASYNC110  only its numbers show it
                    await asyncio.sleep(0.5)
        await asyncio.to_thread(monitor.await_covered)
        await session.end()

        answer = await session.final()
        assert answer["changes"] == "Unknown"
        assert answer["writes"] == 0


async def test_an_api_server_that_died_may_have_lost_what_it_had_not_sent(
    sessions: Sessions, monitor: MonitorProcess, cluster: Installed
) -> None:
    session = await sessions.begin()
    control_plane = cluster.environment.control_plane
    await asyncio.to_thread(control_plane.kill_apiserver)
    await asyncio.to_thread(control_plane.start_apiserver)
    await asyncio.to_thread(monitor.await_covered)
    await sessions.place.ask(sessions.alice)  # again and again, until the API server knows of our kinds
    await session.end()

    answer = await session.final()
    assert answer["changes"] == "Unknown"
    assert any("an API server was started again" in reason for reason in answer["reasons"])


async def test_killed_again_and_again_in_a_busy_time_it_loses_nothing_that_the_api_server_still_has(
    sessions: Sessions,
    monitor: MonitorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
    record_property: Callable[[str, object], None],
) -> None:
    random = Random(seed())  # noqa: S311  no secret, only moments
    before = await dropped(sessions)
    session = await sessions.begin()
    made: list[str] = []
    is_over = asyncio.Event()

    async def use() -> None:
        while not is_over.is_set():
            name = f"c-{len(made)}"
            (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map(name))).done()
            made.append(name)
            await asyncio.sleep(0.02)

    using = asyncio.create_task(use())
    for _ in range(times(KILLS)):
        await asyncio.sleep(random.uniform(0.5, 6))
        with dead(monitor):
            await asyncio.sleep(random.uniform(0, 0.5))
        await asyncio.to_thread(monitor.await_ready)
    is_over.set()
    await using
    await session.end()

    await session.final()
    record_property("calls", len(made))
    deadline = time.monotonic() + SECONDS
    while True:  # what the API server sends again may come after the first answer
        given_up, log, answer = int(await dropped(sessions) - before), read_log(monitor), session.activity
        told = [
            record.block["detail"]["name"]
            for record in log.by_request[session.asked.uid]
            if record.event == "call.created"
        ]
        missing = set(made) - set(told)
        if (len(missing) <= given_up and answer["writes"] == len(told)) or time.monotonic() > deadline:
            break
        await asyncio.sleep(LOOK_SECONDS)
    record_property("events that the API server gave up", given_up)
    assert log.twice == []
    assert len(told) == len(set(told))
    assert len(missing) <= given_up  # a batch can be unlucky five times
    assert (answer["changes"], answer["writes"]) == ("Yes", len(told))
    # A process that has died does not know how long: the next one tells.
    assert [record for record in log.records if record.event == "coverage.lost"]

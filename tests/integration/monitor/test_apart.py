"""The operator and the monitor do not need each other: neither connects to the other, and each dies unnoticed by the other."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.integration.monitor.sessions import Sessions
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess, dead
from tools.servers.audit import AuditFeed

PROMISED: Final = timedelta(seconds=1)
"""How soon access is there after the approval, and gone after its end (docs/threat-model.md)."""


def listens_on(process: OperatorProcess) -> set[int]:
    """Return the ports that a process listens on."""
    return {local for local, _, state in sockets(process.pid) if state == "0A"}


def calls(process: OperatorProcess) -> set[int]:
    """Return the ports that a process is connected to, or tries to be."""
    return {remote for _, remote, state in sockets(process.pid) if state != "0A"}


def sockets(pid: int) -> Iterator[tuple[int, int, str]]:
    """Yield local port, remote port and state of each TCP socket that a process holds, as the kernel has them."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            own.add(str(link.readlink()))
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, remote, state, *rest = line.split()
            if f"socket:[{rest[5]}]" in own:
                yield int(local.rpartition(":")[2], 16), int(remote.rpartition(":")[2], 16), state


def warnings(process: OperatorProcess) -> list[str]:
    """Return what a process has warned about since its start.

    An alert is about people, not about the other process; its Event is refused if its namespace is on the way out.
    """
    worse = (line["event"] for line in process.lines() if line.get("level") in ("warning", "error"))
    return [event for event in worse if event not in ("alert", "event refused")]


async def is_on_time(sessions: Sessions) -> None:
    """Fail unless access is there soon after the approval, and ends soon after it is given back."""
    async with sessions.place.sights.pulse as pulse:
        session = await sessions.begin()
        status = (await sessions.alice.get(session.asked.path)).done()["status"]
        decided, granted = (datetime.fromisoformat(status[name]) for name in ("decidedAt", "grantedAt"))
        assert granted - decided < pulse.within(PROMISED, decided, granted)
        revoked = datetime.now(UTC)
        ended = await session.end()
        assert ended - revoked < pulse.within(PROMISED, revoked, ended)


async def test_neither_connects_to_the_other(
    sessions: Sessions, operator: OperatorProcess, monitor: MonitorProcess, feed: AuditFeed
) -> None:
    session = await sessions.begin()
    await session.end()
    await session.final()

    assert listens_on(operator) == {operator.port}
    assert listens_on(monitor) == {monitor.port, feed.port}
    assert calls(operator) & listens_on(monitor) == set()
    assert calls(monitor) & listens_on(operator) == set()
    assert calls(operator), "this test would not notice a connection"


async def test_nothing_that_the_operator_is_given_names_the_monitor(operator: OperatorProcess, feed: AuditFeed) -> None:
    settings = operator.config.read_text()
    assert "monitor" not in settings.replace(str(operator.folder), "").replace(operator.store, "")
    assert str(feed.port) not in settings


@pytest.mark.usefixtures("monitor")
async def test_the_operator_does_not_notice_that_the_monitor_is_dead(
    sessions: Sessions, operator: OperatorProcess, monitor: MonitorProcess
) -> None:
    before = warnings(operator)
    with dead(monitor):
        await is_on_time(sessions)
        assert operator.readyz()[0] == 200
    await asyncio.to_thread(monitor.await_ready)
    assert warnings(operator) == before


async def test_the_operator_does_not_notice_that_the_monitor_stands_still(
    sessions: Sessions, operator: OperatorProcess, monitor: MonitorProcess
) -> None:
    """Its connections stay, and nothing that is sent to it is answered."""
    before = warnings(operator)
    with monitor.paused():
        await is_on_time(sessions)
        assert operator.readyz()[0] == 200
    assert warnings(operator) == before


async def test_the_monitor_does_not_notice_that_the_operator_is_dead(
    sessions: Sessions, operator: OperatorProcess, monitor: MonitorProcess
) -> None:
    """It goes on to take audit events, and answers when the operator has ended the access."""
    session = await sessions.begin()
    before, taken = warnings(monitor), monitor.metric("curfew_activity_events_total")
    with dead(operator):
        (await sessions.alice.get(f"{sessions.path}/pods")).done()
        await asyncio.to_thread(
            monitor.await_so, lambda: monitor.metric("curfew_activity_events_total") > taken, "take events", 30.0
        )
        assert monitor.readyz()[0] == 200
    await asyncio.to_thread(operator.await_ready)
    await session.end()
    answer = await session.final()
    assert (answer["changes"], answer["reasons"], answer["reads"]) == ("No", [], 1)
    assert warnings(monitor) == before

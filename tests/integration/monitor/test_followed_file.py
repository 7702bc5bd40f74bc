"""The monitor follows the API server's own audit log, which is rotated at each megabyte, and is killed while it does."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest

from tests.integration.installed import Installed
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import read_evidence
from tests.integration.operator.people import Person
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import dead
from tests.support.scale import seed, times
from tools.servers.environment import Environment

KILLS: Final = 10
CALLERS: Final = 4
PAUSE_SECONDS: Final = 0.02

LONG: Final = f"x={'x' * 1800}"
"""Makes an event of 3 kB, so that the file is rotated after 400 of them."""

SECONDS: Final = 60.0


@pytest.fixture(scope="module")
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    """Return servers whose audit log is rotated at each megabyte."""
    mutating = not request.config.getoption("--without-stamping")
    flags = ("--audit-log-maxsize=1", "--audit-log-maxbackup=100")
    with Environment(choice="local", mutating_admission=mutating, apiserver_args=flags) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(environment: Environment) -> Iterator[Installed]:
    """Return the cluster with the chart installed and its policies in force."""
    installed = Installed(environment)
    installed.install()
    yield installed
    installed.close()


@pytest.fixture(scope="module")
def audit_log(cluster: Installed) -> Path:
    """Return the file that the API server writes."""
    return cluster.environment.control_plane.audit_log


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess], audit_log: Path) -> Iterator[MonitorProcess]:
    """Return a monitor that follows the file. That it ends when asked to is part of every test."""
    process = new_monitor(follows=audit_log)
    process.start()
    try:
        process.await_ready()
        process.await_covered()
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


class Using:
    """Many calls, each under an Audit-ID of its own."""

    def __init__(self, person: Person, path: str) -> None:
        """Read what is at a path."""
        self._person = person
        self._path = path
        self._numbers = itertools.count(1)
        self.made: list[str] = []

    async def call(self) -> None:
        """Make one more."""
        audit_id = f"busy-{next(self._numbers)}"
        (await self._person.get(f"{self._path}?{LONG}", audit_id=audit_id)).done()
        self.made.append(audit_id)
        await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def busy(sessions: Sessions) -> AsyncIterator[Using]:
    """Have alice make calls as long as the block; those that are under way at its end are let end."""
    using = Using(sessions.alice, f"{sessions.path}/configmaps")
    is_over = asyncio.Event()

    async def caller() -> None:
        while not is_over.is_set():
            await using.call()

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(caller())
        try:
            yield using
        finally:
            is_over.set()


def rotated(audit_log: Path) -> set[str]:
    """Return the files that the log was rotated to."""
    return {path.name for path in audit_log.parent.glob(f"{audit_log.stem}-*{audit_log.suffix}")}


async def rotates_again(audit_log: Path, times_: int) -> None:
    """Return when the log was rotated so often: calls go on until then, however long a machine needs for each megabyte."""
    before = rotated(audit_log)

    def is_rotated(often: int) -> bool:
        return len(rotated(audit_log) - before) >= often

    for number in range(1, times_ + 1):
        await polled(partial(is_rotated, number), f"rotation {number} of {times_}", SECONDS)


async def test_while_the_file_is_rotated_nothing_is_missed_and_the_coverage_stays_whole(
    sessions: Sessions, monitor: MonitorProcess, audit_log: Path, record_property: Callable[[str, object], None]
) -> None:
    session = await sessions.begin(duration="1h")
    async with busy(sessions) as using:
        await rotates_again(audit_log, times(20))
    await session.end()

    answer = await session.final()
    record_property("calls", len(using.made))
    assert (answer["changes"], answer["reasons"], answer["reads"]) == ("No", [], len(using.made))


async def test_killed_again_and_again_it_reads_each_line_once(
    cluster: Installed,
    sessions: Sessions,
    monitor: MonitorProcess,
    audit_log: Path,
    record_property: Callable[[str, object], None],
) -> None:
    random = Random(seed())  # noqa: S311  no secret, only moments
    before = rotated(audit_log)
    session = await sessions.begin(duration="10m")
    async with busy(sessions) as using:
        for _ in range(times(KILLS)):
            await asyncio.sleep(random.uniform(0.5, 6))
            with dead(monitor):
                await asyncio.sleep(random.uniform(0, 2))
            await asyncio.to_thread(monitor.await_ready)
        await rotates_again(audit_log, 1)
    await session.end()

    answer = await session.final()
    record_property("calls", len(using.made))
    record_property("rotations", len(rotated(audit_log) - before))
    log = await asyncio.to_thread(read_evidence, cluster.environment.s3.client(), monitor)
    told = Counter(
        record.block["detail"]["audit_id"]
        for record in log.by_request[session.asked.uid]
        if record.event == "call.read"
    )
    assert told == Counter(using.made)
    assert log.twice == []
    # A process that has died does not know how long: the next one tells.
    assert [record.event for record in log.records].count("coverage.lost") >= times(KILLS)
    assert (answer["changes"], answer["reads"]) == ("Unknown", len(using.made))
    assert any("the monitor was not running" in reason for reason in answer["reasons"])

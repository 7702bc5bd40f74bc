"""Sessions on a real API server, typed with kubectl: for each of them, the answer is what was really done.

They are played at the same time. Then the tests look at the requests, at the log, and at what `curfew audit session` shows.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from click.testing import CliRunner

from curfew.cli import main
from tests.integration.installed import Installed
from tests.integration.monitor.acting import Desk, polled
from tests.integration.monitor.ground import everything
from tests.integration.monitor.outages import play_down, play_late
from tests.integration.monitor.playing import Players, Seen, tokens
from tests.integration.monitor.script import Script
from tests.integration.monitor.scripts import BY_OTHER_ACCOUNTS, DOWN, LATE, READ_BACK, SCRIPTS, TWO_GRANTS, WHOLE
from tests.integration.monitor.test_read_back import laid
from tests.integration.operator.evidence import Evidence, read_evidence
from tests.integration.operator.stage import a_stage
from tests.support.line import Line
from tests.support.monitor_process import MonitorProcess
from tests.support.node import Node
from tests.support.operator_process import OperatorProcess
from tools.servers.audit import AuditFeed
from tools.servers.environment import Environment
from tools.servers.pki import write_private
from tools.servers.ports import free_port

PATIENCE_SECONDS: Final = 20
"""For how long the monitor waits for what does not come. The API server here gives up after 5 s."""

EVERY_SECONDS: Final = 3
"""How often test calls are made, and the API server is asked how many events it has dropped."""

REACH: Final = timedelta(seconds=PATIENCE_SECONDS + EVERY_SECONDS)
"""How far back what was dropped may lie, as the monitor sees it."""


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditFeed]:
    """Return the way from the API server, which soon gives up."""
    made = AuditFeed(tmp_path_factory.mktemp("feed"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def environment(
    request: pytest.FixtureRequest, feed: AuditFeed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """Return servers that know the person of each script by a token."""
    known = write_private(
        tmp_path_factory.mktemp("people") / "tokens.csv", tokens([s.requester for s in SCRIPTS]).encode()
    )
    mutating = not request.config.getoption("--without-stamping")
    flags = (*feed.apiserver_args, f"--token-auth-file={known}")
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
def line(feed: AuditFeed) -> Iterator[Line]:
    """Return the line from the API server to the monitor."""
    with Line(feed.port, free_port()) as made:
        yield made


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess], feed: AuditFeed, line: Line) -> Iterator[MonitorProcess]:
    """Return a monitor at the end of the line."""
    process = new_monitor(port=line.to, every=f"{EVERY_SECONDS}s")
    process.program = (sys.executable, "-m", "tests.support.hurried", str(PATIENCE_SECONDS))
    process.start()
    try:
        process.await_ready()
        process.await_covered()
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@asynccontextmanager
async def playing(
    cluster: Installed, feed: AuditFeed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Players]:
    """Let people come."""
    environment, folder = cluster.environment, tmp_path_factory.mktemp("people")
    with (
        Node(cluster.api, folder) as node,
        closing(Desk(environment.cluster, folder, environment.control_plane.audit_log, feed, node)) as desk,
    ):
        async with a_stage(cluster, folder) as stage, _without_certificate(environment) as session:
            yield Players(stage, desk, session)


@asynccontextmanager
async def _without_certificate(environment: Environment) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cafile=str(environment.cluster.ca))
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@dataclass(frozen=True)
class Played:
    """What was seen of all sessions, by their titles, and both logs as they were then."""

    sessions: Mapping[str, Seen | BaseException]
    trail: Evidence
    activity: Evidence

    def of(self, script: Script) -> Seen:
        """Return what was seen of a session, or raise what failed in it."""
        found = self.sessions[script.title]
        if isinstance(found, BaseException):
            raise found
        return found


def is_told(seen: Seen, activity: Evidence) -> bool:
    """Whether the log's last answer for a session is the one that the request shows."""
    told = [one for one in activity.by_request.get(seen.asked.uid, ()) if one.event == "session.assessed"]
    return bool(told) and told[-1].block["detail"]["summary"] == seen.answer.get("summary")


@pytest.fixture(scope="module")
def played(
    cluster: Installed,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    feed: AuditFeed,
    line: Line,
    tmp_path_factory: pytest.TempPathFactory,
) -> Played:
    """Play all sessions."""
    cluster.apply(everything())
    client = cluster.environment.s3.client()
    server_log = cluster.environment.control_plane.folder / "kube-apiserver.log"

    async def play() -> Played:
        async with playing(cluster, feed, tmp_path_factory) as players:
            sessions = await play_late(players, LATE, line, monitor)
            sessions |= await players.play(WHOLE)
            ended = max(seen.ended for seen in sessions.values() if isinstance(seen, Seen))
            quiet = ended + REACH - datetime.now(UTC)
            sessions |= await play_down(players, DOWN, line, server_log, quiet)
            shown = [seen for seen in sessions.values() if isinstance(seen, Seen)]

            def are_in_the_log() -> bool:
                for seen in shown:
                    seen.look()
                known = read_evidence(client, monitor)
                return all(is_told(one, known) for seen in shown for one in (seen, *seen.others))

            with suppress(AssertionError):  # the log gets answers a moment after the requests; the tests look at both
                await polled(are_in_the_log, "the answers in the log")
            logs = [await asyncio.to_thread(read_evidence, client, process) for process in (operator, monitor)]
            return Played(sessions, *logs)

    return asyncio.run(play())


of_each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.title)


@of_each
def test_the_answer_is_what_was_done(script: Script, played: Played) -> None:
    seen = played.of(script)

    if script.first_answer is not None:
        assert script.first_answer.differs(seen.first) == {}
    assert script.answer.differs(seen.answer) == {}
    assert seen.answer["final"]


@of_each
def test_the_log_holds_each_call_once(script: Script, played: Played) -> None:
    told = Counter(played.activity.story(played.of(script).asked.uid))

    assert told.pop("session.assessed") >= 1
    told.pop("alert.raised", None)  # what detectors find depends on what else the same people did
    assert dict(told) == script.log


def test_the_detectors_see_through_accounts_of_others_and_notice_what_was_not_used(played: Played) -> None:
    """On what the real API server, operator and monitor have written."""
    found: dict[str, set[str]] = {}
    for record in played.activity.records:
        if record.event == "alert.raised":
            found.setdefault(record.block["detail"]["detector"], set()).add(record.subject)
    by_other_accounts = {played.of(script).asked.uid for script in WHOLE if script.title in BY_OTHER_ACCOUNTS}
    assert len(by_other_accounts) == len(BY_OTHER_ACCOUNTS)
    without_a_call = {played.of(script).asked.uid for script in WHOLE if script.log == {}}

    assert by_other_accounts <= found["ServiceAccountToken"]
    assert found["UnusedGrant"] & without_a_call


@pytest.mark.parametrize("script", READ_BACK, ids=lambda script: script.title)
def test_an_auditor_finds_the_same_answer_in_the_logs(
    script: Script, played: Played, operator: OperatorProcess, monitor: MonitorProcess, copied: Path
) -> None:
    seen = played.of(script)

    of_both = ("--log", operator.log_id, "--activity-log", monitor.log_id)
    result = CliRunner().invoke(main, ["audit", "session", str(copied), seen.asked.uid, "-o", "json", *of_both])

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["differs"] == []
    assert script.answer.differs(told["answer"]) == {}


@pytest.fixture(scope="module")
def copied(played: Played, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a copy of both logs, as an auditor makes one, with a cache folder that is nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield laid(tmp_path_factory.mktemp("copy"), played.trail, played.activity)


def test_of_two_grants_at_once_each_call_belongs_to_the_one_that_rbac_names(played: Played) -> None:
    """The API server chooses. What one grant allowed, the other one shows as allowed by other access."""
    seen = played.of(TWO_GRANTS)
    (other,) = (one.answer for one in seen.others)

    assert (other["changes"], other["reasons"], other["final"]) == ("No", [], True)
    assert seen.answer["reads"] + other["reads"] == 4
    assert (seen.answer["standing"], other["standing"]) == (other["reads"], seen.answer["reads"])


def test_both_logs_verify_and_hold_nothing_twice(
    played: Played, record_property: Callable[[str, object], None]
) -> None:
    took = [played.of(script).took.total_seconds() for script in WHOLE]
    record_property("final after the end", f"{min(took):.1f} to {max(took):.1f} s")

    assert [played.trail.twice, played.activity.twice] == [[], []]

"""A real database's log is sent to a real monitor: what belongs to a grant is told beside the grant's calls in the cluster."""

import asyncio
import hashlib
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from click.testing import CliRunner, Result

from curfew.audit.record import Record
from curfew.cli import main
from tests.integration.installed import Installed
from tests.integration.monitor.sessions import Session, Sessions
from tests.integration.operator.evidence import Evidence
from tests.support.foreign import UID
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess
from tools.servers.audit import AuditFeed

ReadLog = Callable[[OperatorProcess], Evidence]
Audit = Callable[..., Awaitable[Result]]

TOP: Final = Path(__file__).parents[3]
MAPPING: Final = TOP / "examples" / "correlation" / "postgresql.yaml"
RECORDED: Final = TOP / "tests" / "recorded" / "postgresql" / "statements.jsonl"
"""What PostgreSQL wrote when alice, bob, a role for the grant `UID` and others used it; two seconds of its log."""

TICKET: Final = "INC-4711"

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}(?:\.[0-9]{3})? UTC")


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess]) -> Iterator[MonitorProcess]:
    """Return a monitor that knows PostgreSQL. That it ends when asked to is part of every test."""
    process = new_monitor(mappings=[MAPPING])
    process.start()
    try:
        process.await_ready()
        process.await_covered()
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@pytest.fixture
def audit(cluster: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    """Return what runs `curfew audit`."""
    for name, value in {**cluster.environment.s3.env(), "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)

    async def run(*typed: object) -> Result:
        command = ["audit", *map(str, typed)]
        return await asyncio.to_thread(CliRunner().invoke, main, command, prog_name="curfew")

    return run


class Sent(NamedTuple):
    """What `curfew audit import` printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str


Send = Callable[..., Awaitable[Sent]]


@pytest.fixture
def send(feed: AuditFeed, monitor: MonitorProcess) -> Send:
    """Return what sends a file to the monitor, in a process whose connections end with it: it waits for no goodbye of TLS."""

    async def run(file: Path, mapping: object = MAPPING, token: Path = feed.lines_token) -> Sent:
        to = ("--to", feed.url, "--token-file", token, "--ca", feed.ca)
        command = map(str, (sys.executable, "-m", "curfew", "audit", "import", file, "--mapping", mapping, *to))
        done = await asyncio.to_thread(
            subprocess.run,
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Sent(done.returncode, done.stdout, done.stderr)

    return run


class DatabaseLog:
    """What was recorded, as if it had been done just now, in a session."""

    def __init__(self, folder: Path, session: Session) -> None:
        """Write the file."""
        text = RECORDED.read_text().replace(UID, session.asked.uid)
        ago = datetime.now(UTC) - _time(_TIME.findall(text)[0])
        self.file = folder / f"{session.asked.uid}.json"
        self.file.write_text(
            _TIME.sub(lambda found: f"{_time(found[0]) + ago:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC", text)
        )
        self._lines = self.file.read_bytes().splitlines()

    def digests(self, *users: str) -> set[str]:
        """Return the SHA-256 of the lines of some users."""
        return {hashlib.sha256(line).hexdigest() for line in self._lines if json.loads(line).get("user") in users}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace(" UTC", "+00:00"))


def told(log: Evidence, session: Session) -> list[Record]:
    """Return what the log has of other systems, for a session."""
    return [one for one in log.by_request[session.asked.uid] if one.event == "external.called"]


def statements(records: list[Record]) -> list[tuple[str, str, str, str]]:
    """Return who did what, and how that is tied to the session, without connections."""
    return [
        (one.block["actor"], detail["action"], detail["strength"], detail["tied_by"])
        for one in records
        if not (detail := one.block["detail"])["action"].startswith(("connection", "disconnection"))
    ]


async def test_lines_of_a_database_are_told_beside_the_calls_of_the_cluster(
    sessions: Sessions,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    read_log: ReadLog,
    send: Send,
    audit: Audit,
    tmp_path: Path,
) -> None:
    session = await sessions.begin(ticket=TICKET)
    (await sessions.alice.get(f"{sessions.path}/pods")).done()
    sent = await send(DatabaseLog(tmp_path, session).file)
    await session.end()
    answer = await session.final()

    assert (sent.exit_code, sent.stderr) == (0, "")
    alice, uid = sessions.alice.name, session.asked.uid
    expected = [
        *((alice, done, "Attributed", "Grant") for done in ("insert", "select", "ALTER", "update", "delete", "delete")),
        (f"curfew-{uid}", "delete", "Attributed", "Grant"),
        (alice, "truncate", "Correlated", "Ticket"),
        *[("bob", "select", "Correlated", "Grant")] * 2,  # he wrote alice's grant into his application_name
        *((alice, done, "Claimed", "Person") for done in ("insert", "prepare", "select", "with", "create")),
    ]
    assert statements(told(read_log(monitor), session)) == expected
    # What was done in the database changes nothing in the cluster, and who sends it takes no part in the coverage.
    assert (answer["changes"], answer["reasons"], answer["reads"], answer["writes"]) == ("No", [], 1, 0)

    story = await audit("search", operator.store, "--request", uid)
    assert story.exit_code == 0, story.stderr
    tied = f"(tied to request {session.asked.name} by"
    for line in (
        f"{alice} listed pods/* in {sessions.place.namespace}",
        f"{alice} in postgresql: insert on payments {tied} the grant's own id)",
        f"bob in postgresql: select on payments {tied} the grant's own id, under another name)",
        f"{alice} in postgresql: truncate on payments {tied} its ticket)",
        f"{alice} in postgresql: prepare on payments {tied} person and time only)",
    ):
        assert line in story.stdout
    listed = await audit("search", operator.store, "--request", uid, "-o", "jsonl")
    records = [Record.parse(json.loads(line)["record"]) for line in listed.stdout.splitlines()]
    assert statements([one for one in records if one.event == "external.called"]) == expected
    assert {"grant.activated", "call.read"} < {one.event for one in records}


async def test_a_file_that_is_sent_twice_is_recorded_once(
    sessions: Sessions, monitor: MonitorProcess, read_log: ReadLog, send: Send, tmp_path: Path
) -> None:
    session = await sessions.begin(ticket=TICKET)
    log = DatabaseLog(tmp_path, session)
    first = await send(log.file)
    before = told(read_log(monitor), session)
    await session.end()
    await session.final()
    second = await send(log.file, mapping="postgresql")  # now the monitor reads each line, and leaves out the same

    after = read_log(monitor)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert len(before) == len({one.block["detail"]["line"] for one in before}) > 0
    assert [one.id for one in told(after, session)] == [one.id for one in before]
    assert after.twice == []


async def test_the_lines_of_others_are_in_no_log(
    sessions: Sessions,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    read_log: ReadLog,
    send: Send,
    tmp_path: Path,
) -> None:
    session = await sessions.begin()
    log = DatabaseLog(tmp_path, session)

    def not_tied() -> float:
        return monitor.metric("curfew_activity_lines_not_taken_total", reason="NoSession")

    before = not_tied()
    assert (await send(log.file)).exit_code == 0

    others = log.digests("postgres", "nobody")
    theirs = log.digests("alice", "bob", f"curfew-{session.asked.uid}")
    kept = {one.block["detail"]["line"] for one in told(read_log(monitor), session)}
    assert len(theirs - kept) == 1  # bob's login: it names the grant in no field that the example reads
    written = b"".join(one.line() for process in (operator, monitor) for one in read_log(process).records)
    assert all(line.encode() in written for line in kept)
    assert not any(line.encode() in written for line in others)
    assert not_tied() - before == len(others) + 1


async def test_a_mapping_that_the_monitor_does_not_have_is_refused(send: Send) -> None:
    refused = await send(RECORDED, mapping="oracle")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.endswith(
        "Error: The monitor refused the lines. It answered 404: There is no mapping of that name. "
        "Name one that is set (intake.mappings). No line was sent before.\n"
    )


async def test_a_token_that_the_monitor_does_not_know_is_refused(
    send: Send, monitor: MonitorProcess, tmp_path: Path
) -> None:
    token = secrets.token_hex(32)
    (tmp_path / "token").write_text(token)

    refused = await send(RECORDED, mapping="postgresql", token=tmp_path / "token")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert (
        "The monitor refused the lines. It answered 401: Nobody is known by that certificate or token."
        in refused.stderr
    )
    assert refused.stderr.endswith("No line was sent before.\n")
    assert token not in refused.stderr + monitor.said()

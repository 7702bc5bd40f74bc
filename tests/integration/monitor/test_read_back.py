"""What the operator and the monitor wrote is what an auditor reads: with the logs alone, the same answers follow."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner

from curfew.cli import main
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]

POLICY: Final = "read-back"
"""No other test has a policy of this name, so what is advised follows from this test's sessions alone."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a cache folder that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def laid(folder: Path, *logs: Evidence) -> Path:
    """Write logs into a folder, as an auditor copies a bucket."""
    for log in logs:
        for name, content in log.objects.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    return folder


async def audit(monitor: MonitorProcess, command: str, folder: Path, *arguments: str) -> str:
    """Run a command on both logs, and return what it prints. It has an event loop of its own."""
    trail = monitor.log_id.removesuffix("-activity")
    of_both = ["--log", trail, "--activity-log", monitor.log_id]
    typed = ["audit", command, str(folder), *arguments, *of_both]
    result = await asyncio.to_thread(CliRunner().invoke, main, typed, prog_name="curfew")
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def test_an_auditor_finds_the_answers_that_the_requests_show(
    sessions: Sessions,
    operator: OperatorProcess,
    monitor: MonitorProcess,
    read_log: ReadLog,
    tmp_path: Path,
    cache: None,
) -> None:
    answers: dict[str, Any] = {}
    await asyncio.to_thread(sessions.offer, POLICY)
    for change in (False, True):
        session = await sessions.begin(POLICY)
        (await sessions.alice.get(f"{sessions.path}/pods")).done()
        if change:
            (await sessions.alice.post(f"{sessions.path}/configmaps", sessions.config_map("made"))).done()
        await session.end()
        answers[session.asked.uid] = await session.final()

    def are_in_the_log() -> bool:
        known = read_log(monitor).by_request
        told = [[one for one in known.get(uid, ()) if one.event == "session.assessed"] for uid in answers]
        return all(records and records[-1].block["detail"]["final"] for records in told)

    await polled(are_in_the_log, "the answers in the log")  # which it gets a moment after the request
    folder = laid(tmp_path / "copy", read_log(operator), read_log(monitor))

    for uid, answer in answers.items():
        told = json.loads(await audit(monitor, "session", folder, uid, "-o", "json", "--calls"))
        assert told["answer"]["changes"] == told["recorded"]["changes"] == answer["changes"]
        assert told["differs"] == []
        assert told["answer"]["final"]
        assert told["coverage"] == {"whole": True, "holes": []}
        assert sum(group["count"] for group in told["groups"]) == answer["reads"] + answer["writes"]
        assert told["answer"]["summary"] == answer["summary"]
    assert sorted(answer["changes"] for answer in answers.values()) == ["No", "Yes"]
    story = await audit(monitor, "search", folder, "--request", next(iter(answers)), "-o", "jsonl")
    logs = [json.loads(line)["log"] for line in story.splitlines()]
    assert set(logs) == {operator.log_id, monitor.log_id}
    role = yaml.safe_load(await audit(monitor, "advise", folder, POLICY))
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]

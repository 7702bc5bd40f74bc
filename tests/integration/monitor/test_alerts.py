"""What looks wrong is in the log, an Event, a number and a message within seconds, and each of them once."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest
import yaml
from click.testing import CliRunner

from curfew.api.times import format_time
from curfew.audit.record import Record
from curfew.cli import main
from curfew.core.detectors.records import ToldAlert, told
from tests.integration.enforcement.conftest import BINDING, Vandal
from tests.integration.installed import SYSTEM, Installed
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import Body
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess, dead
from tools.servers.ports import LOOPBACK

WITHIN: Final = 60.0  # seconds; a busy machine takes longer, so what it took is reported and not limited
"""Seconds from when the cause can be seen until the alert is everywhere."""

LATE: Final = timedelta(seconds=3)
"""How late a removal is late here."""

EVENTS: Final = "/apis/events.k8s.io/v1/namespaces/{}/events?limit=5000"
RESPONSES: Final = "/apis/curfew.dev/v1alpha1/alertresponses"

ReadLog = Callable[[OperatorProcess], Evidence]


class Received(BaseHTTPRequestHandler):
    """Takes messages from the first to the last test, and keeps them."""

    got: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        """Take a message."""
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Print nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run the receiver of messages, and return where it listens."""
    with ThreadingHTTPServer((LOOPBACK, 0), Received) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess], port: int) -> Iterator[MonitorProcess]:
    """Return a monitor that tells the receiver of alerts."""
    more = {
        "notifications": {"routes": "routes.yaml"},
        "detection": {"LateRemoval": {"after": f"{LATE.seconds}s"}},
    }
    process = new_monitor(more=more)
    route = {"name": "security", "events": ["Alert"], "urls": [f"json://{LOOPBACK}:{port}/"], "perMinute": 600}
    process.write("routes.yaml", yaml.safe_dump({"routes": [route]}))
    process.start()
    try:
        process.await_ready()
        process.await_covered()
        process.await_answer(
            lambda _, said: said["parts"]["detection"] == "both logs are looked at", "look at both logs", 30.0
        )
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@dataclass
class Watcher:
    """Looks for alerts in all places where they have to be."""

    sessions: Sessions
    monitor: MonitorProcess
    read_log: ReadLog
    note: Callable[[str, object], None]

    async def events(self, detector: str, namespace: str) -> list[Body]:
        """Return the Events about alerts of a detector."""
        answer = await self.sessions.place.people.admin.get(EVENTS.format(namespace))
        return [event for event in answer.done()["items"] if event["reason"] == detector]

    def number(self, detector: str, *, silenced: bool = False) -> float:
        """Return how many alerts of a detector the monitor has counted since it started."""
        return self.monitor.metric("curfew_alerts_total", detector=detector, silenced=str(silenced).lower())

    def messages(self, id_: str) -> list[dict[str, Any]]:
        """Return the messages about an alert."""
        return [message for message in Received.got if id_ in json.dumps(message)]

    def record(self, id_: str) -> Record | None:
        """Return the record of an alert."""
        return next((one for one in self.read_log(self.monitor).records if one.id == id_), None)

    async def alert(self, detector: str, namespace: str, words: str = "") -> ToldAlert:
        """Return an alert once it has an Event, a number, a message and a record; all have to be there in time."""
        began = time.monotonic()
        found = ""
        while not found or not self.messages(found) or not self.number(detector):
            for event in await self.events(detector, namespace):
                if words in event["note"] and (id_ := re.match(r"alert ([0-9a-f]{32}) ", event["note"])):
                    assert event["type"] == "Warning"
                    found = id_[1]
            assert time.monotonic() - began < WITHIN, (
                f"{detector}: not everywhere after {WITHIN:g} s: {found!r}, counted {self.number(detector):g}"
            )
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        record = self.record(found)
        assert record is not None
        alert = told(record)
        assert alert is not None
        assert alert.detector == detector
        self.note(f"{detector} everywhere after", f"{took:.1f} s")
        return alert


@pytest.fixture
async def watcher(
    sessions: Sessions,
    monitor: MonitorProcess,
    read_log: ReadLog,
    record_property: Callable[[str, object], None],
) -> Watcher:
    """Return somebody who looks for alerts."""
    return Watcher(sessions, monitor, read_log, record_property)


async def refused_self_approval(watcher: Watcher) -> str:
    """Have alice ask, and try to approve it herself; return the request's name."""
    place = watcher.sessions.place
    asked = await place.pending(place.people.alice)
    answer = await asked.decide(place.people.alice)
    assert answer.status in (403, 422)
    return asked.name


async def burst(watcher: Watcher) -> None:
    """Have carol ask four times."""
    place = watcher.sessions.place
    for _ in range(4):
        asked = await place.ask(place.people.carol)
        await asked.answered()


async def binding_outside(watcher: Watcher) -> None:
    """Have an admin bind dave to a role that is offered here."""
    place = watcher.sessions.place
    group = "rbac.authorization.k8s.io"
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "just-this-once"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": place.people.dave.name}],
    }
    path = f"/apis/{group}/v1/namespaces/{place.namespace}/rolebindings"
    (await place.people.admin.post(path, binding)).done()


async def test_what_looks_wrong_is_recorded_shown_counted_and_told(watcher: Watcher) -> None:
    """A refused self-approval, a burst of requests, a binding made outside: each within seconds, which the summary shows."""
    place = watcher.sessions.place

    request = await refused_self_approval(watcher)
    alert = await watcher.alert("RefusedDecision", place.namespace)
    assert alert.people[0] == place.people.alice.name
    assert request in alert.message

    await burst(watcher)
    alert = await watcher.alert("ManyRequests", place.namespace)
    assert alert.people == (place.people.carol.name,)

    await binding_outside(watcher)
    alert = await watcher.alert("RoleGrantedOutside", place.namespace)
    assert "just-this-once" in alert.message


async def test_a_late_removal_is_told_while_the_operator_is_stopped(
    watcher: Watcher, operator: OperatorProcess
) -> None:
    """Nothing but time has shown it."""
    place = watcher.sessions.place
    ends = datetime.now(UTC) + timedelta(seconds=9)
    asked = await place.ask(place.people.alice, "automatic", notAfter=format_time(ends.replace(microsecond=0)))
    await asked.phase("Active")
    with dead(operator):
        until = asked.time("expiresAt") + LATE
        await asyncio.sleep(max(0.0, (until - datetime.now(UTC)).total_seconds()))
        alert = await watcher.alert("LateRemoval", place.namespace)
        assert alert.story is not None
        assert alert.story.uid == asked.uid
    await asyncio.to_thread(operator.await_ready)
    await asked.phase("Expired")
    # The facts have ended it.
    await polled(lambda: _resolved(watcher, alert.id), "the end of the alert", WITHIN)


def _resolved(watcher: Watcher, alert: str) -> list[Record]:
    """Return the records of the end of an alert."""
    return [
        record
        for record in watcher.read_log(watcher.monitor).records
        if record.event == "alert.resolved" and record.block["detail"]["alert"] == alert
    ]


async def test_killed_and_started_again_nothing_is_lost_and_nothing_told_twice(
    watcher: Watcher, monitor: MonitorProcess
) -> None:
    """What happened while it was away is found, and what was told before is not told again."""
    place = watcher.sessions.place
    asked = await place.pending(place.people.alice)
    monitor.kill()
    assert (await asked.decide(place.people.alice)).status in (403, 422)
    before = {one for message in Received.got for one in re.findall(r"[0-9a-f]{32}", json.dumps(message))}
    monitor.start()
    await asyncio.to_thread(monitor.await_ready)
    # The API server sends the event again for as long as a start takes.
    alert = await watcher.alert("RefusedDecision", place.namespace, asked.name)

    monitor.kill()
    monitor.start()
    await asyncio.to_thread(monitor.await_ready)
    await asyncio.to_thread(
        monitor.await_answer,
        lambda _, said: said["parts"]["detection"] == "both logs are looked at",
        "look at both logs",
        30.0,
    )
    await refused_self_approval(watcher)  # it is told after all that the start had to tell
    await watcher.alert("RefusedDecision", place.namespace)

    events = [event for event in await watcher.events("RefusedDecision", place.namespace) if alert.id in event["note"]]
    assert len(events) == 1
    assert len(watcher.messages(alert.id)) == 1
    assert not [id_ for id_ in before if len(watcher.messages(id_)) > 1]
    records = watcher.read_log(monitor).records
    assert [record.id for record in records if record.id == alert.id] == [alert.id]


async def curfew(cluster: Installed, user: str, *arguments: str) -> str:
    """Run a command of ours as a person who has kubectl, and return what it prints."""
    context = ("--context", user, "--kubeconfig", str(cluster.environment.cluster.kubeconfig))
    result = await asyncio.to_thread(CliRunner().invoke, main, [*arguments, *context], prog_name="curfew")
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def test_a_person_resolves_an_alert_and_silences_others(
    watcher: Watcher, cluster: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By commands, or by kubectl alone; the record has who did it and why."""
    monkeypatch.setenv("KUBECTL_PATH", str(cluster.environment.cluster.kubectl_path))
    for name, value in cluster.environment.cluster.environ().items():
        monkeypatch.setenv(name, value)
    place = watcher.sessions.place
    responder = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"responders-{place.namespace}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "curfew-alert-responder"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": place.people.bob.name}],
    }
    await place.apply(responder)
    await asyncio.to_thread(
        cluster.await_right, place.people.bob.name, "create", "alertresponses.curfew.dev", namespace=place.namespace
    )
    await refused_self_approval(watcher)
    alert = await watcher.alert("RefusedDecision", place.namespace)

    said = await curfew(cluster, "bob", "alerts", "resolve", alert.id, "--reason", "I have talked to her")
    assert alert.id in said
    (ended,) = await polled(lambda: _resolved(watcher, alert.id), "the end of the alert", WITHIN)
    assert ended.block["actor"] == place.people.bob.name
    assert ended.block["detail"]["reason"] == "I have talked to her"

    said = await curfew(
        cluster,
        *("bob", "alerts", "silence", "--detector", "RefusedDecision", "--namespace", place.namespace),
        *("--for", "1h", "--reason", "a drill"),
    )
    name = re.findall(r"AlertResponse (\S+)", said)[0]
    silences = await polled(lambda: _of(watcher, "alert.silenced", name), "the silence", WITHIN)
    assert silences[0].block["actor"] == place.people.bob.name
    before = len(await watcher.events("RefusedDecision", place.namespace))
    await refused_self_approval(watcher)  # its record comes after the silence's, and both are learnt in their order
    await polled(lambda: watcher.number("RefusedDecision", silenced=True), "a silenced alert", WITHIN)
    assert len(await watcher.events("RefusedDecision", place.namespace)) == before

    (await place.people.bob.delete(f"{RESPONSES}/{name}")).done()
    await polled(lambda: _of(watcher, "alert.silence_ended", name), "the end of the silence", WITHIN)


def _of(watcher: Watcher, event: str, name: str) -> list[Record]:
    """Return the records of an event about a silence."""
    records = watcher.read_log(watcher.monitor).records
    return [record for record in records if record.event == event and record.block["detail"]["name"] == name]


async def test_a_guard_that_is_taken_away_is_told(watcher: Watcher, cluster: Installed) -> None:
    """The Event is in Curfew's own namespace, for it is about no other."""
    vandal = Vandal(cluster)
    try:
        await asyncio.to_thread(vandal.take, BINDING, "curfew-policy-status")
        alert = await watcher.alert("GuardsOutOfForce", SYSTEM, "curfew-policy-status")
        assert "curfew-policy-status" in alert.message
    finally:
        await asyncio.to_thread(vandal.restore)


async def test_both_logs_verify_and_hold_every_alert_once(
    watcher: Watcher,
    monitor: MonitorProcess,
    operator: OperatorProcess,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And `curfew alerts` shows what the monitor has found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    await refused_self_approval(watcher)
    last = await watcher.alert("RefusedDecision", watcher.sessions.place.namespace)
    activity, trail = watcher.read_log(monitor), watcher.read_log(operator)
    alerts = [alert for record in activity.records if (alert := told(record)) is not None]
    assert activity.twice == []
    places = Counter(record.event for record in activity.records)
    assert places["detection.checked"] >= 1
    assert places["detection.configured"] == 1
    for evidence in (evidence for alert in alerts for evidence in alert.evidence):
        records = trail.records if evidence.log == "trail" else activity.records
        assert evidence.index < len(records)

    for log in (trail, activity):
        for name, content in log.objects.items():
            (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "copy" / name).write_bytes(content)
    both = ("--log", operator.log_id, "--activity-log", monitor.log_id)
    typed = ["alerts", "list", str(tmp_path / "copy"), "-o", "json", *both]
    result = await asyncio.to_thread(CliRunner().invoke, main, typed, prog_name="curfew")
    assert result.exit_code == 0, result.output
    assert [one["id"] for one in json.loads(result.stdout)] == [alert.id for alert in alerts]
    typed = ["alerts", "show", str(tmp_path / "copy"), last.id[:12], "-o", "json", *both]
    result = await asyncio.to_thread(CliRunner().invoke, main, typed, prog_name="curfew")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert [record["record"]["unmapped"]["curfew"]["event"] for record in shown["records"]] == ["decision.refused"]
    assert shown["state"] == "Open"

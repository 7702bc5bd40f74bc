"""People are told within seconds, by a real HTTP receiver and a real mail server; and nothing waits for a receiver."""

import asyncio
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from curfew.adapters.notifying.exchange import READ_SECONDS
from curfew.audit.record import Record
from curfew.core.notifications.message import Occasion
from tests.integration.installed import Installed
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Sessions
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Asked, Place
from tests.support.monitor_process import MonitorProcess
from tests.support.operator_process import OperatorProcess, dead
from tests.support.receiving import Answer, http_receiver, mail_receiver, serving
from tools.servers.ports import LOOPBACK, free_port

ReadLog = Callable[[OperatorProcess], Evidence]

WITHIN: Final = 60.0  # seconds; a busy machine takes longer, so what it took is reported and not limited
"""Seconds from a step until people hear of it."""

TIMES: Final = 4
"""How often the time to a binding, and that to its removal, are measured."""

STEPS: Final = [str(topic) for topic in Occasion if topic is not Occasion.ALERT]
NAMES: Final = {"people": STEPS, "refusing": ["RequestPending"], "outage": ["RequestPending"], "hanging": STEPS}
"""The route of each test, and what goes by it."""


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """Return a port for the receiver of each test: what one of them leaves waiting is no matter of another."""
    return {name: free_port() for name in (*NAMES, "mail")}


@pytest.fixture(scope="module")
def routes(ports: dict[str, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of routes: a namespace each, and mail to the person it is about."""
    path = tmp_path_factory.mktemp("routes") / "routes.yaml"
    ways: list[dict[str, Any]] = [
        {
            "name": name,
            "events": events,
            "namespaces": [f"told-{name}"],
            "urls": [f"json://{LOOPBACK}:{ports[name]}/"],
            "perMinute": 600,
        }
        for name, events in NAMES.items()
    ]
    mail = f"mailto://{LOOPBACK}:{ports['mail']}?smtp={LOOPBACK}&mode=insecure&from=curfew@example.com"
    ways.append(
        {"name": "mail", "namespaces": ["told-people"], "events": ["GrantActive", "GrantEnded"], "urls": [mail]}
        | {"toPerson": ["example.com"]}
    )
    path.write_text(yaml.safe_dump({"routes": ways}))
    return path


@pytest.fixture(scope="module")
def monitor(new_monitor: Callable[..., MonitorProcess], routes: Path) -> Iterator[MonitorProcess]:
    """Return a monitor with routes. That it ends when asked to is part of every test."""
    process = new_monitor(routes=routes)
    process.start()
    try:
        process.await_ready()
        yield process
    except BaseException:
        process.kill()
        raise
    process.stop()


@pytest.fixture
def new_place(sessions: Sessions) -> Callable[[str], Place]:
    """Return a maker of the namespace that a route is about."""
    made = sessions.place
    return lambda name: Place(made.cluster, made.people, made.sights, named=f"told-{name}")


def sent(log: Evidence, event: str = "notification.sent") -> list[Record]:
    """Return what a log holds about messages."""
    return [record for record in log.records if record.event == event]


def pasted(cluster: Installed, folder: Path, command: str, user: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would who pastes it into a shell, with a kubectl of their own."""
    known = cluster.environment.cluster
    kubectl = folder / "kubectl"
    kubectl.write_text(f'#!/bin/sh\nexec "{known.kubectl_path}" --context {user} "$@"\n')
    kubectl.chmod(0o755)
    environ = {**os.environ, **known.environ(), "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", command], env=environ, capture_output=True, text=True, check=False)  # noqa: S603, S607  what Curfew wrote


async def test_people_are_told_of_a_request_from_its_beginning_to_its_end(
    cluster: Installed,
    new_place: Callable[[str], Place],
    monitor: MonitorProcess,
    ports: dict[str, int],
    read_log: ReadLog,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    place = new_place("people")
    alice, bob = place.people.alice, place.people.bob
    async with http_receiver(port=ports["people"]) as receiver, mail_receiver(port=ports["mail"]) as mails:
        asked = await place.pending(alice, duration="20m", reason="look <!here> at *this* {{ 7*7 }}", ticket="INC-1")
        began = time.monotonic()
        pending = await receiver.message("Approval needed", WITHIN)
        record_property("seconds until approvers hear of a request", round(time.monotonic() - began, 2))
        assert pending["title"] == f"Approval needed: {alice.name} asks for ClusterRole view in {place.namespace}"
        assert "Reason: look <!here> at *this* {{ 7*7 }}\n" in pending["message"]

        assert f"Decide by: {asked.status['decideBy']}\n" in pending["message"]
        lines = pending["message"].splitlines()
        done = await asyncio.to_thread(pasted, cluster, tmp_path, lines[lines.index("Approve:") + 1], "bob")
        assert done.returncode == 0, done.stderr
        await asked.phase("Active")
        decided = await receiver.message("Somebody has decided", WITHIN)
        assert f"{bob.name} approved request" in decided["title"]
        await receiver.message("Approved: request", WITHIN)
        await receiver.message(f"{alice.name} holds ClusterRole view in {place.namespace} until", WITHIN)

        (await asked.decide(bob, "Revoke", reason="enough")).done()
        await receiver.message("The access was ended early", WITHIN)
        active, ended = await mails.mails(2, WITHIN)

    assert {*active.receivers, *ended.receivers} == {alice.name}
    assert "holds ClusterRole view" in message_from_bytes(active.content, policy=policy.default)["Subject"]
    assert "ended early" in message_from_bytes(ended.content, policy=policy.default)["Subject"]
    topics = await polled(lambda: told(read_log(monitor), "people"), "the records of the messages", WITHIN)
    assert topics == ["RequestPending", "RequestReviewed", "RequestApproved", "GrantActive", "GrantEnded"]
    mailed = await polled(lambda: told(read_log(monitor), "mail"), "the records of the mails", WITHIN)
    assert mailed == ["GrantActive", "GrantEnded"]
    assert monitor.metric("curfew_notifications_total", channel="Email", outcome="Sent") == 2
    assert alice.name not in json.dumps([record.body for record in sent(read_log(monitor))])


def told(log: Evidence, route: str) -> list[str] | None:
    """Return what went out by a route; None until the end of a grant did."""
    found = [record.block["detail"] for record in sent(log)]
    topics = [detail["event"] for detail in found if detail["route"] == route]
    return topics if "GrantEnded" in topics else None


async def test_what_no_receiver_will_take_is_given_up_and_counted(
    new_place: Callable[[str], Place], monitor: MonitorProcess, ports: dict[str, int], read_log: ReadLog
) -> None:
    place = new_place("refusing")
    async with http_receiver(Answer(413), port=ports["refusing"]) as receiver:
        first = await place.pending(place.people.alice)
        await receiver.until(lambda: len(receiver.tried) == 1)
        second = await place.pending(place.people.carol)
        await receiver.message(second.body["metadata"]["name"], WITHIN)

    (record,) = await polled(lambda: sent(read_log(monitor), "notification.dropped"), "the record", WITHIN)
    detail = record.block["detail"]
    assert (detail["event"], detail["route"], detail["count"]) == ("RequestPending", "refusing", 1)
    assert detail["why"] == "The receiver answered 413."
    assert monitor.metric("curfew_notifications_total", channel="JSON", outcome="Dropped") == 1
    assert first.uid not in json.dumps(receiver.got)


async def test_through_an_outage_a_flood_of_refusals_and_a_kill_each_message_comes_once(
    new_place: Callable[[str], Place], monitor: MonitorProcess, ports: dict[str, int], read_log: ReadLog
) -> None:
    place = new_place("outage")
    people = (place.people.alice, place.people.carol)
    asked: list[Asked] = [await place.pending(by) for by in people]  # nobody listens
    answers = (Answer(500), Answer(429, {"Retry-After": "1"}))
    async with http_receiver(*answers, port=ports["outage"]) as receiver:
        await receiver.until(lambda: len(receiver.got) == 2, 60)
        assert len(receiver.tried) == 4
        assert receiver.tried[2] - receiver.tried[1] >= 1
        await polled(lambda: len(by_route(read_log(monitor), "outage")) == 2 or None, "the records", WITHIN)

    with dead(monitor):
        asked += [await place.pending(by) for by in people]
    await asyncio.to_thread(monitor.await_ready)
    async with http_receiver(port=ports["outage"]) as receiver:
        await receiver.until(lambda: len(receiver.got) == 2, 60)
        told = json.dumps(receiver.got)
        await polled(lambda: len(by_route(read_log(monitor), "outage")) >= 4 or None, "the records", WITHIN)

    assert [one.uid in told for one in asked] == [False, False, True, True]
    assert [record.block["detail"]["count"] for record in by_route(read_log(monitor), "outage")] == [1, 1, 1, 1]
    assert read_log(monitor).twice == []


def by_route(log: Evidence, route: str) -> list[Record]:
    """Return the records of what went out by a route."""
    return [record for record in sent(log) if record.block["detail"]["route"] == route]


async def test_a_receiver_that_hangs_delays_no_grant_no_end_and_no_stop(
    sessions: Sessions,
    new_place: Callable[[str], Place],
    monitor: MonitorProcess,
    ports: dict[str, int],
    record_property: Callable[[str, object], None],
) -> None:
    """It takes connections and never answers, and each step of each request is to be sent to it."""
    told_, untold = new_place("hanging"), sessions.place

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        held.append(writer)
        await asyncio.Event().wait()

    held: list[asyncio.StreamWriter] = []
    took: dict[str, list[float]] = {f"{name} {what}": [] for name in ("hanging", "other") for what in ("grant", "end")}
    async with serving(hang, port=ports["hanging"]):
        places = [("hanging", told_), ("other", untold)]
        for _ in range(TIMES):
            places.reverse()  # whoever is first in a round finds nothing warm
            for name, place in places:
                granted, ended = await once(place)
                took[f"{name} grant"].append(granted)
                took[f"{name} end"].append(ended)
        assert held
        record_property("peak memory, MiB", monitor.peak_memory() // 2**20)
        began = time.monotonic()
        await asyncio.to_thread(monitor.stop)
        stopped = time.monotonic() - began
        await asyncio.to_thread(monitor.start)
        await asyncio.to_thread(monitor.await_ready)

    medians = {name: statistics.median(seconds) for name, seconds in took.items()}
    for name, seconds in (*medians.items(), ("stop", stopped)):
        record_property(f"{name}, seconds", round(seconds, 3))
    # Whatever waits for a receiver that hangs waits until its message is given up.
    assert medians["hanging grant"] - medians["other grant"] < READ_SECONDS
    assert medians["hanging end"] - medians["other end"] < READ_SECONDS
    assert stopped < READ_SECONDS


async def once(place: Place) -> tuple[float, float]:
    """Have bob approve and revoke, and return how long each took until the binding was there, and gone."""
    asked = await place.pending(place.people.alice)
    began = time.monotonic()
    (await asked.decide(place.people.bob)).done()
    await asked.bound()
    granted = time.monotonic() - began
    await asked.phase("Active")
    began = time.monotonic()
    (await asked.decide(place.people.bob, "Revoke", reason="enough")).done()
    await asked.unbound()
    ended = time.monotonic() - began
    await asked.closed()
    return granted, ended


def test_a_mistake_in_the_routes_is_shown_and_changes_nothing(monitor: MonitorProcess, routes: Path) -> None:
    good = routes.read_text()
    routes.write_text(good.replace("name: people", "nme: people"))
    try:
        monitor.await_answer(lambda _, said: "there is no setting" in said["parts"]["notifications"], "refuse it")
        assert monitor.readyz()[0] == 200
        monitor.await_so(lambda: monitor.metric("curfew_notification_routes_ok") == 0, "count it", WITHIN)
    finally:
        routes.write_text(good)
    monitor.await_answer(lambda _, said: said["parts"]["notifications"] == "are sent", "take it back")

"""What outlasts a grant on a real API server: connections that its end cuts, and leftovers that somebody keeps."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from curfew.audit.record import Record
from tests.integration.installed import Installed
from tests.integration.monitor.acting import polled
from tests.integration.monitor.sessions import Session, Sessions
from tests.integration.operator.evidence import Evidence
from tests.support.api import until
from tests.support.monitor_process import MonitorProcess
from tests.support.node import Node, Stream, a_pod
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]

pytestmark = pytest.mark.usefixtures("monitor")

SECONDS: Final = 45.0
CUTTING: Final = "cutting"
STREAMS: Final = {
    "exec": "exec?command=sh&stdin=true&stdout=true",
    "attach": "attach?stdin=true&stdout=true",
    "portforward": "portforward?ports=80",
}


ROLE: Final = "payments-debug"
PARTS: Final = ["exec", "attach", "portforward", "ephemeralcontainers"]
DEBUG: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": ROLE},
    "rules": [{"apiGroups": [""], "resources": [f"pods/{part}" for part in PARTS], "verbs": ["create", "patch"]}],
}


@pytest.fixture(scope="module")
def node(cluster: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with Node(cluster.api, tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture
async def streams(cluster: Installed, sessions: Sessions) -> AsyncIterator[Callable[[str], Any]]:
    """Return how alice begins a stream into a pod of the namespace."""
    async with AsyncExitStack() as opened:

        async def begin(path: str) -> Stream:
            stream = await asyncio.to_thread(Stream, cluster.api, sessions.alice.name, f"{sessions.path}/pods/{path}")
            opened.callback(stream.close)
            assert stream.is_begun, stream.text
            return stream

        yield begin


async def cutting(sessions: Sessions) -> Session:
    """Give alice access under a policy that cuts at the end."""
    approval = {"mode": "Automatic"}
    policy = sessions.place.policy(CUTTING, role=ROLE, approval=approval, allowPermanence=True, onEnd="DeletePods")
    await asyncio.to_thread(sessions.place.cluster.apply, DEBUG, policy)
    return await sessions.begin(CUTTING, right=("create", "pods", "exec"))


def pods(cluster: Installed, sessions: Sessions) -> dict[str, str]:
    """Return the pods of the namespace that are not being deleted, with their UIDs."""
    listed = json.loads(cluster.api.ask("GET", f"{sessions.path}/pods").stdout)["items"]
    metas = [pod["metadata"] for pod in listed]
    return {meta["name"]: meta["uid"] for meta in metas if "deletionTimestamp" not in meta}


def about(evidence: Evidence, session: Session, event: str) -> list[Record]:
    """Return the records of an event of a session."""
    return [record for record in evidence.by_request.get(session.asked.uid, ()) if record.event == event]


async def recorded(
    read_log: ReadLog, monitor: MonitorProcess, session: Session, event: str, number: int = 1
) -> list[Record]:
    """Return the records of an event once the monitor's log has so many."""
    found: list[Record] = []

    def is_there() -> bool:
        found[:] = about(read_log(monitor), session, event)
        return len(found) >= number

    await asyncio.to_thread(until, is_there, f"what becomes {event}")
    return found


async def test_connections_that_outlast_a_grant_are_cut_by_deleting_their_pods(
    cluster: Installed,
    node: Node,
    sessions: Sessions,
    streams: Callable[[str], Any],
    monitor: MonitorProcess,
    read_log: ReadLog,
) -> None:
    await asyncio.to_thread(cluster.let_pods_be_deleted, sessions.place.namespace)
    uids = {}
    for name in (*STREAMS, "left", "debugged"):
        uids[name] = await asyncio.to_thread(node.run, name, sessions.place.namespace)
    session = await cutting(sessions)
    opened = [await streams(f"{name}/{how}") for name, how in STREAMS.items()]
    debugger = {"name": "debugger", "image": "registry.invalid/main:1"}
    add = {"op": "add", "path": "/spec/ephemeralContainers", "value": [debugger]}
    (await sessions.alice.patch(f"{sessions.path}/pods/debugged/ephemeralcontainers", [add])).done()
    (await streams("left/exec?command=sh&stdin=true")).close()

    await session.end()

    for stream in opened:
        await asyncio.to_thread(stream.await_end, SECONDS)
    found = await recorded(read_log, monitor, session, "session.pod_deleted", 4)
    assert {(one.block["detail"]["name"], one.block["detail"]["uid"]) for one in found} == {
        (name, uids[name]) for name in (*STREAMS, "debugged")
    }
    assert {one.block["detail"]["by"] for one in found} == {"exec", "attach", "port-forward", "ephemeral container"}
    assert set(await asyncio.to_thread(pods, cluster, sessions)) == {"left"}
    answer = await session.shows(final=True, remains=0)
    assert answer["opaque"] == 4
    evidence = await asyncio.to_thread(read_log, monitor)
    assert len(about(evidence, session, "alert.stream_open_at_end")) == 3
    assert about(evidence, session, "alert.pod_not_deleted") == []
    assert evidence.twice == []


async def test_without_the_right_nothing_is_deleted_and_an_alert_names_it(
    cluster: Installed,
    node: Node,
    sessions: Sessions,
    streams: Callable[[str], Any],
    monitor: MonitorProcess,
    read_log: ReadLog,
) -> None:
    await asyncio.to_thread(node.run, "web", sessions.place.namespace)
    session = await cutting(sessions)
    await streams("web/exec?command=sh&stdin=true")

    await session.end()

    (alert,) = await recorded(read_log, monitor, session, "alert.pod_not_deleted")
    assert "add the namespace to monitor.deletePods" in alert.block["detail"]["problem"]
    assert set(await asyncio.to_thread(pods, cluster, sessions)) == {"web"}


async def test_a_policy_that_only_reports_deletes_nothing(
    cluster: Installed,
    node: Node,
    sessions: Sessions,
    streams: Callable[[str], Any],
    monitor: MonitorProcess,
    read_log: ReadLog,
) -> None:
    await asyncio.to_thread(cluster.let_pods_be_deleted, sessions.place.namespace)
    await asyncio.to_thread(node.run, "web", sessions.place.namespace)
    session = await sessions.begin()
    stream = await streams("web/exec?command=sh&stdin=true")
    await session.end()

    await recorded(read_log, monitor, session, "alert.stream_open_at_end")
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(stream.await_end, 2.0)
    assert set(await asyncio.to_thread(pods, cluster, sessions)) == {"web"}
    assert about(await asyncio.to_thread(read_log, monitor), session, "session.pod_deleted") == []


async def test_what_is_left_is_kept_by_a_decision(
    sessions: Sessions, monitor: MonitorProcess, operator: OperatorProcess, read_log: ReadLog
) -> None:
    session = await sessions.begin()
    (await sessions.alice.post(f"{sessions.path}/pods", a_pod("left", sessions.place.namespace))).done()
    await session.end()
    before = await session.shows(final=True, remains=1)
    assert "keptBy" not in before
    await session.asked.closed()

    bob = sessions.place.people.bob
    (await session.asked.decide(bob, "Keep", reason="it is the fix, INC-4711")).done()

    answer = await session.shows(remains=0)
    assert (answer["keptBy"], answer["keptReason"]) == (bob.name, "it is the fix, INC-4711")
    assert answer["summary"].endswith("left one pod behind (kept)")
    told = await asyncio.to_thread(read_log, operator)
    assert told.story(session.asked.uid)[-1] == "review.submitted"

    def last_answer() -> Record:
        return about(read_log(monitor), session, "session.assessed")[-1]

    # The log gets it a moment after the request.
    await polled(lambda: "kept_by" in last_answer().block["detail"], "the decision in the log")
    last = last_answer()
    assert (last.block["detail"]["remains"], last.block["detail"]["kept_by"]) == (0, bob.name)

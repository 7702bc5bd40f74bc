"""The node of the tests: streams into its pods begin for real, and end when the pod is deleted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.api import Api, succeed, until
from tests.support.node import Node, Stream
from tools.servers.environment import Environment
from tools.servers.pki import ADMIN, PEOPLE

ALICE: Final = PEOPLE["alice"]
PODS: Final = "/api/v1/namespaces/default/pods"
SECONDS: Final = 10.0
STREAMS: Final = {
    "exec": "exec?command=sh&stdin=true&stdout=true",
    "attach": "attach?stdin=true&stdout=true",
    "portforward": "portforward?ports=80",
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """Return a control plane of its own: nodes belong to no namespace."""
    with Environment(choice="local", bucket_server=False) as running:
        running.kubectl("create", "rolebinding", "alice", "--clusterrole=edit", f"--user={ALICE}", user=ADMIN)
        yield running


@pytest.fixture(scope="module")
def api(environment: Environment) -> Iterator[Api]:
    calls = Api(environment.cluster)
    until(lambda: calls.may(ALICE, "create", "pods", "default", "exec"), "alice's role")
    yield calls
    calls.close()


@pytest.fixture
def node(api: Api, tmp_path: Path) -> Iterator[Node]:
    with Node(api, tmp_path) as running:
        yield running


def _events(environment: Environment, subresource: str, name: str) -> list[tuple[str, int]]:
    """Return the stages of the calls on a subresource of a pod that the API server has written down, with their codes."""
    lines = environment.control_plane.audit_log.read_text().splitlines(keepends=True)
    events: list[dict[str, Any]] = [json.loads(line) for line in lines if line.endswith("\n")]
    return [
        (event["stage"], event["responseStatus"]["code"])
        for event in events
        if event.get("objectRef", {}).get("subresource") == subresource and event["objectRef"]["name"] == name
    ]


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_begins_for_real_and_lasts_until_somebody_hangs_up(
    environment: Environment, api: Api, node: Node, kind: str
) -> None:
    name = f"with-{kind}"
    node.run(name, "default")

    with Stream(api, ALICE, f"{PODS}/{name}/{STREAMS[kind]}") as stream:
        assert stream.is_begun, stream.text
        until(lambda: _events(environment, kind, name) == [("ResponseStarted", 101)], "the beginning")
        with pytest.raises(TimeoutError):
            stream.await_end(0.2)

    until(lambda: _events(environment, kind, name)[1:] == [("ResponseComplete", 101)], "the end")


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_cut_when_its_pod_is_deleted(environment: Environment, api: Api, node: Node, kind: str) -> None:
    name, other = f"cut-{kind}", f"other-{kind}"
    uid = node.run(name, "default")
    node.run(other, "default")
    with (
        Stream(api, ALICE, f"{PODS}/{name}/{STREAMS[kind]}") as stream,
        Stream(api, ALICE, f"{PODS}/{other}/{STREAMS[kind]}") as spared,
    ):
        succeed(api.ask("DELETE", f"{PODS}/{name}", {"preconditions": {"uid": uid}}))

        stream.await_end(SECONDS)
        until(lambda: len(_events(environment, kind, name)) == 2, "the end")
        until(lambda: "HTTP 404" in api.ask("GET", f"{PODS}/{name}").stderr, "that the pod is gone")
        with pytest.raises(TimeoutError):
            spared.await_end(0.2)


def test_who_has_no_right_begins_none(api: Api, node: Node) -> None:
    node.run("refused", "default")

    with Stream(api, PEOPLE["bob"], f"{PODS}/refused/exec?command=sh&stdin=true") as stream:
        assert (stream.code, stream.is_begun) == (403, False)

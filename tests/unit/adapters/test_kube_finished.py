"""Finished requests are read whole: all that there are, page by page, and each change since."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from curfew.adapters.kube import KubeCluster
from curfew.adapters.kube import finished as reading
from curfew.ports import Conflict, Unavailable
from tests.support.kube import Answer, ApiServer, kubeconfig, running

pytestmark = pytest.mark.usefixtures("no_system_certificates")

REQUESTS = "/apis/curfew.dev/v1alpha1/namespaces/payments/accessrequests"
EVERYWHERE = "/apis/curfew.dev/v1alpha1/accessrequests"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with running(ApiServer()) as api:
        api.objects[REQUESTS] = {}
        yield api


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as it:
        yield it


def events(*told: object) -> Answer:
    """Return a watch that reports these events and ends."""
    body = "".join(f"{json.dumps(event)}\n" for event in told)

    async def give(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    return give


def event(type_: str, name: str, version: int) -> dict[str, object]:
    """Return an event of a watch."""
    return {"type": type_, "object": {"metadata": {"name": name, "resourceVersion": str(version)}, "status": {}}}


async def test_all_are_read_page_by_page(
    server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.finished._reader, "_page", 2)
    for number in range(3):
        server.put(REQUESTS, f"inc-{number}", status={"phase": "Expired"})

    pages = [page async for page in cluster.finished.pages()]

    assert [[one["metadata"]["name"] for one in page] for page in pages] == [["inc-0", "inc-1"], ["inc-2"]]
    assert pages[0][0]["status"] == {"phase": "Expired"}
    assert {asked.path for asked in server.asked} == {EVERYWHERE}
    assert {asked.query["labelSelector"] for asked in server.asked} == {"curfew.dev/closed=true"}
    assert reading._PAGE == 50


async def test_each_change_is_reported_with_its_version(server: ApiServer, cluster: KubeCluster) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}
    server.scripted = [events(event("ADDED", "a", 6), event("MODIFIED", "a", 7), event("DELETED", "a", 8), bookmark)]

    seen = [(version, body is not None) async for version, body in cluster.finished.watch("5")]

    assert seen == [("6", True), ("7", True), ("8", False), ("9", False)]
    (asked,) = server.asked
    assert (asked.path, asked.query["resourceVersion"]) == (EVERYWHERE, "5")
    assert asked.query["labelSelector"] == "curfew.dev/closed=true"


async def test_a_version_that_is_not_kept_any_more_is_a_conflict(server: ApiServer, cluster: KubeCluster) -> None:
    gone = {"kind": "Status", "status": "Failure", "message": "too old resource version", "code": 410}
    server.scripted = [events({"type": "ERROR", "object": gone})]

    with pytest.raises(Conflict, match="too old resource version"):
        _ = [seen async for seen in cluster.finished.watch("5")]


async def test_what_is_no_event_is_an_error(server: ApiServer, cluster: KubeCluster) -> None:
    server.scripted = [events(["neither", "this"])]

    with pytest.raises(Unavailable):
        _ = [seen async for seen in cluster.finished.watch("5")]

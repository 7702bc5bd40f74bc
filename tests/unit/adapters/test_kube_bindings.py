"""Bindings are read from the API server page by page, and none of its answers is read without a bound."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from curfew.adapters.kube import KubeMonitor
from curfew.adapters.kube import bindings as module
from curfew.adapters.kube.bindings import KubeBindings
from curfew.core.activity.noticing.binding import BindingKey
from curfew.ports import ClusterError, Conflict, Forbidden, NotFound, TooLarge
from tests.support.kube import ApiServer, always, kubeconfig, status

pytestmark = pytest.mark.usefixtures("no_system_certificates")

RBAC = "/apis/rbac.authorization.k8s.io/v1"
HERE = f"{RBAC}/namespaces/payments/rolebindings"
KEY = BindingKey("RoleBinding", "payments", "b-0")
ROLE = {"kind": "ClusterRole", "name": "view"}


@pytest.fixture
async def bindings(server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeBindings]:
    async with KubeMonitor.connect(kubeconfig(tmp_path / "kubeconfig", server.url), "curfew-system") as cluster:
        yield cluster.bindings


def put(server: ApiServer, number: int, *, kind: str = HERE, size: int = 0) -> None:
    """Have some bindings; each is as large as its annotation."""
    for one in range(number):
        meta = {"annotations": {"x": "x" * size}}
        server.put(kind, f"b-{one}", metadata=meta, roleRef=ROLE, subjects=[{"kind": "User", "name": "eve"}])


async def names(bindings: KubeBindings, kind: str = "RoleBinding") -> list[str]:
    return [seen.key.name async for seen in bindings.bindings(kind)]


async def test_one_binding_is_read(server: ApiServer, bindings: KubeBindings) -> None:
    put(server, 1)

    seen = await bindings.binding(KEY)

    assert seen is not None
    assert (seen.key, seen.uid, seen.role, seen.subjects) == (KEY, "uid-b-0", "view", ("User eve",))
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("GET", f"{HERE}/b-0")


async def test_a_binding_that_is_not_there_is_none(server: ApiServer, bindings: KubeBindings) -> None:
    put(server, 1)

    assert await bindings.binding(BindingKey("RoleBinding", "payments", "other")) is None


async def test_only_the_api_server_can_say_that_it_is_not_there(server: ApiServer, bindings: KubeBindings) -> None:
    async def proxy(_: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    server.scripted = [proxy]
    with pytest.raises(NotFound):
        await bindings.binding(KEY)


async def test_all_are_read_page_by_page(server: ApiServer, bindings: KubeBindings) -> None:
    put(server, 450)

    assert len(set(await names(bindings))) == 450
    assert [asked.query["limit"] for asked in server.asked] == ["200", "200", "200"]
    assert {asked.path for asked in server.asked} == {f"{RBAC}/rolebindings"}


async def test_those_of_the_cluster_are_read_too(server: ApiServer, bindings: KubeBindings) -> None:
    put(server, 2, kind=f"{RBAC}/clusterrolebindings")

    assert await names(bindings, "ClusterRoleBinding") == ["b-0", "b-1"]


async def test_a_page_that_is_too_large_is_read_in_smaller_ones(
    server: ApiServer, bindings: KubeBindings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE_BYTES", 40_000)
    put(server, 60, size=1_000)

    assert len(set(await names(bindings))) == 60
    assert [asked.query["limit"] for asked in server.asked] == ["200", "25", "25", "25"]


async def test_one_that_is_too_large_by_itself_is_an_error(
    server: ApiServer, bindings: KubeBindings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE_BYTES", 40_000)
    monkeypatch.setattr(module, "_ONE_BYTES", 40_000)
    put(server, 1, size=50_000)

    with pytest.raises(ClusterError):
        await names(bindings)
    with pytest.raises(ClusterError):
        await bindings.binding(KEY)


async def test_a_list_without_an_end_is_given_up(
    server: ApiServer, bindings: KubeBindings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_PAGES", 3)

    async def more(_: web.Request) -> web.Response:
        return web.json_response({"metadata": {"continue": "more"}, "items": []})

    server.scripted = [more] * 5
    with pytest.raises(TooLarge):
        await names(bindings)


@pytest.mark.parametrize(("code", "error"), [(403, Forbidden), (410, Conflict)])
async def test_a_refusal_is_an_error(
    server: ApiServer, bindings: KubeBindings, code: int, error: type[ClusterError]
) -> None:
    server.scripted = [always(status(code, "Reason", "no")), always(status(code, "Reason", "no"))]

    with pytest.raises(error):
        await names(bindings)
    with pytest.raises(error):
        await bindings.binding(KEY)


@pytest.mark.parametrize("answer", [{"items": None}, {"items": [None, 7, {}]}, {"metadata": "x"}, {"items": {"a": 1}}])
async def test_what_is_no_list_holds_nothing(server: ApiServer, bindings: KubeBindings, answer: dict[str, Any]) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.json_response(answer)

    server.scripted = [nonsense]
    assert await names(bindings) == []

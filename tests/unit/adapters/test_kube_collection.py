"""Lists of metadata are read in large pages, and in small ones if somebody has made their objects large."""

import asyncio
from asyncio import sslproto
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from curfew.adapters.kube import KubeCluster
from curfew.adapters.kube.access import Access
from curfew.adapters.kube.connection import TLS_BUFFER
from curfew.ports import TooLarge
from tests.support.kube import ApiServer, always, kubeconfig

pytestmark = pytest.mark.usefixtures("no_system_certificates")

OURS = "/apis/curfew.dev/v1alpha1/namespaces/payments/{}"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/payments/roles"


@pytest.fixture
async def cluster(server: ApiServer, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    async with KubeCluster.connect(kubeconfig(tmp_path / "kubeconfig", server.url)) as it:
        yield it


async def test_a_page_that_is_too_large_is_asked_for_again_with_fewer_objects(
    server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster._metadata._reader, "_page_bytes", 5000)
    for number in range(20):
        server.put(ROLES, f"role-{number:02}", metadata={"annotations": {"large": "x" * 1000}})

    listed, _ = await cluster.list_roles("Role")

    assert [one.name for one in listed] == [f"role-{number:02}" for number in range(20)]
    assert [int(asked.query["limit"]) for asked in server.asked][:3] == [100, 12, 1]


async def test_one_object_that_is_too_large_is_an_error(
    server: ApiServer, cluster: KubeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster._metadata._reader, "_page_bytes", 500)
    server.put(ROLES, "role", metadata={"annotations": {"large": "x" * 1000}})

    with pytest.raises(TooLarge, match="cannot list the metadata of roles: the answer is larger than"):
        await cluster.list_roles("Role")


async def test_what_says_who_wrote_a_field_is_kept_only_of_a_policy(server: ApiServer, cluster: KubeCluster) -> None:
    for path, kind in (
        (OURS.format("accessrequests"), "AccessRequest"),
        (OURS.format("accesspolicies"), "AccessPolicy"),
    ):
        server.put(path, "one", metadata={"managedFields": [{"manager": "kubectl"}]})
        listed = {"kind": f"{kind}List", "items": list(server.objects[path].values())}
        server.scripted.append(always(web.json_response(listed)))
        found = await (cluster.list_requests() if kind == "AccessRequest" else cluster.list_policies())

        assert ("managedFields" in found[0]["metadata"]) is (kind == "AccessPolicy")


async def test_a_tls_connection_has_a_small_buffer() -> None:
    """Fails if asyncio gets its buffer from somewhere else: then see what a hundred connections take."""
    loop = asyncio.get_running_loop()
    tls = Access("https://127.0.0.1").tls()
    protocol = sslproto.SSLProtocol(loop, asyncio.Protocol(), tls, loop.create_future(), server_hostname="127.0.0.1")
    protocol._app_transport._closed = True  # it was never open

    assert len(protocol.get_buffer(-1)) == TLS_BUFFER < 2**17

"""A real API server keeps the contract that the fake one is held to, with no more rights than the chart gives."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.events import event_name, render_event
from curfew.adapters.kube import KubeCluster
from curfew.api import names
from curfew.api.times import format_time
from curfew.core.notices import Notice, Regarding
from curfew.ports import AlreadyExists, Forbidden, Held, Invalid, NotFound, Unavailable
from curfew.processes.sweep.expired import sweep_bindings
from tests.integration.installed import Installed
from tests.support.cluster_contract import SOON, Bench, ClusterContract, mine, this_second
from tools.servers.environment import Environment


@pytest.fixture
async def api(cluster: Installed, tmp_path: Path) -> AsyncIterator[KubeCluster]:
    """Return the API server as the operator sees it."""
    async with KubeCluster.connect(cluster.operator_kubeconfig(tmp_path / "kubeconfig")) as connected:
        yield connected


@pytest.fixture
def bench(cluster: Installed, api: KubeCluster, namespace: str) -> Bench:
    """Return a namespace of its own on it."""
    return bench_in(cluster, api, namespace)


def bench_in(cluster: Installed, api: KubeCluster, namespace: str) -> Bench:
    """Return a namespace to work in, prepared by an admin."""

    def delete(kind: str, name: str, at: str) -> None:
        cluster.kubectl("delete", kind, name, "--namespace", at)

    return Bench(api, namespace, this_second(), cluster.apply, delete, api)


class TestReal(ClusterContract):
    """The real one."""


async def test_it_knows_our_kinds(api: KubeCluster) -> None:
    assert await api.missing_kinds() == []


async def test_a_field_that_the_custom_resource_does_not_know_is_refused_and_not_dropped(bench: Bench) -> None:
    """A record that an older CustomResourceDefinition dropped would be lost."""
    with pytest.raises(Invalid, match="unknown field"):
        await bench.written(await bench.requested(), nextYearsField="x")


async def test_the_words_of_an_admission_policy_arrive(bench: Bench) -> None:
    manifest = bench.binding(await bench.requested())
    del manifest["metadata"]["annotations"][names.ANNOTATION_RECEIPT]

    with pytest.raises(Forbidden, match="no grant without the receipt of its record"):
        await bench.cluster.create_binding(manifest, SOON)


async def test_a_namespace_that_does_not_take_part_gets_nothing(cluster: Installed, api: KubeCluster) -> None:
    outside = cluster.make_namespace(opted_in=False)
    bench = bench_in(cluster, api, outside)

    with pytest.raises(Forbidden, match="cannot create resource"):
        await api.create_binding(bench.binding(await bench.requested()), SOON)
    with pytest.raises((Forbidden, NotFound)):
        await api.create_binding(
            bench.binding(await bench.requested()) | {"metadata": {"name": "x", "namespace": "no"}}, SOON
        )
    cluster.drop_namespace(outside)


async def test_a_binding_is_not_stored_after_its_time(tmp_path: Path) -> None:
    """While etcd is away, the API server would keep it for half a minute, also for a caller that is gone."""
    with Environment(tmp_path, choice="local", bucket_server=False) as own:
        servers = own.control_plane
        async with KubeCluster.connect(own.cluster.kubeconfig) as admin:
            await admin.create_binding(a_binding("known"), SOON)
            await asyncio.to_thread(servers.kill_etcd)
            with pytest.raises(Unavailable):
                await admin.create_binding(a_binding("late"), timedelta(seconds=0.5))
            await asyncio.to_thread(servers.start_etcd)
            while not await is_stored(admin, "next"):
                pass  # each try waits for etcd itself

            assert await admin.get_binding("default", "late") is None


async def is_stored(api: KubeCluster, name: str) -> bool:
    """Try to store a binding, and return whether it is there."""
    try:
        await api.create_binding(a_binding(name), SOON)
    except AlreadyExists:
        return True  # an answer was lost
    except Unavailable:
        return False
    return True


def a_binding(name: str) -> dict[str, Any]:
    """Return a binding without our label."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": role}


async def test_what_a_finalizer_holds_is_not_taken_for_gone(cluster: Installed, namespace: str) -> None:
    """Of a binding without our label, which somebody may hold while the admission policies are in force."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    meta = {"name": "held", "namespace": namespace, "finalizers": ["example.com/hold"]}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta, "roleRef": role}
    async with KubeCluster.connect(cluster.environment.cluster.kubeconfig) as admin:
        uid = (await admin.create_binding(binding, SOON))["metadata"]["uid"]
        for _ in range(2):
            with pytest.raises(Held, match=r"still grants, because finalizers keep it \(example.com/hold\)"):
                await admin.delete_binding(namespace, "held", uid)

        let_go = '--patch={"metadata":{"finalizers":null}}'
        cluster.kubectl("patch", "rolebinding", "held", "--namespace", namespace, "--type=merge", let_go)
        assert await admin.delete_binding(namespace, "held", uid) is False


async def test_an_event_is_told_once_and_seen_by_people(cluster: Installed, api: KubeCluster, namespace: str) -> None:
    notice = Notice(
        namespace=namespace,
        regarding=Regarding(names.API_VERSION, "AccessRequest", "inc-1", namespace, "uid-1"),
        type="Normal",
        reason="AccessGranted",
        action="Grant",
        note="ü" * 900,
        key="",
    )
    event = render_event(notice, event_name(notice), SystemClock().now(), "curfew-0")

    await api.create_event(event)
    with pytest.raises(AlreadyExists):
        await api.create_event(event)

    told = json.loads(cluster.kubectl("get", "events", "--namespace", namespace, "--output=json").stdout)
    assert [item["reason"] for item in told["items"]] == ["AccessGranted"]


async def test_a_token_that_is_not_known_says_so(cluster: Installed, tmp_path: Path) -> None:
    kubeconfig = cluster.environment.cluster.kubeconfig_for_token(tmp_path / "kubeconfig", "not-a-token")
    async with KubeCluster.connect(kubeconfig) as stranger:
        with pytest.raises(Unavailable, match="does not accept our credentials"):
            await stranger.list_bindings()


async def test_a_token_that_is_renewed_is_noticed_by_nobody(
    cluster: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curfew.adapters.kube.connection._RENEW_PAUSE", 0.0)
    token = tmp_path / "token"
    token.write_text("expired")
    kubeconfig = cluster.environment.cluster.kubeconfig_for_token(tmp_path / "kubeconfig", token)
    async with KubeCluster.connect(kubeconfig) as api:
        token.write_text(cluster.operator_token() + "\n")
        await api.list_bindings()
        server, session = await api.make_session()
        async with session, session.get(f"{server}/apis/curfew.dev/v1alpha1/accessrequests") as response:
            assert response.status == 200
            await response.read()  # closing a session does not wait for the connection of an answer left unread


async def test_lists_are_read_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curfew.adapters.kube.cluster._PAGE", 2)
    for number in range(5):
        bench.apply(bench.request(f"inc-{number}"))

    listed = mine(bench, await bench.cluster.list_requests())

    assert listed == [f"inc-{number}" for number in range(5)]


async def test_the_sweeper_needs_no_more_rights_than_it_has(cluster: Installed, bench: Bench, tmp_path: Path) -> None:
    over, running = bench.binding(await bench.requested("inc-1")), bench.binding(await bench.requested("inc-2"))
    # Admission takes no binding that is over when it is made.
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    over["metadata"]["annotations"][names.ANNOTATION_STARTS_AT] = format_time(end - timedelta(minutes=1))
    over["metadata"]["annotations"][names.ANNOTATION_EXPIRES_AT] = format_time(end)
    for manifest in (over, running):
        await bench.cluster.create_binding(manifest, SOON)
    await asyncio.sleep((end - datetime.now(UTC)).total_seconds())

    said: list[str] = []
    async with KubeCluster.connect(cluster.sweeper_kubeconfig(tmp_path / "sweeper")) as sweeper:
        left = await sweep_bindings(sweeper, SystemClock(), said.append)

    assert left == 0
    assert any(line.startswith(f"{bench.namespace}/{over['metadata']['name']} ended at") for line in said)
    assert await _there(bench, over) is False
    assert await _there(bench, running) is True


async def _there(bench: Bench, manifest: dict[str, Any]) -> bool:
    return await bench.cluster.get_binding(bench.namespace, manifest["metadata"]["name"]) is not None

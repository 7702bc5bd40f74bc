"""A watch of a real API server shows what the model of the simulation shows."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from curfew.adapters.kube import KubeCluster
from curfew.api import names
from tests.integration.installed import Installed
from tests.support.cluster_contract import Bench, this_second
from tests.support.watch_contract import NextChange, WatchContract, Watching

WITHIN = 60.0
"""How long to wait for a change, in seconds."""


class TestRealWatch(WatchContract):
    """The watch that Kopf has: open requests, by a label selector."""

    @pytest.fixture
    async def api(self, cluster: Installed, tmp_path: Path) -> AsyncIterator[KubeCluster]:
        """Return the API server as the operator sees it."""
        async with KubeCluster.connect(cluster.operator_kubeconfig(tmp_path / "kubeconfig")) as connected:
            yield connected

    @pytest.fixture
    def bench(self, cluster: Installed, api: KubeCluster, namespace: str) -> Bench:
        """Return a namespace of its own on it."""

        def delete(kind: str, name: str, at: str) -> None:
            cluster.kubectl("delete", kind, name, "--namespace", at)

        return Bench(api, namespace, this_second(), cluster.apply, delete, api)

    @pytest.fixture
    def watch(self, api: KubeCluster, bench: Bench) -> Watching:
        """Return how to watch requests."""

        @asynccontextmanager
        async def watching() -> AsyncIterator[NextChange]:
            server, session = await api.make_session()
            path = f"{server}/apis/{names.API_VERSION}/accessrequests"
            query = {
                "watch": "true",
                "labelSelector": f"!{names.LABEL_CLOSED}",
                "resourceVersion": str(await api.revision()),
            }
            async with session, session.get(path, params=query) as answer:

                async def next_change() -> tuple[str | None, Mapping[str, Any]]:
                    while True:
                        async with asyncio.timeout(WITHIN):
                            event = json.loads(await answer.content.readline())
                        if event["object"]["metadata"]["namespace"] == bench.namespace:
                            return event["type"], event["object"]

                yield next_change

        return watching

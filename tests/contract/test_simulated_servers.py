"""The models of the simulation keep the contracts that the real servers keep (tests/integration)."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from curfew.ports import ObjectStore, StoreUnavailable
from tests.simulation.clients import StoreClient
from tests.simulation.feed import as_selected
from tests.simulation.line import CallCounter, SimulatedLine
from tests.simulation.process import SimulatedProcess
from tests.simulation.servers import ModelApiServer
from tests.support.builders import NOON, a_role
from tests.support.cluster_contract import ROLE, Bench, ClusterContract
from tests.support.store_contract import StoreContract
from tests.support.stores import MemoryStore
from tests.support.watch_contract import NextChange, WatchContract, Watching
from tests.support.world import FakeClock


@pytest.fixture
def api() -> ModelApiServer:
    """Return an empty API server."""
    api = ModelApiServer(FakeClock(NOON))
    api.apply(a_role(ROLE))
    return api


@pytest.fixture
def bench(api: ModelApiServer) -> Bench:
    """Return it with hands to prepare it."""
    return Bench(api, "payments", NOON, api.apply, api.delete, api)


class TestApiServer(ClusterContract):
    """The model of the API server."""


class TestWatch(WatchContract):
    """Its watches, as the replicas see them."""

    @pytest.fixture
    def watch(self, api: ModelApiServer) -> Watching:
        """Return how to watch requests."""

        @asynccontextmanager
        async def watching() -> AsyncIterator[NextChange]:
            changes: asyncio.Queue[tuple[str | None, Mapping[str, Any]]] = asyncio.Queue()
            known: dict[str, Mapping[str, Any]] = {}

            def shown(verb: str, body: Mapping[str, Any]) -> None:
                if (change := as_selected("AccessRequest", verb, body, known)) is not None:
                    changes.put_nowait(change)

            stop = api.watch("AccessRequest", shown)
            try:
                yield changes.get
            finally:
                stop()

        return watching


class TestBucket(StoreContract):
    """The model of the bucket, at the end of a line without trouble."""

    @pytest.fixture
    def store(self) -> ObjectStore:
        """Return an empty one."""
        line = SimulatedLine(
            "bucket",
            SimulatedProcess("a"),
            [],
            random.Random(1),  # noqa: S311  to be had again
            CallCounter(),
            StoreUnavailable,
        )
        return StoreClient(MemoryStore(), line)

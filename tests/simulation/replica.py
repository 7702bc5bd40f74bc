"""One replica: the operator as it is wired for a cluster, with lines to the models in the place of its clients."""

import asyncio
import contextlib
import functools
import os
import random
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from curfew.adapters.clock import SystemClock
from curfew.adapters.kube import KubeCluster
from curfew.adapters.telemetry import Telemetry
from curfew.ports import StoreUnavailable
from curfew.processes.operator import watching, wiring
from curfew.processes.operator.app import Operator
from curfew.processes.operator.wiring import POD_NAME, Parts, wire
from curfew.settings.operator import Settings
from tests.simulation.clients import ClusterClient, StoreClient, unavailable
from tests.simulation.feed import ModelWatches
from tests.simulation.line import CallCounter, SimulatedLine
from tests.simulation.process import SimulatedProcess
from tests.simulation.schedule import TroubleComes
from tests.simulation.servers import ModelApiServer
from tests.support.leases import FakeLeases
from tests.support.stores import MemoryStore
from tests.support.trail import SIGNER

BEGIN = datetime(2026, 11, 24, 12, tzinfo=UTC)


class WorldClock:
    """The time of day of the servers and of people."""

    def now(self) -> datetime:
        """Return the beginning, and what the loop has gone since."""
        return datetime.fromtimestamp(BEGIN.timestamp() + asyncio.get_running_loop().time(), UTC)


class SimulatedOperator(Operator):
    """The operator, with other watches than Kopf's."""

    def __init__(self, parts: Parts, watches: Any) -> None:
        super().__init__(parts)
        self._watches = watches

    async def _run_kopf(self) -> None:
        parts = self._parts
        handlers = watching.make_handlers(parts.known, parts.queue.add, parts.reporting.unreadable)
        watches = asyncio.create_task(self._watches(handlers).run())
        ends = [asyncio.create_task(event.wait()) for event in (self._supervisor.stop, self._watch_anew)]
        try:
            await asyncio.wait([watches, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watches, *ends):
                task.cancel()
            await asyncio.gather(watches, *ends, return_exceptions=True)

    async def live(self) -> None:
        """Run as `run` does, without signals and without a web server."""
        await self._supervisor.run(self._tasks(), self._wind_up, self._office)

    def ask_to_stop(self) -> None:
        """Ask it to end, as SIGTERM does."""
        self._supervisor.stop.set()


class SimulatedReplica:
    """A replica that can be started, killed, suspended, and started anew under another name."""

    def __init__(
        self,
        name: str,
        api: ModelApiServer,
        leases: FakeLeases,
        store: MemoryStore,
        troubles: list[TroubleComes],
        lot: random.Random,
        counter: CallCounter,
        settings: Settings,
    ) -> None:
        self.name = name
        self._api, self._leases, self._store = api, leases, store
        self._troubles, self._lot, self._counter, self._settings = troubles, lot, counter, settings
        self._generation = 0
        self.process = SimulatedProcess(name)
        self.operator: SimulatedOperator | None = None
        self.task: asyncio.Task[None] | None = None
        self.ended_by_itself: list[str] = []

    def start(self) -> None:
        """Start a process."""
        self._generation += 1
        pod = f"{self.name}-{self._generation}"
        self.process = process = SimulatedProcess(pod)
        cluster_line = SimulatedLine("cluster", process, self._troubles, self._lot, self._counter, unavailable)
        bucket_line = SimulatedLine("bucket", process, self._troubles, self._lot, self._counter, StoreUnavailable)
        client = ClusterClient(pod, self._api, self._leases, cluster_line, WorldClock())
        store = StoreClient(self._store, bucket_line)

        def watches(handlers: watching.Handlers) -> ModelWatches:
            return ModelWatches(handlers, client, self._api, cluster_line, self._troubles, self._lot)

        async def main() -> None:
            with _wired_to(store, pod):
                parts = wire(self._settings, cast(KubeCluster, client), Telemetry())
            self.operator = SimulatedOperator(parts, watches)
            await self.operator.live()

        self.task = process.start(main())
        self.task.add_done_callback(lambda task: self._note(process, task))

    def _note(self, process: SimulatedProcess, task: "asyncio.Task[None]") -> None:
        if task.cancelled() or process.is_dead or task.exception() is None:
            return
        self.ended_by_itself.append(f"{process.name} ended: {task.exception()!r}")

    def stop(self) -> None:
        """Ask the process to end."""
        if self.operator is not None:
            self.operator.ask_to_stop()

    async def end(self) -> None:
        """Kill the process, if there is one."""
        await self.process.kill()


@contextlib.contextmanager
def _wired_to(store: StoreClient, pod: str) -> Iterator[None]:
    """Let `wire` use the model of a bucket, and clocks that follow the loop."""
    loop = asyncio.get_running_loop()

    def nanoseconds() -> int:
        return int((BEGIN.timestamp() + loop.time()) * 1e9)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "SystemClock", lambda: SystemClock(nanoseconds, nanoseconds))
        patch.setattr(wiring, "open_store", lambda url, retention=None: store)
        patch.setattr(wiring, "open_signers", lambda audit: (SIGNER, None))
        patch.setitem(cast(dict[str, str], os.environ), POD_NAME, pod)
        yield


@functools.cache
def settings() -> Settings:
    """Return settings that name a key and a bucket; the models are put in their places."""
    with tempfile.NamedTemporaryFile() as key:
        return Settings.model_validate(
            {
                "audit": {"url": "file:///nowhere", "keyFile": key.name, "heartbeat": "10s"},
                "finished": {"keepFor": "720h"},
            }
        )

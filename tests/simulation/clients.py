"""What a replica has in the place of its clients: every call goes through a line to a model of the server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Final

from curfew.core.probes import Attempt, Canary
from curfew.ports import (
    Attestation,
    Clock,
    ClosedRequest,
    Keep,
    Lease,
    ObjectSeen,
    ObjectStore,
    Unavailable,
    every,
)
from tests.simulation.line import SimulatedLine
from tests.simulation.servers import ModelApiServer
from tests.support.leases import FakeLeases

SECONDS: Final = {
    "list_requests": 30.0,
    "list_policies": 30.0,
    "list_bindings": 30.0,
    "delete_binding": 3.0,
    "read_lease": 2.0,
    "create_lease": 2.0,
    "replace_lease": 2.0,
}
"""How long some calls wait for their answers: what adapters/kube sets. All others wait for five seconds."""

WATCH_SECONDS: Final = 290.0


class ClusterClient:
    """Has the calls of `KubeCluster`."""

    def __init__(self, name: str, api: ModelApiServer, leases: FakeLeases, line: SimulatedLine, now: Clock) -> None:
        """`now` is the API server's clock, which dates its answers."""
        self._name = name
        self._api = api
        self._line = line
        self._now = now
        self._compared: Callable[[datetime, datetime, str | None], None] = lambda sent, received, date: None
        self._clock: Clock = now
        self.leases = LeasesClient(leases, line)
        self.locks = self
        self.finished = FinishedClient(self)

    async def call(self, name: str, *arguments: Any) -> Any:
        """Make one call."""
        sent = self._clock.now()
        answer = await self._line.call(name, lambda: self._arrive(name, arguments), SECONDS.get(name, 5.0))
        self._compared(sent, self._clock.now(), format_datetime(self._now.now().replace(microsecond=0), usegmt=True))
        return answer

    async def _arrive(self, name: str, arguments: Sequence[Any]) -> Any:
        self._api.by = self._name
        return await getattr(self._api, name)(*arguments)

    def compare_clocks(self, clock: Clock, told: Callable[[datetime, datetime, str | None], None]) -> None:
        """Call `told` for each answer from now on."""
        self._clock, self._compared = clock, told

    def __getattr__(self, name: str) -> Any:
        async def called(*arguments: Any) -> Any:
            return await self.call(name, *arguments)

        if name.startswith("_") or not hasattr(ModelApiServer, name):
            raise AttributeError(name)
        return called

    async def missing_kinds(self) -> list[str]:
        """Miss nothing."""
        return []

    async def create_event(self, manifest: Mapping[str, Any]) -> None:
        """Take an Event."""

    async def get_config_map(self, namespace: str, name: str) -> None:
        """Have no ConfigMap."""

    async def get_cron_job(self, namespace: str, name: str) -> None:
        """Have no CronJob."""

    def prober(self, namespace: str, account: str) -> "ProberClient":
        """Return a prober to whom every attempt is refused."""
        return ProberClient()

    # --- lists and watches ------------------------------------------------------------------------------------------

    async def counted_requests(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield what is labelled as counted."""
        for body in await self._line.call("counted_requests", lambda: _all(self._api.counted_requests()), 10.0):
            yield body

    async def closed_requests(self) -> AsyncIterator[ClosedRequest]:
        """Yield closed requests."""
        for one in await self._line.call("closed_requests", lambda: _all(self._api.closed_requests()), 10.0):
            yield one

    async def list_roles(self, kind: str) -> tuple[Sequence[ObjectSeen], str]:
        """List roles, without what is in them."""

        async def arrive() -> tuple[Sequence[ObjectSeen], str]:
            return [_seen("ADDED", body) for body in self._api.all(kind)], str(await self._api.revision())

        return await self._line.call("list_roles", arrive, 10.0)

    async def watch_roles(self, kind: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Watch roles."""
        async for verb, body in self._changes(kind):
            yield _seen(verb, body)

    async def watch_locks(self, version: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Watch locks."""
        async for change in self._changes("AccessLock"):
            yield change

    async def _changes(self, kind: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        changes: asyncio.Queue[tuple[str, Mapping[str, Any]]] = asyncio.Queue()
        stop = self._api.watch(kind, lambda verb, body: changes.put_nowait((verb, body)))
        try:
            async with asyncio.timeout(WATCH_SECONDS):
                while True:
                    yield await changes.get()
        except TimeoutError:
            return
        finally:
            stop()


class FinishedClient:
    """Finished requests, as `curfew.ports.FinishedRequests`."""

    def __init__(self, cluster: ClusterClient) -> None:
        self._cluster = cluster

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Have none: nobody keeps what a grant left behind."""
        return
        yield []

    async def watch(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
        """Show nothing."""
        await asyncio.sleep(WATCH_SECONDS)
        yield version, None


class LeasesClient:
    """Leases, as `curfew.ports.Leases`."""

    def __init__(self, leases: FakeLeases, line: SimulatedLine) -> None:
        self._leases = leases
        self._line = line

    async def read_lease(self, namespace: str, name: str) -> Lease | None:
        """Read."""
        return await self._line.call("read_lease", lambda: self._leases.read_lease(namespace, name), 2.0)

    async def create_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Make."""
        return await self._line.call("create_lease", lambda: self._leases.create_lease(namespace, name, lease), 2.0)

    async def replace_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Write."""
        return await self._line.call("replace_lease", lambda: self._leases.replace_lease(namespace, name, lease), 2.0)


class ProberClient:
    """Is refused everything, so our admission policies are in force."""

    async def attempt(self, attempt: Attempt) -> str | None:
        """Return the refusal."""
        return f"ValidatingAdmissionPolicy '{attempt.policy}' denied the request"

    async def place(self, canary: Canary) -> None:
        """Have it there already."""


class StoreClient:
    """A bucket, as `curfew.ports.ObjectStore`."""

    url = "memory://"

    def __init__(self, store: ObjectStore, line: SimulatedLine) -> None:
        self._store = store
        self._line = line

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object."""
        await self._line.call("create", lambda: self._store.create(name, body), 10.0)

    async def get(self, name: str) -> bytes:
        """Return an object."""
        return await self._line.call("get", lambda: self._store.get(name), 10.0)

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return names."""
        return await self._line.call("list", lambda: self._store.list(prefix, keep=keep, most=most), 10.0)

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return folders."""
        return await self._line.call("list_partitions", lambda: self._store.list_partitions(prefix), 10.0)

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Prove that it is write-once."""
        return await self._line.call("attest", lambda: self._store.attest(name, at), 10.0)


def _seen(verb: str, body: Mapping[str, Any]) -> ObjectSeen:
    meta = body["metadata"]
    return ObjectSeen(verb, meta.get("namespace", ""), meta["name"], meta["uid"], meta["resourceVersion"])


async def _all(found: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in found]


def unavailable(problem: str) -> Exception:
    """Return the error of an API server that does not answer."""
    return Unavailable(problem)

"""Carrying faults out on the servers, and taking each back when its time is over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from tests.chaos.disk import SmallDisk
from tests.chaos.proxy import ChaosProxy
from tests.chaos.replica import Replica
from tests.chaos.schedule import FaultKind, PlannedFault
from tools.servers.environment import Environment
from tools.servers.processes import Server


class FaultMaker:
    """Knows all servers. Faults on one of them wait for each other; faults on different ones overlap."""

    def __init__(
        self, environment: Environment, replicas: list[Replica], bucket: ChaosProxy, disk: SmallDisk | None
    ) -> None:
        """Do nothing yet."""
        self._environment = environment
        self._replicas = replicas
        self._bucket = bucket
        self._disk = disk
        self._api, self._etcd, self._s3 = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self.done: list[tuple[datetime, datetime, PlannedFault]] = []
        self.failures: list[str] = []

    async def play(self, schedule: list[PlannedFault]) -> None:
        """Carry out a schedule, and return when all of it is taken back."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for fault in schedule:
                await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
                group.create_task(self._carry_out(fault))

    async def _carry_out(self, fault: PlannedFault) -> None:
        async with self._fault(fault):
            begun = datetime.now(UTC)
            await asyncio.sleep(fault.lasts)
        self.done.append((begun, datetime.now(UTC), fault))

    def _fault(self, fault: PlannedFault) -> AbstractAsyncContextManager[None]:
        replica = self._replicas[fault.replica]
        bucket, control_plane, s3 = self._bucket.weather, self._environment.control_plane, self._environment.s3
        match fault.kind:
            case FaultKind.KILL_REPLICA:
                return self._killed([replica])
            case FaultKind.KILL_ALL_REPLICAS:
                return self._killed(self._replicas)
            case FaultKind.STOP_REPLICA:
                return self._stopped(replica)
            case FaultKind.PAUSE_REPLICA:
                return self._paused_replica(replica)
            case FaultKind.PART_REPLICA:
                return self._parted(replica)
            case FaultKind.THROTTLE_REPLICA:
                return _set(replica.busy, replica.api.weather, refusing=429, refused=0.5 + fault.size / 2)
            case FaultKind.EXPIRE_TOKEN:
                return self._expired(replica)
            case FaultKind.STEP_CLOCK:
                return self._stepped(replica, (fault.size - 0.5) * 2 * MOST_STEP)
            case FaultKind.KILL_API_SERVER:
                return _killed(self._api, control_plane.kill_apiserver, control_plane.start_apiserver)
            case FaultKind.PAUSE_API_SERVER:
                return _paused(self._api, lambda: _named(control_plane.servers, "kube-apiserver"))
            case FaultKind.KILL_ETCD:
                return _killed(self._etcd, control_plane.kill_etcd, control_plane.start_etcd)
            case FaultKind.PAUSE_ETCD:
                return _paused(self._etcd, lambda: _named(control_plane.servers, "etcd"))
            case FaultKind.KILL_BUCKET:
                return _killed(self._s3, s3.kill, s3.start)
            case FaultKind.PAUSE_BUCKET:
                return _paused(self._s3, lambda: s3.servers[0])
            case FaultKind.FILL_BUCKET if self._disk is not None:
                return _killed(self._s3, self._disk.fill, self._disk.free)
            case FaultKind.FILL_BUCKET:
                return _set(self._s3, bucket, refusing=507, refused=1.0)
            case FaultKind.SLOW_BUCKET:
                return _set(self._s3, bucket, slow=0.2 + 2.8 * fault.size)
            case FaultKind.REFUSING_BUCKET:
                return _set(self._s3, bucket, refusing=503, refused=0.5 + fault.size / 2)
            case FaultKind.FORGETFUL_BUCKET:
                return _set(self._s3, bucket, lost=0.3 + 0.7 * fault.size)

    @asynccontextmanager
    async def _killed(self, replicas: list[Replica]) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for replica in replicas:
                await stack.enter_async_context(replica.busy)
            for replica in replicas:
                replica.kill()
            try:
                yield
            finally:
                for replica in replicas:
                    replica.start()

    @asynccontextmanager
    async def _stopped(self, replica: Replica) -> AsyncIterator[None]:
        async with replica.busy:
            # A process that is still loading Python ends by SIGTERM itself, without the operator's own way of stopping.
            if not replica.is_known:
                replica.kill()
            replica.is_known = False
            try:
                await asyncio.to_thread(replica.operator.stop)
            except AssertionError as error:
                self.failures.append(str(error))
            try:
                yield
            finally:
                replica.start()

    @asynccontextmanager
    async def _paused_replica(self, replica: Replica) -> AsyncIterator[None]:
        async with replica.busy:
            replica.signal(signal.SIGSTOP)
            try:
                yield
            finally:
                replica.signal(signal.SIGCONT)

    @asynccontextmanager
    async def _parted(self, replica: Replica) -> AsyncIterator[None]:
        async with replica.busy:
            replica.api.hold()
            try:
                yield
            finally:
                replica.api.let_go()

    @asynccontextmanager
    async def _expired(self, replica: Replica) -> AsyncIterator[None]:
        async with replica.busy:
            replica.set_token(is_good=False)
            try:
                yield
            finally:
                replica.set_token(is_good=True)

    @asynccontextmanager
    async def _stepped(self, replica: Replica, seconds: float) -> AsyncIterator[None]:
        async with replica.busy:
            replica.set_clock(seconds)
            try:
                yield
            finally:
                replica.set_clock(0)


MOST_STEP = 20.0
"""Seconds by which a clock is set ahead or back at most."""


@asynccontextmanager
async def _killed(busy: asyncio.Lock, end: Callable[[], None], begin: Callable[[], None]) -> AsyncIterator[None]:
    async with busy:
        await asyncio.to_thread(end)
        try:
            yield
        finally:
            await asyncio.to_thread(begin)


@asynccontextmanager
async def _paused(busy: asyncio.Lock, server: Callable[[], Server]) -> AsyncIterator[None]:
    async with busy:
        stopped = server()
        stopped.pause()
        try:
            yield
        finally:
            stopped.go_on()


@asynccontextmanager
async def _set(busy: asyncio.Lock, weather: Any, **how: Any) -> AsyncIterator[None]:
    async with busy:
        clear = {name: getattr(weather, name) for name in how}
        for name, value in how.items():
            setattr(weather, name, value)
        try:
            yield
        finally:
            for name, value in clear.items():
                setattr(weather, name, value)


def _named(servers: list[Server], name: str) -> Server:
    return next(server for server in servers if server.name == name)

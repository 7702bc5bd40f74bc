"""The operator put together: the only place, with the command line, that chooses adapters."""

import asyncio
import functools
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import kopf
import structlog

from curfew.adapters.clock import SystemClock
from curfew.adapters.events import Recorder
from curfew.adapters.forwarding import Forwarder, open_sink
from curfew.adapters.kube import KubeCluster
from curfew.adapters.objectstore import open_store
from curfew.adapters.signing import open_signers
from curfew.adapters.telemetry import Telemetry
from curfew.adapters.variables import Variables
from curfew.adapters.web import WebServer
from curfew.api.access_request import Phase
from curfew.audit.record import Record
from curfew.core.facts import ClockState, EnforcementState
from curfew.core.policy_records import place_of
from curfew.ports import Attestation, ClusterError
from curfew.processes.operator import watching
from curfew.processes.operator.anchoring import Anchoring
from curfew.processes.operator.cleanup import Cleanup
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.enforcement import Enforcement
from curfew.processes.operator.known import Store
from curfew.processes.operator.lister import Lister
from curfew.processes.operator.queue import WorkQueue
from curfew.processes.operator.reconciler import Reconciler
from curfew.processes.operator.reporting import Reporting
from curfew.processes.operator.revisions import Course, Revisions
from curfew.processes.operator.roles import RoleWatch
from curfew.processes.operator.sweeper_watch import SweeperWatch
from curfew.processes.operator.timekeeping import Timekeeping
from curfew.settings.operator import Settings
from curfew.trail import Discrepancy, Health, People, PunctualStore, Trail, UsedNames, records

log = structlog.get_logger("curfew")

R = TypeVar("R")

RELIST_SECONDS = 600.0
"""How often everything is listed and compared: a watch reports no deletions across a gap."""

REVISION_SECONDS = 2.0
"""How often it is asked whether the API server's state went back: until that is noticed, ended access may be there again."""

SURVEY_SECONDS = 5.0
"""How often the metrics that are a picture of everything are set."""

AGAIN_SECONDS = 30.0
"""How soon a task beside the others begins again after a defect ended it."""

NAME_TIMEOUT = timedelta(seconds=5)
"""How long the store may take to tell whether a name was used; the request waits meanwhile."""

FOLD = timedelta(hours=1)
"""How much more of the trail than the longest grant is read at the start."""


class Operator:
    """Everything that runs, and how it is started and ended."""

    def __init__(self, settings: Settings, cluster: KubeCluster, telemetry: Telemetry) -> None:
        self._settings = settings
        self._cluster = cluster
        self._telemetry = telemetry
        self._clock = SystemClock()
        self._store = Store()
        self._recorder = Recorder(cluster, self._clock, telemetry.events_dropped)
        self._reporting = Reporting(self._recorder, telemetry)
        self._variables: Variables | None = None
        if settings.audit.credentials_folder is not None:
            self._variables = Variables(settings.audit.credentials_folder)
            self._variables.read()
        signer, previous = open_signers(settings.audit)
        store = open_store(settings.audit.url, retention=settings.audit.retention)
        self._trail = Trail(
            store,
            self._clock,
            signer,
            settings.audit.log,
            writer=socket.gethostname(),
            observer=self,
            previous=previous,
            heartbeat=settings.audit.heartbeat,
            window=settings.limits.max_grant + FOLD,
            worm_required=settings.audit.worm == "required",
            attest_every=settings.audit.attest_every,
            people=People(open_store(settings.audit.people), self._clock) if settings.audit.people else None,
        )
        verifiers = [each.verifier for each in (signer, previous) if each is not None]
        self._anchoring = Anchoring(cluster, settings.enforcement.namespace, verifiers, telemetry)
        self._forwarder: Forwarder | None = None
        if settings.audit.forward is not None:
            sink = open_sink(settings.audit.forward)
            self._forwarder = Forwarder(sink, self._clock, settings.audit.log, telemetry)
        self._enforcement = Enforcement(
            cluster.prober(settings.enforcement.namespace, settings.enforcement.service_account),
            self._clock,
            namespace=settings.enforcement.namespace,
            account=settings.enforcement.service_account,
            every=settings.enforcement.every,
            changed=self.enforcement_changed,
            told=telemetry.enforced,
        )
        self._sweeper = SweeperWatch(
            cluster,
            self._clock,
            settings.enforcement.namespace,
            seen=self._reporting.sweeper_seen,
            overdue=functools.partial(self._reporting.sweeper_overdue, namespace=settings.enforcement.namespace),
        )
        self._timekeeping = Timekeeping(self._clock, self.clock_changed)
        cluster.compare_clocks(self._clock, self._timekeeping.answered)
        self._cleanup = Cleanup(
            cluster,
            self._trail,
            self._clock,
            self._reporting,
            keep_for=settings.finished.keep_for,
            policy=self._store.policy,
        )
        self._counting = Counting(self._store, cluster, self._trail, self._clock)
        self._reconciler = Reconciler(
            self._store,
            cluster,
            self._trail,
            self._clock,
            self._reporting,
            names=UsedNames(PunctualStore(store, NAME_TIMEOUT), settings.audit.log),
            counting=self._counting,
            enforcement=lambda: self._enforcement.state,
            clock_state=lambda: self._timekeeping.state,
            max_grant=settings.limits.max_grant,
            wake=lambda uid: self._queue.add(uid),
            closed=self._cleanup.closed,
        )
        self._queue = WorkQueue(
            self._reconciler.reconcile,
            self._clock,
            place=self._reconciler.place,
            on_error=self._reporting.failed,
            due=self._store.end_of,
        )
        self._revisions = Revisions(cluster)
        self._watch_anew = asyncio.Event()
        self._lister = Lister(self._store, cluster, self._queue.add, self._reporting.unreadable)
        self._roles = RoleWatch(cluster, self._store, self._queue.add)
        self._stop = asyncio.Event()
        self._pulse = self._clock.now()
        self._is_listed = asyncio.Event()
        self._was_read = False  # whether the trail knows what the log holds

    # --- what the trail tells ---------------------------------------------------------------------------------------

    def durable(self, records: Sequence[Record]) -> None:
        """Give the requests and policies whose records became durable their turn."""
        self._reporting.durable(records)
        for uid in {record.subject for record in records}:
            if self._store.request(uid) is not None:
                self._queue.add(uid)
        for place in {place_of(record) for record in records} - {None}:
            self._queue.add(place)

    def health_changed(self, health: Health) -> None:
        """Give every request that the trail's health matters to its turn."""
        self._reporting.trail_changed(ok=health.ok, reason=health.reason, message=health.message)
        if health.is_open and not self._was_read:  # from now on a grant that the log does not announce is none
            self._was_read = True
            for request in self._store.requests():
                self._queue.add(request.metadata.uid)
            for policy in self._store.policies():
                self._queue.add((policy.metadata.namespace, policy.metadata.name))
        self._wake_waiting()

    def attested(self, attestation: Attestation) -> None:
        """Tell what was proved of the bucket."""
        self._reporting.attested(attestation, self._settings.enforcement.namespace)

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """Tell that the log is not as it was written."""
        namespace = self._settings.enforcement.namespace
        self._reporting.verification_failed(str(discrepancy), namespace, key=discrepancy.key)

    def enforcement_changed(self, state: EnforcementState) -> None:
        """Tell that our admission policies are, or are not, in force, and give every request that waits its turn."""
        self._reporting.enforcement_changed(state, self._settings.enforcement.namespace)
        self._wake_waiting()

    def clock_changed(self, state: ClockState) -> None:
        """Tell how our clock compares with the API server's, and give every request that waits its turn."""
        self._reporting.clock_changed(state, self._settings.enforcement.namespace)
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        for request in self._store.requests():
            if request.status.outbox or request.status.phase in (None, Phase.PENDING, Phase.APPROVED):
                self._queue.add(request.metadata.uid)

    def committed(self, seconds: float, records: int, size: int) -> None:
        """Measure a commit."""
        self._reporting.committed(seconds, records, size)

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """Hand a segment to those who tell of it elsewhere."""
        self._anchoring.appended(first + len(lines), stored)
        if self._forwarder is not None:
            self._forwarder.appended(first, lines)

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until told to stop, or until something ends that must not."""
        loop = asyncio.get_running_loop()
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_, self._stop.set)
        server = self._settings.server
        async with WebServer(
            server.host, server.port, alive=self._is_alive, ready=self._ready, metrics=self._telemetry.render
        ) as web:
            log.info("serving health and metrics", port=web.port)
            await self._run_until_stopped()
        log.info("stopped")

    async def _run_until_stopped(self) -> None:
        tasks = {
            asyncio.create_task(self._recorder.run(), name="events"),
            asyncio.create_task(self._survey(), name="survey"),
            asyncio.create_task(self._keep_trail(), name="trail"),
            asyncio.create_task(self._enforcement.run(), name="enforcement"),
            asyncio.create_task(self._watch(), name="watch"),
            asyncio.create_task(self._beside("put up checkpoints", self._anchoring.run), name="anchoring"),
            asyncio.create_task(self._beside("watch the sweeper", self._sweeper.run), name="sweeper"),
            asyncio.create_task(self._beside("delete finished requests", self._clean_up), name="cleanup"),
            asyncio.create_task(self._beside("count refused requests", self._counting.run), name="counting"),
        }
        if self._variables is not None:
            tasks.add(asyncio.create_task(self._beside("read credentials", self._variables.run), name="credentials"))
        if self._forwarder is not None:
            tasks.add(asyncio.create_task(self._beside("send records on", self._forwarder.run), name="forwarding"))
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                await task  # raises what ended it
                if not self._stop.is_set() and task.get_name() != "watch":
                    raise RuntimeError(f"task {task.get_name()} ended, which it must not")
        finally:
            self._stop.set()
            await self._queue.close()
            await self._trail.close()
            if self._forwarder is not None:
                await self._forwarder.drain()
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)

    async def _keep_trail(self) -> None:
        """Open the trail, tell what was deleted while nobody looked, and write."""
        await self._trail.open()
        closing = asyncio.create_task(self._close_deleted_stories())
        try:
            await self._trail.run()
        finally:
            closing.cancel()

    async def _close_deleted_stories(self) -> None:
        await self._is_listed.wait()
        self._reconciler.tell_deleted_policies()
        await self._insist("close the stories of deleted requests", self._reconciler.close_deleted_stories)

    async def _clean_up(self) -> None:
        await self._is_listed.wait()  # before that no policy is known
        await self._cleanup.run()

    async def _watch(self) -> None:
        """List everything once, end what is over, then watch."""
        await self._insist("find the custom resources", self._find_kinds)
        await self._insist("list what there is", self._lister.relist)
        self._is_listed.set()
        # What was just listed stays: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(2000, 50, 1000)
        log.info("everything is listed", requests=len(tuple(self._store.requests())))
        relisting = asyncio.create_task(self._keep_relisting(), name="relist")
        try:
            while await self._watch_until_set_back():
                log.info("watching anew")
        finally:
            relisting.cancel()

    async def _watch_until_set_back(self) -> bool:
        """Watch until told to stop, or until the API server's state went back; return whether it did."""
        self._watch_anew.clear()
        roles = asyncio.create_task(self._beside("watch roles", self._roles.run), name="roles")
        try:
            await self._run_kopf()
        finally:
            roles.cancel()
        return self._watch_anew.is_set() and not self._stop.is_set()

    async def _run_kopf(self) -> None:
        registry = kopf.OperatorRegistry()
        settings = kopf.OperatorSettings()
        watching.configure(settings)
        watching.register(registry, self._store, self._queue.add, self._reporting.unreadable)

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            server, session = await self._cluster.make_session()
            return kopf.AiohttpSession(server=server, aiohttp_session=session)

        end = asyncio.Event()
        waiting = [asyncio.create_task(event.wait()) for event in (self._stop, self._watch_anew)]
        for task in waiting:
            task.add_done_callback(lambda _: end.set())
        try:
            tasks = await kopf.spawn_tasks(registry=registry, settings=settings, clusterwide=True, stop_flag=end)
            await kopf.run_tasks(tasks, ignored=_AllTasks())
        finally:
            for task in waiting:
                task.cancel()

    async def _find_kinds(self) -> None:
        missing = await self._cluster.missing_kinds()
        if missing:
            raise ClusterError(
                f"the API server does not know {' and '.join(missing)}; install Curfew's chart, or apply the files in crds/"
            )

    async def _keep_relisting(self) -> None:
        """List everything every while, and at once if the API server's state may have gone back (promise P1)."""
        listed_at = self._clock.now()
        while True:
            await asyncio.sleep(REVISION_SECONDS)
            course, seen = await self._revisions.look(), self._revisions.highest
            if course is Course.ON and self._clock.now() - listed_at < timedelta(seconds=RELIST_SECONDS):
                continue
            relist = functools.partial(self._lister.relist, from_scratch=course is Course.BACK)
            went_back = await self._insist("list what there is", relist)
            listed_at = self._clock.now()
            if went_back:
                await self._begin_anew(seen)

    async def _begin_anew(self, seen: int) -> None:
        """Tell that the API server's state went back, watch anew, and compare what there is with the log."""
        record = records.cluster_set_back(
            self._settings.audit.log, at=self._clock.now(), seen=seen, found=self._revisions.found
        )
        self._trail.submit([record])
        self._reporting.set_back(record.message, self._settings.enforcement.namespace, key=record.id)
        self._revisions.start_over()
        self._counting.start_over()
        self._watch_anew.set()
        self._cleanup.list_again()
        await self._close_deleted_stories()

    async def _survey(self) -> None:
        while True:
            self._pulse = self._clock.now()
            self._reporting.survey(self._store, self._pulse, self._trail.seals)
            self._telemetry.set_queue_depth(self._queue.waiting)
            self._telemetry.set_clock_ahead(self._timekeeping.skew.total_seconds())
            if self._forwarder is not None:
                self._telemetry.set_forwarding(self._forwarder.waiting, self._forwarder.lag.total_seconds())
            await asyncio.sleep(SURVEY_SECONDS)

    async def _beside(self, what: str, run: Callable[[], Awaitable[None]]) -> None:
        """Do what is never to be in anybody's way, whatever becomes of it."""
        while True:
            try:
                await run()
            except Exception:  # whatever it is: what ends access goes on beside it
                log.exception(f"a defect kept us from going on to {what}")
            await asyncio.sleep(AGAIN_SECONDS)

    async def _insist(self, what: str, act: Callable[[], Awaitable[R]]) -> R:
        """Do it until it succeeds, and return what it returns; say each time why it did not."""
        delay = 0.2
        while True:
            try:
                return await act()
            except ClusterError as error:
                log.warning(f"cannot {what} yet", problem=str(error), again_in=delay)
                await asyncio.sleep(delay)
                delay = min(2.0, delay * 2)
            except Exception:  # nobody waits for what does this: it would end, and nobody would know
                log.exception(f"a defect kept us from going on to {what}")
                await asyncio.sleep(AGAIN_SECONDS)

    # --- health -----------------------------------------------------------------------------------------------------

    def _is_alive(self) -> bool:
        return self._clock.now() - self._pulse < timedelta(seconds=6 * SURVEY_SECONDS)

    def _ready(self) -> tuple[bool, Mapping[str, str]]:
        """Ready means granting. Access ends on time without it, so a probe must never restart the process for it."""
        health, enforcement, clock = self._trail.health, self._enforcement.state, self._timekeeping.state
        is_synced = self._store.is_synced
        return is_synced and health.ok and enforcement.ok and clock.ok, {
            "clock": clock.message,
            "cluster": "everything is listed and watched" if is_synced else "not everything is listed yet",
            "enforcement": enforcement.message,
            "sweeper": self._sweeper.message,
            "trail": "takes records" if health.ok else f"takes no records, nothing is granted: {health.message}",
        }


class _AllTasks(Collection[asyncio.Task[object]]):
    """Holds every task there is. Kopf ends, after 5 s, all tasks that are not in what it is told to ignore: ours too."""

    def __contains__(self, task: object) -> bool:
        return isinstance(task, asyncio.Task)

    def __iter__(self) -> Iterator[asyncio.Task[object]]:
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


async def operate(settings: Settings, kubeconfig: Path | None) -> None:
    """Run the operator until it is told to stop."""
    telemetry = Telemetry()
    async with KubeCluster.connect(kubeconfig, observe=telemetry.cluster_call) as cluster:
        await Operator(settings, cluster, telemetry).run()

"""The operator's life: which tasks it has, in which order they start, and how it ends."""

import asyncio
import functools
import gc
import signal
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import structlog

from curfew.adapters.kube import KubeCluster
from curfew.adapters.telemetry import Telemetry
from curfew.adapters.web import WebServer
from curfew.audit.record import Record
from curfew.ports import ClusterError
from curfew.processes.operator import watching
from curfew.processes.operator.kopf_alone import kopf
from curfew.processes.operator.office import Office
from curfew.processes.operator.revisions import Course, cluster_set_back
from curfew.processes.operator.wiring import Parts, wire
from curfew.settings.operator import Settings
from curfew.tasks.supervision import Runs, Supervisor, Task, insist, repeat

log = structlog.get_logger("curfew")

RELIST_SECONDS = 600.0
"""How often everything is listed and compared: a watch reports no deletions across a gap."""

REVISION_SECONDS = 2.0
"""How often to check whether the API server's state went back. Until that is noticed, ended access may exist again."""

TOLD_WITHIN = timedelta(seconds=30)
"""How long a replica that does not lead remembers that the API server's state went back, to record it if it takes over."""

WATCH_AGAIN_SECONDS = 1.0
"""How soon everything is listed and watched again after a defect ended the watching."""

WATCH_TRIES = 5
"""How often in a row that is tried before the process ends, and everybody sees it."""

WATCHED_WELL_SECONDS = 60.0
"""How long the watching has to last to count as mended."""

SURVEY_SECONDS = 5.0
"""How often the metrics that describe the whole state are set."""


class Operator:
    """Runs the parts until the process is asked to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._supervisor = Supervisor()
        self._pulse = parts.clock.now()
        self._office = Office(parts)
        self._is_listed = asyncio.Event()
        self._watch_anew = asyncio.Event()
        self._went_back: Record | None = None  # the record that the API server's state went back, if we do not lead

    async def run(self) -> None:
        """Run until asked to stop, or until a task ends that must not end."""
        self._heed_signals()
        server = self._parts.settings.server
        async with WebServer(
            server.host, server.port, alive=self._is_alive, ready=self._ready, metrics=self._parts.telemetry.render
        ) as web:
            log.info("serving health and metrics", port=web.port)
            await self._supervisor.run(self._tasks(), self._wind_up, self._office)
        log.info("stopped")

    def _heed_signals(self) -> None:
        """Stop when the process is asked to."""
        loop = asyncio.get_running_loop()
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_, self._supervisor.stop.set)

    def _tasks(self) -> list[Task]:
        parts = self._parts
        tasks = [
            Task("election", parts.election.run, Runs.EVERYWHERE, is_vital=True),
            Task("events", parts.recorder.run, Runs.EVERYWHERE, is_vital=True),
            Task("survey", self._survey, Runs.EVERYWHERE, is_vital=True),
            Task("watch", self._watch, Runs.EVERYWHERE, is_vital=True),
            Task("locks", parts.locks.run, Runs.EVERYWHERE, is_vital=True),
            Task("relist", self._keep_relisting, Runs.EVERYWHERE),
            Task("reading along", parts.trail.keep_up, Runs.STANDING_BY),
            Task("trail", self._keep_trail, Runs.ON_THE_LEADER, is_vital=True),
            Task("enforcement", parts.enforcement.run, Runs.ON_THE_LEADER, is_vital=True),
            Task("deleted stories", self._close_deleted_stories, Runs.ON_THE_LEADER),
            Task("checkpoints", parts.anchoring.run, Runs.ON_THE_LEADER),
            Task("sweeper", parts.sweeper.run, Runs.ON_THE_LEADER),
            Task("cleanup", self._clean_up, Runs.ON_THE_LEADER),
            Task("keeping", self._keep, Runs.ON_THE_LEADER),
            Task("counting", parts.counting.run, Runs.ON_THE_LEADER),
        ]
        if parts.variables is not None:
            tasks.append(Task("credentials", parts.variables.run, Runs.EVERYWHERE))
        if parts.forwarder is not None:
            tasks.append(Task("forwarding", parts.forwarder.run, Runs.EVERYWHERE))
        return tasks

    async def _wind_up(self) -> None:
        """Begin nothing more, and write what is still to be written."""
        await self._parts.queue.close()
        await self._parts.trail.close()
        await self._parts.election.give_up()  # after the last append
        if self._parts.forwarder is not None:
            await self._parts.forwarder.drain()

    # --- the trail --------------------------------------------------------------------------------------------------

    async def _keep_trail(self) -> None:
        await self._parts.trail.open()
        self._office.is_open.set()
        self._tell_of_set_back()
        await self._parts.trail.run()

    async def _close_deleted_stories(self) -> None:
        """Record what was deleted unseen: when this process begins to lead, and each time that the cluster was set back."""
        await self._office.is_open.wait()
        await self._is_listed.wait()
        while True:
            await self._office.compare.wait()
            self._office.compare.clear()
            try:
                self._parts.reconciler.policies.tell_deleted()
                self._parts.reconciler.locks.tell_deleted()
                await insist("close the stories of deleted requests", self._parts.reconciler.deleted.close_stories)
            except BaseException:  # a cancellation as well
                self._office.compare.set()  # the comparison is still to be done when this task begins again
                raise

    async def _clean_up(self) -> None:
        await self._is_listed.wait()  # before that, no policy is known
        await self._parts.cleanup.run()

    async def _keep(self) -> None:
        await self._office.is_open.wait()
        await self._parts.keeping.run()

    # --- the cluster ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """List everything once, end access that is over, then watch."""
        await insist("find the custom resources", self._find_kinds)
        await insist("list what there is", self._parts.lister.relist)
        self._is_listed.set()
        # The objects that were just listed stay: the garbage collector need not visit them again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(2000, 50, 1000)
        log.info("everything is listed", requests=len(tuple(self._parts.known.requests())))
        loop, failures = asyncio.get_running_loop(), 0
        while not self._supervisor.stop.is_set():
            self._watch_anew.clear()
            began = loop.time()
            try:
                await self._watch_once()
            except Exception:  # a passing defect of Kopf or aiohttp must not end what ends access (promises P1 and P11)
                failures = failures + 1 if loop.time() - began < WATCHED_WELL_SECONDS else 1
                if failures == WATCH_TRIES:
                    raise
                log.exception("watching failed", again_in=WATCH_AGAIN_SECONDS)
                if not self._supervisor.stop.is_set():
                    await self._begin_watching_again()
            else:
                log.info("watching ended", again=not self._supervisor.stop.is_set())

    async def _begin_watching_again(self) -> None:
        """After a defect ended the watching, list what was not seen meanwhile.

        Raise `ClusterError` if a kind is gone: the process is started anew, and is not ready until its log's advice is heeded.
        """
        await asyncio.sleep(WATCH_AGAIN_SECONDS)
        _refuse(await insist("look for the custom resources", self._parts.cluster.missing_kinds))
        await insist("list what there is", self._parts.lister.relist)

    async def _watch_once(self) -> None:
        """Watch until asked to stop, or until the API server's state went back."""
        async with asyncio.TaskGroup() as group:
            roles = group.create_task(repeat("roles", self._parts.roles.run), name="roles")
            try:
                await self._run_kopf()
            finally:
                roles.cancel()
        if not self._supervisor.stop.is_set() and not self._watch_anew.is_set():
            raise RuntimeError("Kopf has ended by itself")

    async def _run_kopf(self) -> None:
        parts = self._parts
        registry = kopf.OperatorRegistry()
        settings = kopf.OperatorSettings()
        watching.configure(settings)
        handlers = watching.make_handlers(parts.known, parts.queue.add, parts.reporting.unreadable)
        watching.register(registry, handlers)

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            server, session = await parts.cluster.make_session()
            return kopf.AiohttpSession(server=server, aiohttp_session=session)

        end = asyncio.Event()
        waiting = [asyncio.create_task(event.wait()) for event in (self._supervisor.stop, self._watch_anew)]
        for task in waiting:
            task.add_done_callback(lambda _: end.set())
        try:
            tasks = await watching.start(registry, settings, handlers, end)
            self._heed_signals()  # Kopf has just taken them over, and would lose them once it winds down
            await kopf.run_tasks(tasks, ignored=_AllTasks())
        finally:
            for task in waiting:
                task.cancel()

    async def _find_kinds(self) -> None:
        _refuse(await self._parts.cluster.missing_kinds())

    async def _keep_relisting(self) -> None:
        """List everything at intervals, and at once if the API server's state may have gone back (promise P1)."""
        parts = self._parts
        await self._is_listed.wait()
        listed_at = parts.clock.now()
        while True:
            await asyncio.sleep(REVISION_SECONDS)
            course, seen = await parts.revisions.look(), parts.revisions.highest
            if course is Course.ON and parts.clock.now() - listed_at < timedelta(seconds=RELIST_SECONDS):
                continue
            relist = functools.partial(parts.lister.relist, from_scratch=course is Course.BACK)
            went_back = await insist("list what there is", relist)
            listed_at = parts.clock.now()
            if went_back:
                self._begin_anew(seen)

    def _begin_anew(self, seen: int) -> None:
        """Record that the API server's state went back, watch again, and compare the cluster with the log."""
        parts = self._parts
        settings = parts.settings
        record = cluster_set_back(settings.audit.log, at=parts.clock.now(), seen=seen, found=parts.revisions.found)
        self._went_back = record
        if parts.election.is_in_office:
            self._tell_of_set_back()
        parts.reporting.set_back(record.message, settings.enforcement.namespace, key=record.id)
        parts.revisions.start_over()
        parts.counting.start_over()
        parts.locks.start_over()
        self._watch_anew.set()
        self._office.compare.set()
        parts.cleanup.list_again()

    def _tell_of_set_back(self) -> None:
        """Record that the API server's state went back, if that was a moment ago: otherwise another replica has done so."""
        record, self._went_back = self._went_back, None
        if record is not None and self._parts.clock.now() - record.at < TOLD_WITHIN:
            self._parts.trail.submit([record])

    # --- health -----------------------------------------------------------------------------------------------------

    async def _survey(self) -> None:
        parts = self._parts
        while True:
            self._pulse = parts.clock.now()
            parts.reporting.survey(parts.known, self._pulse, parts.trail.seals, parts.trail.is_told)
            parts.telemetry.set_leader(leads=parts.election.leads)
            if not parts.election.is_in_office:
                parts.reporting.reads_along(parts.trail.unread)
            parts.telemetry.set_queue_depth(parts.queue.waiting)
            parts.telemetry.set_clock_ahead(parts.timekeeping.skew.total_seconds())
            if parts.forwarder is not None:
                parts.telemetry.set_forwarding(parts.forwarder.waiting, parts.forwarder.lag.total_seconds())
            await asyncio.sleep(SURVEY_SECONDS)

    def _is_alive(self) -> bool:
        return self._parts.clock.now() - self._pulse < timedelta(seconds=6 * SURVEY_SECONDS)

    def _ready(self) -> tuple[bool, Mapping[str, str]]:
        """Ready means that grants are made, or could be made if the leader ended now.

        Access ends on time without that, so a probe must never restart the process.
        """
        parts = self._parts
        if not parts.election.is_in_office and parts.election.is_held:
            return self._could_lead()
        health, enforcement, clock = parts.trail.health, parts.enforcement.state, parts.timekeeping.state
        is_synced, locks = parts.known.is_synced, parts.known.locks.state
        return is_synced and health.ok and enforcement.ok and clock.ok and locks.ok, {
            "clock": clock.message,
            "cluster": self._synced(),
            "enforcement": enforcement.message,
            "locks": locks.message,
            "leader": "this replica leads" if parts.election.leads else "this replica cannot show that it leads",
            "sweeper": parts.sweeper.message,
            "trail": "takes records" if health.ok else f"takes no records, nothing is granted: {health.message}",
        }

    def _could_lead(self) -> tuple[bool, Mapping[str, str]]:
        """Return whether this replica could take over from the one that leads."""
        parts = self._parts
        clock, locks, unread = parts.timekeeping.state, parts.known.locks.state, parts.trail.unread
        is_synced = parts.known.is_synced
        return is_synced and clock.ok and locks.ok and unread is None, {
            "clock": clock.message,
            "cluster": self._synced(),
            "leader": f"{parts.election.holder} leads; this replica could take over from it",
            "locks": locks.message,
            "trail": f"cannot be taken over: {unread}" if unread else "is read along, and could be taken over",
        }

    def _synced(self) -> str:
        return "everything is listed and watched" if self._parts.known.is_synced else "not everything is listed yet"


def _refuse(missing: Collection[str]) -> None:
    """Raise `ClusterError` if kinds are missing."""
    if missing:
        raise ClusterError(
            f"the API server does not know {' and '.join(missing)}; install Curfew's chart, or apply the files in crds/"
        )


class _AllTasks(Collection[asyncio.Task[object]]):
    """Contains every task. After 5 s, Kopf ends all tasks that are not in its list of tasks to ignore, ours too."""

    def __contains__(self, task: object) -> bool:
        return isinstance(task, asyncio.Task)

    def __iter__(self) -> Iterator[asyncio.Task[object]]:
        return iter(asyncio.all_tasks())

    def __len__(self) -> int:
        return len(asyncio.all_tasks())


async def operate(settings: Settings, kubeconfig: Path | None) -> None:
    """Run the operator until it is asked to stop."""
    telemetry = Telemetry()
    async with KubeCluster.connect(kubeconfig, observe=telemetry.cluster_call) as cluster:
        await Operator(wire(settings, cluster, telemetry)).run()

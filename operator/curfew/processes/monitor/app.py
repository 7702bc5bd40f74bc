"""The monitor's life: which tasks it has, in which order they start, and how it ends."""

import asyncio
import functools
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog

from curfew.adapters.intake.files import FileFollower
from curfew.adapters.intake.stream import bytes_of, feed_lines
from curfew.adapters.kube import KubeMonitor
from curfew.adapters.telemetry import MonitorTelemetry
from curfew.adapters.web import WebServer
from curfew.processes.monitor.feed import GIVE_UP
from curfew.processes.monitor.wiring import MonitorParts, wire
from curfew.settings.intake import StandardInputSection
from curfew.settings.monitor import MonitorSettings
from curfew.tasks.supervision import Runs, Supervisor, Task

log = structlog.get_logger("curfew")

SURVEY_SECONDS = 5.0
"""How often the metrics that describe the whole state are set."""


class Monitor:
    """Runs the parts until the process is asked to stop."""

    def __init__(self, parts: MonitorParts) -> None:
        self._parts = parts
        self._supervisor = Supervisor(parts.telemetry.task_failed)
        self._pulse = parts.clock.now()
        self._is_open = asyncio.Event()  # both logs were read back

    async def run(self) -> None:
        """Run until asked to stop, or until a task ends that must not end."""
        loop = asyncio.get_running_loop()
        for signal_ in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_, self._supervisor.stop.set)
        parts = self._parts
        server = parts.settings.server
        async with AsyncExitStack() as stack:
            web = await stack.enter_async_context(
                WebServer(
                    server.host, server.port, alive=self._is_alive, ready=self._ready, metrics=parts.telemetry.render
                )
            )
            log.info("serving health and metrics", port=web.port)
            if parts.webhook is not None:
                # It listens before the logs are read: an answer of "later" is repeated for longer than none at all.
                webhook = await stack.enter_async_context(parts.webhook)
                log.info("taking audit events", port=webhook.port)
            tasks = self._tasks()
            parts.telemetry.know_tasks([task.name for task in tasks if not task.is_vital])
            await self._supervisor.run(tasks, self._wind_up)
        log.info("stopped")

    def _tasks(self) -> list[Task]:
        """Return the tasks. A task whose health is shown has the name of that part of `/readyz`."""
        parts = self._parts
        tasks = [
            Task("survey", self._survey, Runs.EVERYWHERE, is_vital=True),
            Task("logs", self._keep_logs, Runs.EVERYWHERE, is_vital=True),
            Task("trail", self._follow, Runs.EVERYWHERE),
            Task("coverage", self._make_canaries, Runs.EVERYWHERE),
            Task("assessing", self._assess, Runs.EVERYWHERE),
            Task("statuses", parts.statuses.run, Runs.EVERYWHERE),
            Task("cutting", parts.cutting.run, Runs.EVERYWHERE),
            Task("events", parts.events.run, Runs.EVERYWHERE),
            Task("detection", self._detect, Runs.EVERYWHERE),
            Task("responses", parts.responses.run, Runs.EVERYWHERE),
            Task("notifications", self._notify, Runs.EVERYWHERE),
            Task("bindings", self._notice, Runs.EVERYWHERE),
        ]
        for source, follower in parts.files.items():
            tasks.append(Task(f"file {source}", functools.partial(self._follow_file, follower), Runs.EVERYWHERE))
        if parts.settings.intake.standard_input is not None:
            read = functools.partial(self._read_input, parts.settings.intake.standard_input)
            tasks.append(Task("standard input", read, Runs.EVERYWHERE))
        if parts.variables is not None:
            tasks.append(Task("credentials", parts.variables.run, Runs.EVERYWHERE))
        return tasks

    async def _wind_up(self) -> None:
        """Write what is still to be written. Senders keep what has no answer."""
        self._parts.noticer.finish()
        self._parts.detecting.settle()
        await self._parts.notifying.close()
        await self._parts.own.close()

    # --- the logs ---------------------------------------------------------------------------------------------------

    async def _keep_logs(self) -> None:
        """Read back the operator's log, then our own, whose records are about the sessions in it; then write."""
        parts = self._parts
        await parts.trail.open()
        await parts.own.open()
        last, now = parts.own.memory.covered_until or parts.own.memory.alive_at, parts.clock.now()
        if last is not None:
            parts.lost(last, now, "the monitor was not running")
        parts.late_grants.started(now)
        self._is_open.set()
        log.info("both logs are read", sessions=len(parts.sessions.all()))
        await parts.own.run()

    async def _follow(self) -> None:
        await self._is_open.wait()
        await self._parts.trail.run()

    async def _follow_file(self, follower: FileFollower) -> None:
        await self._is_open.wait()
        await follower.run()

    async def _read_input(self, section: StandardInputSection) -> None:
        await self._is_open.wait()
        lines = bytes_of(sys.stdin.fileno())
        fed = await feed_lines(lines, section.source, section.format, self._parts.intake, self._parts.kept)
        log.warning("the standard input has ended", source=section.source, lines=fed.lines)
        await asyncio.Event().wait()  # for ever: nothing more can come

    async def _make_canaries(self) -> None:
        await self._is_open.wait()
        await self._parts.canaries.run()

    async def _assess(self) -> None:
        await self._is_open.wait()
        await self._parts.assessing.run()

    async def _detect(self) -> None:
        await self._is_open.wait()
        await self._parts.detecting.run()

    async def _notify(self) -> None:
        await self._is_open.wait()
        await self._parts.notifying.run()

    async def _notice(self) -> None:
        await self._is_open.wait()
        await self._parts.noticer.run()

    # --- health -----------------------------------------------------------------------------------------------------

    async def _survey(self) -> None:
        parts = self._parts
        telemetry = parts.telemetry
        while True:
            self._pulse = now = parts.clock.now()
            telemetry.set_following(ok=not parts.trail.trouble)
            telemetry.set_coverage(parts.own.memory.covered_until, ok=not parts.canaries.trouble)
            telemetry.set_sources(parts.canaries.servers, len(parts.feed.heard_since(now - GIVE_UP)))
            telemetry.set_statuses(len(parts.statuses))
            telemetry.set_open_alerts(parts.detecting.open_by_severity())
            await asyncio.sleep(SURVEY_SECONDS)

    def _is_alive(self) -> bool:
        return self._parts.clock.now() - self._pulse < timedelta(seconds=6 * SURVEY_SECONDS)

    def _ready(self) -> tuple[bool, Mapping[str, str]]:
        """Ready means that audit events are taken and recorded.

        Coverage does not count: an API server that is not set up to send events must not keep an installation from ending.
        Nor does detection, which reads both logs from long ago.
        """
        parts = self._parts
        health, trail, webhook = parts.own.health, parts.trail.trouble, parts.webhook
        ready = self._is_open.is_set() and health.ok and not trail
        state = {
            "coverage": parts.canaries.trouble or "the feed of audit events is whole",
            "log": "takes records"
            if health.ok
            else f"takes no records, so no audit events are taken: {health.message}",
            "detection": parts.detecting.trouble or "both logs are looked at",
            "trail": f"is not followed, so no audit events are taken: {trail}" if trail else "is followed",
        }
        if parts.settings.notifications.routes is not None:
            state["notifications"] = parts.notifying.trouble or "are sent"
        state["bindings"] = parts.noticer.trouble or "are looked at"
        if webhook is not None:
            state["webhook"] = webhook.trouble or "takes audit events"
        for source, follower in parts.files.items():
            state[f"file {source}"] = follower.trouble or "is followed"
        return ready, {**state, **self._supervisor.ended}


async def monitor(settings: MonitorSettings, kubeconfig: Path | None) -> None:
    """Run the monitor until it is asked to stop."""
    telemetry = MonitorTelemetry()
    namespace = settings.coverage.namespace
    async with KubeMonitor.connect(kubeconfig, namespace, observe=telemetry.cluster_call) as cluster:
        await Monitor(wire(settings, cluster, telemetry)).run()

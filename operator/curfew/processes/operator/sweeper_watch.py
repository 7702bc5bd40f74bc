"""Checks whether the sweeper runs. Nothing waits for this: while the operator is up, the operator itself ends access."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from curfew.api.names import SWEEPER_CRON_JOB
from curfew.core.sweeping import SweeperState, Sweeps, judge
from curfew.ports import Clock, ClusterError, CronJobs

log = structlog.get_logger("curfew")

EVERY_SECONDS: Final = 60.0
"""How often the CronJob is read."""


class SweeperWatch:
    """Reads the sweeper's CronJob, and reports an outage once."""

    def __init__(
        self,
        cron_jobs: CronJobs,
        clock: Clock,
        namespace: str,
        seen: Callable[[SweeperState], None],
        overdue: Callable[[SweeperState, datetime], None],
    ) -> None:
        """`seen` is called after each look. `overdue` is called once for each outage, with the time when it began."""
        self._cron_jobs = cron_jobs
        self._clock = clock
        self._namespace = namespace
        self._seen = seen
        self._overdue = overdue
        self._since = clock.now()
        self._is_told = False
        self.message = "Curfew has not checked yet whether the sweeper runs"

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            try:
                await self._look()
            except ClusterError as error:
                self.message = f"Curfew cannot check whether the sweeper runs: {error}"
                log.warning("cannot check whether the sweeper runs", problem=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def _look(self) -> None:
        cron_job = await self._cron_jobs.get_cron_job(self._namespace, SWEEPER_CRON_JOB)
        state = judge(cron_job, since=self._since, now=self._clock.now())
        self.message = state.message
        self._seen(state)
        is_overdue = state.reason is Sweeps.OVERDUE
        if is_overdue and not self._is_told:
            self._overdue(state, state.last or self._since)
        self._is_told = is_overdue

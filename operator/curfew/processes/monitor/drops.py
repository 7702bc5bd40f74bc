"""Looks at how many audit events the API servers have given up, by their own count: each makes a hole in the coverage.

The monitor needs the right to read the API server's metrics for that. Without it, drops show only by what does not arrive.
"""

from datetime import datetime, timedelta

import structlog

from curfew.ports import Clock, ClusterError, Forbidden, MonitoredCluster
from curfew.processes.monitor.feed import GIVE_UP, Lost

log = structlog.get_logger("curfew")

FORBIDDEN = timedelta(minutes=10)
"""How long not to ask again if we may not."""

MOST_SERVERS = 100


class Drops:
    """The counts of the API servers, as they were last seen."""

    def __init__(self, cluster: MonitoredCluster, clock: Clock, lost: Lost) -> None:
        """`lost` is called with each hole."""
        self._cluster = cluster
        self._clock = clock
        self._lost = lost
        self._seen: dict[str, tuple[int, datetime]] = {}  # by server: the count, and when it was asked for
        self._forbidden_at: datetime | None = None

    async def look(self) -> None:
        """Look once, at the API server that answers. Each round of test calls does so: it confirms nothing before."""
        at = self._clock.now()
        if self._forbidden_at is not None and at - self._forbidden_at < FORBIDDEN:
            return
        try:
            found = await self._cluster.dropped_events()
        except Forbidden as error:
            if self._forbidden_at is None:
                log.info("the API server's own count of lost audit events is not read", problem=str(error))
            self._forbidden_at = at
            return
        except ClusterError as error:
            log.warning("cannot read how many audit events were lost", problem=str(error))
            return
        self._forbidden_at = None
        before, since = self._seen.pop(found.server, (found.number, at))
        self._seen[found.server] = found.number, at
        while len(self._seen) > MOST_SERVERS:
            del self._seen[next(iter(self._seen))]
        if found.number > before:
            # What is given up was tried for some minutes.
            self._lost(
                since - GIVE_UP, self._clock.now(), f"an API server has lost {found.number - before} audit events"
            )

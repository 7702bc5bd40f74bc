"""Looks at what the API server that answers has lost: events that it has given up, and those of a process before a restart.

Both make a hole in the coverage. The monitor needs the right to read the API server's metrics for that. Without it, drops
show only by what does not arrive, and a restart by the API server's lease.
"""

from datetime import UTC, datetime, timedelta

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
        self._looked_at: datetime | None = None  # when somebody first answered

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
        self._look_for_restart(found.server, at)
        before, since = self._seen.pop(found.server, (found.number, at))
        self._seen[found.server] = found.number, at
        while len(self._seen) > MOST_SERVERS:
            del self._seen[next(iter(self._seen))]
        if found.number > before:
            # What is given up was tried for some minutes.
            self._lost(
                since - GIVE_UP, self._clock.now(), f"an API server has lost {found.number - before} audit events"
            )

    def _look_for_restart(self, server: str, at: datetime) -> None:
        """Make a hole if the process that answers was started since the first look.

        Its lease tells of it too, but some seconds later: until then an answer would be No.
        """
        if self._looked_at is None:
            self._looked_at = at
            return
        started = _time(server)
        if server not in self._seen and started is not None and started > self._looked_at:
            self._lost(started - GIVE_UP, self._clock.now(), "an API server was started again; it may have lost events")


def _time(server: str) -> datetime | None:
    """Return when a server was started: the seconds since 1970 that its metrics show; None if they show something else."""
    try:
        return datetime.fromtimestamp(float(server), UTC)
    except (ValueError, OverflowError, OSError):
        return None

"""Notices grants that are older than this process and come into the trail only now: glass was broken and not recorded at once.

An earlier process may have taken calls under such a grant and forgotten them, because it did not know whose they were.
"""

from collections.abc import Callable
from datetime import datetime

from curfew.audit.record import Record
from curfew.processes.monitor.feed import Lost


class LateGrants:
    """Hands on the records of the trail, and makes a hole in the coverage for each late grant."""

    def __init__(self, learn: Callable[[Record], None], lost: Lost) -> None:
        """`learn` is called with each record."""
        self._learn = learn
        self._lost = lost
        self._started_at: datetime | None = None

    def started(self, at: datetime) -> None:
        """Note that the trail was read back, and that calls are taken from this instant on."""
        self._started_at = at

    def learn(self, record: Record) -> None:
        """Learn a record of the trail."""
        self._learn(record)
        if record.event == "grant.intended" and self._started_at is not None and record.at < self._started_at:
            self._lost(
                record.at, self._started_at, "the grant was recorded late, and the monitor was started meanwhile"
            )

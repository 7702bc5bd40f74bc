"""The clock, as the rest of Curfew sees it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return this instant, aware, in UTC. It never goes back within one process."""
        ...

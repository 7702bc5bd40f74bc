"""The clock, as the rest of Curfew sees it."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day."""

    def now(self) -> datetime:
        """Return this instant, aware, in UTC. It never goes back within one process."""
        ...


class SteadyClock(Clock, Protocol):
    """A clock that also measures how long something takes."""

    def monotonic(self) -> float:
        """Return seconds since any moment, at the pace of a clock that nobody can set.

        They include the time in which the machine or the process did not run.
        """
        ...

"""The time of day, which never goes back: the only reader of the clock.

A wall clock can be set. Forward is believed at once, because an end that has come has come. Backward is not, because
that would postpone every end that is waited for (promise P1): from then on, time goes by at the pace of a clock that
nobody can set, until the wall has caught up.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Nanoseconds = Callable[[], int]
"""A clock that is read in nanoseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _boottime() -> int:
    """Return nanoseconds since boot, those in suspend included where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class SystemClock:
    """The clock of this machine, as `curfew.ports.Clock`. One process shares one."""

    __slots__ = ("_anchor", "_monotonic", "_wall")

    def __init__(self, wall: Nanoseconds = time.time_ns, monotonic: Nanoseconds = _boottime) -> None:
        """Read `wall` (nanoseconds since 1970, UTC) and `monotonic` (nanoseconds since whenever, never going back)."""
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = (wall(), monotonic())  # what the wall said when the monotonic clock said so

    def now(self) -> datetime:
        """Return this instant, aware, in UTC, to the microsecond. It never goes back within one process."""
        return _EPOCH + timedelta(microseconds=self._read()[0] // 1000)

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the wall: zero, unless the wall was set back since the start."""
        now, wall = self._read()
        return timedelta(microseconds=(now - wall) // 1000)

    def _read(self) -> tuple[int, int]:
        """Return this instant and what the wall says, in nanoseconds."""
        wall, monotonic = self._wall(), self._monotonic()
        anchored = self._anchor[0] + monotonic - self._anchor[1]
        if wall > anchored:
            self._anchor = (wall, monotonic)
            return wall, wall
        return anchored, wall

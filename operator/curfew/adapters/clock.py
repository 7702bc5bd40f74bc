"""The time of day, which never goes back: the only reader of the clock.

A wall clock can be set. If it is set forward, this clock follows at once, because an end that has passed has passed. If
it is set back, this clock does not follow, because that would postpone every end that is waited for (promise P1): from
then on, time advances at the pace of a clock that nobody can set, until the wall clock has caught up.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Nanoseconds = Callable[[], int]
"""A clock that is read in nanoseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _boottime() -> int:
    """Return nanoseconds since boot, including those in suspend if the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.monotonic_ns()


class SystemClock:
    """The clock of this machine, as `curfew.ports.SteadyClock`. One process shares one."""

    __slots__ = ("_anchor", "_monotonic", "_wall")

    def __init__(self, wall: Nanoseconds = time.time_ns, monotonic: Nanoseconds = _boottime) -> None:
        """Read `wall` (nanoseconds since 1970, UTC) and `monotonic` (nanoseconds since any moment; never goes back)."""
        self._wall = wall
        self._monotonic = monotonic
        self._anchor = (wall(), monotonic())  # the wall clock, read together with the monotonic clock

    def now(self) -> datetime:
        """Return this instant, aware, in UTC, to the microsecond. It never goes back within one process."""
        return _EPOCH + timedelta(microseconds=self._read()[0] // 1000)

    @property
    def ahead(self) -> timedelta:
        """How far this clock is ahead of the wall clock: zero, unless the wall clock was set back since the start."""
        now, wall = self._read()
        return timedelta(microseconds=(now - wall) // 1000)

    def monotonic(self) -> float:
        """Return seconds since any moment. Nobody can set them, and they include the time in suspend."""
        return self._monotonic() / 1e9

    def _read(self) -> tuple[int, int]:
        """Return this instant and the reading of the wall clock, in nanoseconds."""
        wall, monotonic = self._wall(), self._monotonic()
        anchored = self._anchor[0] + monotonic - self._anchor[1]
        if wall > anchored:
            self._anchor = (wall, monotonic)
            return wall, wall
        return anchored, wall

"""The time of day, which never goes back: the only reader of the clock.

A wrong clock may make access shorter, never longer. A wall clock can be set. If it is set forward, this clock follows at
once, because an end that has passed has passed. If it is set back, this clock does not follow, because that would postpone
every end that is waited for (promise P1): from then on, time advances at the pace of a clock that nobody can set, until the
wall clock has caught up.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the plugin reads the clock, and starts without what the ports import
    from curfew.ports import SteadyClock

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


class LaterClock:
    """Our clock, or the API server's if its answers prove that it is later: an end that has passed there has passed (P1).

    It never goes back and never stops: if it is ahead of both, because they were set back or a proof was taken
    back, it runs at half pace until they have caught up.
    """

    __slots__ = ("_last", "_own", "_proof")

    def __init__(self, own: "SteadyClock") -> None:
        """Begin without a proof: until there is one, this is our clock."""
        self._own = own
        self._proof: tuple[datetime, float] | None = None
        self._last = (own.now(), own.monotonic())

    def prove(self, at: datetime, monotonic: float) -> None:
        """Note that the API server's clock showed at least `at` when ours showed `monotonic`. The last proof counts."""
        self._proof = (at, monotonic)

    def is_past(self, instant: datetime) -> bool:
        """Whether an instant has passed on the API server's clock, as far as it was proved."""
        proven = self._proven()
        return proven is not None and instant <= proven

    def now(self) -> datetime:
        """Return this instant, aware, in UTC, to the microsecond. It never goes back within one process."""
        last, monotonic = self._last[0], self._own.monotonic()
        now = max(self._own.now(), last + timedelta(seconds=monotonic - self._last[1]) / 2, self._proven() or last)
        self._last = (now, monotonic)
        return now

    def monotonic(self) -> float:
        """Return seconds since any moment. Nobody can set them, and they include the time in suspend."""
        return self._own.monotonic()

    def _proven(self) -> datetime | None:
        """Return the earliest time that the API server's clock can show now; None as long as nothing was proved."""
        if self._proof is None:
            return None
        at, monotonic = self._proof
        return at + timedelta(seconds=self._own.monotonic() - monotonic)

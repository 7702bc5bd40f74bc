"""Whether our clock agrees with the API server's: each answer is dated, and the dates are compared with our own time."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from curfew.core.facts import ClockState
from curfew.core.skew import RESOLUTION, Bounds, bound, judge, narrow, read_date
from curfew.ports import Clock

_KEPT: Final = 60  # answers
_PAUSE: Final = timedelta(seconds=0.3)  # between two kept answers: together they cover all parts of a second
_OLDEST: Final = timedelta(minutes=5)  # clocks drift


class Timekeeping:
    """Remembers what the latest answers show about the clock, and reports when their meaning changes."""

    def __init__(self, clock: Clock, changed: Callable[[ClockState], None]) -> None:
        """Begin without an answer: until there is one, nothing is granted. `changed` is called with each new state."""
        self._clock = clock
        self._changed = changed
        self._answers: list[tuple[datetime, Bounds]] = []  # each with the time when it came, the newest last
        self._state = judge(None, None, now=clock.now())
        self._skew = timedelta(0)

    @property
    def state(self) -> ClockState:
        """The state that is known now."""
        return self._state

    @property
    def skew(self) -> timedelta:
        """How far the clock is at least ahead of the API server's. Below zero, it is behind."""
        return self._skew

    def is_past(self, instant: datetime) -> bool:
        """Whether an instant has passed on the API server's clock, as far as its answers show: a second late at most."""
        return bool(self._answers) and instant + RESOLUTION <= self._clock.now() - self._skew

    def answered(self, sent: datetime, received: datetime, date: str | None) -> None:
        """Note the date of an answer of the API server. This is called for every answer and costs almost nothing."""
        if self._answers and abs(received - self._answers[-1][0]) < _PAUSE and self._state.ok:
            return
        at = read_date(date)
        if at is None:
            return
        recent = [one for one in self._answers if received - one[0] < _OLDEST][1 - _KEPT :]
        self._answers = [*recent, (received, bound(sent, received, at))]
        whole, counted = narrow([bounds for _, bounds in self._answers])
        self._answers = self._answers[-len(counted) :]
        self._skew = whole.certain
        new = judge(whole, self._state, now=self._clock.now())
        if new is not self._state:
            self._state = new
            self._changed(new)

"""Whether our clock agrees with the API server's: each answer is dated, and the dates are compared with our own time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.core.facts import ClockState
from curfew.core.skew import Bounds, bound, judge, narrow, read_date
from curfew.ports import SteadyClock

_KEPT: Final = 60  # answers
_PAUSE: Final = timedelta(seconds=0.3)  # between two kept answers: together they cover all parts of a second
_OLDEST: Final = timedelta(minutes=5)  # clocks drift


@dataclass(frozen=True, slots=True)
class _Answer:
    received: datetime  # by our clock
    date: datetime  # by the API server's, cut to the second
    monotonic: float  # when it was received, by the clock that nobody can set
    bounds: Bounds


class Timekeeping:
    """Remembers what the latest answers show about the clock, and reports when their meaning changes."""

    def __init__(
        self, clock: SteadyClock, changed: Callable[[ClockState], None], prove: Callable[[datetime, float], None]
    ) -> None:
        """Begin without an answer: until there is one, nothing is granted.

        `clock` is our own. `changed` is called with each new state. `prove` is called with a time that the API server's
        clock has reached, and the monotonic time when it had.
        """
        self._clock = clock
        self._changed = changed
        self._prove = prove
        self._answers: list[_Answer] = []  # the newest last
        self._best: _Answer | None = None  # the one that proves the latest time: kept while newer ones go
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

    def answered(self, sent: datetime, received: datetime, date: str | None) -> None:
        """Note the date of an answer of the API server. This is called for every answer and costs almost nothing."""
        if self._answers and abs(received - self._answers[-1].received) < _PAUSE and self._state.ok:
            return
        at = read_date(date)
        if at is None:
            return
        recent = [one for one in self._answers if received - one.received < _OLDEST]
        if len(recent) >= _KEPT:
            del recent[1 if recent[0] is self._best else 0]
        recent.append(_Answer(received, at, self._clock.monotonic(), bound(sent, received, at)))
        whole, counted = narrow([answer.bounds for answer in recent])
        self._answers = recent[-len(counted) :]
        self._skew = whole.certain
        self._best = max(self._answers, key=lambda answer: answer.date.timestamp() - answer.monotonic)
        self._prove(self._best.date, self._best.monotonic)
        new = judge(whole, self._state, now=self._clock.now())
        if new is not self._state:
            self._state = new
            self._changed(new)

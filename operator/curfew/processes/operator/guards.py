"""Has it recorded when an admission policy is not in force, and when all are again: each change once, across restarts."""

from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, Protocol

from curfew.audit.record import Record
from curfew.core.enforcement_records import told
from curfew.core.facts import EnforcementState
from curfew.ports import Clock

MOST_WAITING: Final = 100
"""How many changes are kept until the log was read. The oldest go first: what matters most is how it is now."""


class GuardsTrail(Protocol):
    """The trail, as far as these records need it."""

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over."""
        ...

    def last_of_guards(self) -> Record | None:
        """Return the last of these records that the log holds, as far as is remembered."""
        ...


class Guards:
    """Writes the records. Only the log shows what was told before, so nothing is written until it was read."""

    def __init__(self, log: str, trail: Callable[[], GuardsTrail], clock: Clock) -> None:
        """`log` is the id of the trail; the trail is asked for when it is needed first."""
        self._log = log
        self._trail = trail
        self._clock = clock
        self._is_open = False
        self._last: Record | None = None
        self._waiting: deque[tuple[EnforcementState, datetime]] = deque(maxlen=MOST_WAITING)

    def changed(self, state: EnforcementState) -> None:
        """Learn a new state."""
        self._waiting.append((state, self._clock.now()))
        if self._is_open:
            self._write()

    def opened(self) -> None:
        """Learn that the log was read."""
        self._is_open, self._last = True, self._trail().last_of_guards()
        self._write()

    def closed(self) -> None:
        """Learn that another process may write the log: what it tells is not known, and what we would tell is old."""
        self._is_open, self._last = False, None
        self._waiting.clear()

    def _write(self) -> None:
        while self._waiting:
            state, at = self._waiting.popleft()
            record = told(self._log, state, self._last, at=at)
            if record is not None:
                self._last = record
                self._trail().submit([record])

"""Whose turn it is: a bounded number of turns at a time, dealt out to people in a circle.

One person's thousand requests wait in that person's line. Everybody else's next request is served as if those requests did
not exist. A key that ends access does not wait in any line (promise P3).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from curfew.core.keys import Key

AT_ONCE = 32
"""How many turns are under way at a time: each makes at most one call to the API server at a time."""

EACH = 8
"""How many turns one person may have at a time, so that there is always a turn left for somebody else."""


@dataclass(frozen=True, slots=True)
class NamespaceLine:
    """The line of a namespace, for keys that no person submitted."""

    namespace: str


Line = str | NamespaceLine
"""The line that a key waits in: a person's, by name, or a namespace's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key waits for its turn."""

    line: Line | None  # None: it does not wait
    until: datetime | None = None  # when to ask for its place again: it may have to end something then


@dataclass(slots=True)
class _Line:
    waiting: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    under_way: int = 0


class Turns:
    """The lines of all people who wait, and who is served next."""

    def __init__(self, at_once: int = AT_ONCE, each: int = EACH) -> None:
        self._at_once = at_once
        self._each = each
        self._lines: OrderedDict[Line, _Line] = OrderedDict()  # the line that was served last is last
        self._waits_in: dict[Key, Line] = {}
        self._under_way = 0

    @property
    def waiting(self) -> int:
        """How many keys wait."""
        return len(self._waits_in)

    @property
    def is_idle(self) -> bool:
        """Whether no key waits and no turn is under way."""
        return not self._waits_in and not self._under_way

    def join(self, key: Key, line: Line) -> None:
        """Put a key at the end of a line. A key that already waits keeps its place."""
        if key not in self._waits_in:
            self._waits_in[key] = line
            self._lines.setdefault(line, _Line()).waiting[key] = None

    def leave(self, key: Key) -> None:
        """Take a key out of the line that it waits in, if it waits."""
        line = self._waits_in.pop(key, None)
        if line is not None:
            del self._lines[line].waiting[key]
            self._drop_if_empty(line)

    def begin(self) -> tuple[Key, Line] | None:
        """Return the key that has its turn now, and its line; None if no key waits or all turns are taken."""
        if self._under_way >= self._at_once:
            return None
        for name, line in self._lines.items():
            if line.waiting and line.under_way < self._each:
                key, _ = line.waiting.popitem(last=False)
                del self._waits_in[key]
                line.under_way += 1
                self._under_way += 1
                self._lines.move_to_end(name)
                return key, name
        return None

    def end(self, line: Line) -> None:
        """Note that a turn of this line is over."""
        self._under_way -= 1
        self._lines[line].under_way -= 1
        self._drop_if_empty(line)

    def _drop_if_empty(self, name: Line) -> None:
        line = self._lines[name]
        if not line.waiting and not line.under_way:
            del self._lines[name]

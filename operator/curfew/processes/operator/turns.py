"""Whose turn it is: a bounded number of turns at a time, dealt out to people in a circle.

One person's thousand requests wait in that person's line. Everybody else's next request is served as if those requests did
not exist. A key that ends access does not wait in any line (promise P3). A key that only shows what is done, because its
access is given or over, comes after those that wait for access, but has a share of the turns (decision 0089).
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from curfew.core.keys import Key

AT_ONCE = 32
"""How many turns are under way at a time: each makes at most one call to the API server at a time."""

EACH = 8
"""How many turns one person may have at a time, so that there is always a turn left for somebody else."""

SHOWS_BELOW = EACH + 1
"""A key that only shows what is done has its turn if fewer turns are under way: one person alone cannot take them all."""

SHOWS_ONCE_IN = 16
"""One of so many turns goes to such a key in any case: nobody waits for ever to see what is done."""


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
    only_shows: bool = False  # whether its access is given or over, and all that is left is to show that


@dataclass(slots=True)
class _Line:
    waiting: OrderedDict[Key, None] = field(default_factory=OrderedDict)
    showing: OrderedDict[Key, None] = field(default_factory=OrderedDict)  # those that wait and only show what is done
    under_way: int = 0

    def of(self, *, only_shows: bool) -> OrderedDict[Key, None]:
        return self.showing if only_shows else self.waiting


class Turns:
    """The lines of all people who wait, and who is served next."""

    def __init__(self, at_once: int = AT_ONCE, each: int = EACH) -> None:
        self._at_once = at_once
        self._each = each
        self._lines: OrderedDict[Line, _Line] = OrderedDict()  # the line that was served last is last
        self._waits_in: dict[Key, Line] = {}
        self._under_way = 0
        self._show = 0  # how many of those that wait only show what is done
        self._since_shown = 0  # how many turns others have had while one of those waited

    @property
    def waiting(self) -> int:
        """How many keys wait."""
        return len(self._waits_in)

    @property
    def is_busy(self) -> bool:
        """Whether so many turns are under way that what only shows something waits."""
        return self._under_way >= SHOWS_BELOW

    @property
    def is_idle(self) -> bool:
        """Whether no key waits and no turn is under way."""
        return not self._waits_in and not self._under_way

    def join(self, key: Key, line: Line, *, only_shows: bool = False) -> None:
        """Put a key at the end of a line. A key that already waits keeps its place."""
        if key not in self._waits_in:
            self._waits_in[key] = line
            self._lines.setdefault(line, _Line()).of(only_shows=only_shows)[key] = None
            self._show += only_shows

    def leave(self, key: Key) -> None:
        """Take a key out of the line that it waits in, if it waits."""
        line = self._waits_in.pop(key, None)
        if line is not None:
            only_shows = key in self._lines[line].showing
            del self._lines[line].of(only_shows=only_shows)[key]
            self._show -= only_shows
            self._drop_if_empty(line)

    def begin(self) -> tuple[Key, Line] | None:
        """Return the key that has its turn now, and its line; None if no key waits or all turns are taken."""
        if self._under_way >= self._at_once:
            return None
        is_due = self._since_shown + 1 >= SHOWS_ONCE_IN
        found = self._begin(only_shows=True) if is_due else None
        found = found or self._begin(only_shows=False)
        return found if found is not None or self.is_busy else self._begin(only_shows=True)

    def _begin(self, *, only_shows: bool) -> tuple[Key, Line] | None:
        if not (self._show if only_shows else len(self._waits_in) - self._show):
            return None
        for name, line in self._lines.items():
            keys = line.of(only_shows=only_shows)
            if keys and line.under_way < self._each:
                key, _ = keys.popitem(last=False)
                del self._waits_in[key]
                line.under_way += 1
                self._under_way += 1
                self._show -= only_shows
                self._since_shown = 0 if only_shows or not self._show else self._since_shown + 1
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
        if not line.waiting and not line.showing and not line.under_way:
            del self._lines[name]

"""The work queue: one task at a time works on each key, again when there is news, and when the key's time has come.

A key first waits in the line of its person (`turns`). A key that ends access does not wait: whether it does is checked
again with each piece of news, and at the instant that the key's place names. If many end at once, no other turn begins
before their ends are sent (`ends`).

One heap of deadlines and one timer, re-armed against the wall clock each time it fires: a clock that is set forward is
noticed within `RESOLUTION`, however far away the next deadline was.
"""

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from curfew.core.keys import Key
from curfew.ports import Clock
from curfew.processes.operator.ends import Ends
from curfew.processes.operator.turns import Line, Place, Turns

RESOLUTION = 0.5
"""Longest sleep between two looks at the wall clock, in seconds."""

PATIENCE = 0.5
"""How long the end of an access waits for a turn of the same key that is under way, in seconds."""

STALE = 64
"""How many deadlines that no longer count may be kept, in addition to two for each key."""


class Handler(Protocol):
    """What a key's turn means. Returns when to look again, or None."""

    def __call__(self, key: Key) -> Awaitable[datetime | None]:
        """Work on a key."""
        ...


@dataclass(slots=True)
class _Entry:
    task: asyncio.Task[None] | None = None
    is_end: bool = False  # whether the turn that is under way began to end access
    is_dirty: bool = False
    hurry: asyncio.TimerHandle | None = None  # breaks the turn off
    is_broken_off: bool = False
    failures: int = 0
    wake_at: datetime | None = None


class WorkQueue:
    """Runs a handler for keys, one task per key. After a failure, runs it again with a growing, jittered delay.

    `place` returns where a key waits. It is called often and must neither wait nor fail.
    """

    def __init__(
        self,
        handler: Handler,
        clock: Clock,
        *,
        place: Callable[[Key], Place],
        on_error: Callable[[Key, Exception, timedelta], None],
        due: Callable[[Key], datetime | None] = lambda _: None,
        first_delay: float = 0.05,
        last_delay: float = 2.0,
    ) -> None:
        """`due` returns the instant after which a key cannot wait any longer, or None if it has no access to end."""
        self._handler = handler
        self._clock = clock
        self._place = place
        self._on_error = on_error
        self._due = due
        self._first_delay = first_delay
        self._last_delay = last_delay
        self._entries: dict[Key, _Entry] = {}
        self._turns = Turns()
        self._ends = Ends(self._begin_those_whose_turn_it_is)
        self._heap: list[tuple[datetime, int, Key]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._is_calm = asyncio.Event()
        self._is_calm.set()

    @property
    def waiting(self) -> int:
        """How many keys wait for their turn."""
        return self._turns.waiting

    @property
    def is_busy(self) -> bool:
        """Whether a turn that has given access should come back later to show it, because others wait or are under way."""
        return self._turns.waiting > 0 or self._turns.is_busy

    @property
    def known(self) -> int:
        """How many keys wait, are worked on, or have a deadline."""
        return len(self._entries)

    @property
    def deadlines(self) -> int:
        """How many deadlines are kept, also those that were replaced."""
        return len(self._heap)

    @property
    def ends_wait(self) -> bool:
        """Whether ends of access wait for each other. A turn that is under way should come back later, with what is left."""
        return self._ends.wait

    async def calm(self) -> None:
        """Return when no turn is under way and no key waits for its turn. Keys whose instant has not come do not count."""
        await self._is_calm.wait()

    def add(self, key: Key) -> None:
        """Give a key a turn: at once, or after the keys before it. A key that has its turn now gets one more afterwards."""
        self._add((key,))

    def _add(self, keys: Iterable[Key]) -> None:
        """Give several keys a turn. Those that end access begin before any other does."""
        if self._is_closed:
            return
        for key in keys:
            entry = self._entries.setdefault(key, _Entry())
            if entry.task is not None:
                entry.is_dirty = True
                self._look_at_end(key, entry)
                continue
            place = self._place(key)
            if place.line is None:
                self._turns.leave(key)
                self._begin(key, entry, None)
                continue
            self._turns.join(key, place.line, only_shows=place.only_shows)
            if place.until is not None and (entry.wake_at is None or place.until < entry.wake_at):
                self.wake_at(key, place.until)
        self._begin_those_whose_turn_it_is()

    def _look_at_end(self, key: Key, entry: _Entry) -> None:
        """Break a turn off if it keeps the end of its own access waiting: its call may get no answer (promise P1).

        That is what a crash does as well, at any moment, so the next turn goes on from there (promise P10).
        """
        if entry.is_end or entry.hurry is not None or self._due(key) is None:
            return
        place = self._place(key)
        if place.line is None:
            entry.hurry = asyncio.get_running_loop().call_later(PATIENCE, self._break_off, entry)
        elif place.until is not None and (entry.wake_at is None or place.until < entry.wake_at):
            self.wake_at(key, place.until)

    def _break_off(self, entry: _Entry) -> None:
        if entry.task is not None:
            entry.is_broken_off = True
            entry.task.cancel()

    def wake_at(self, key: Key, instant: datetime) -> None:
        """Give a key its turn at an instant. A later call for the same key replaces the instant."""
        entry = self._entries.setdefault(key, _Entry())
        if entry.wake_at == instant:
            return
        entry.wake_at = instant
        self._count += 1
        heapq.heappush(self._heap, (instant, self._count, key))
        if len(self._heap) > STALE + 2 * len(self._entries):
            self._drop_stale()
        self._arm()

    def _drop_stale(self) -> None:
        """Take deadlines that were replaced, or that no key has any more, out of the heap: they may be days away."""
        known, wanted = self._heap, dict[Key, tuple[datetime, int, Key]]()
        for one in known:
            entry = self._entries.get(one[2])
            if entry is not None and entry.wake_at == one[0]:
                wanted[one[2]] = one
        self._heap = list(wanted.values())
        heapq.heapify(self._heap)

    async def close(self) -> None:
        """Take no more work and end what is under way."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._ends.close()
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin_those_whose_turn_it_is(self) -> None:
        while not self._is_closed and not self._ends.wait and (next_ := self._turns.begin()) is not None:
            key, line = next_
            self._begin(key, self._entries[key], line)
        if self._turns.is_idle and not self._ends.are_under_way:
            self._is_calm.set()
        else:
            self._is_calm.clear()

    def _begin(self, key: Key, entry: _Entry, line: Line | None) -> None:
        entry.is_dirty = entry.is_broken_off = False
        entry.is_end = line is None
        is_first_try = line is None and entry.failures == 0  # an end that fails again and again holds up nobody
        if is_first_try:
            self._ends.begin()
        entry.task = asyncio.get_running_loop().create_task(self._work(key, entry, line, is_end=is_first_try))

    async def _work(self, key: Key, entry: _Entry, line: Line | None, *, is_end: bool) -> None:
        wake_at: datetime | None = None
        try:
            wake_at = await self._handler(key)
            entry.failures = 0
        except asyncio.CancelledError:
            if not entry.is_broken_off or self._is_closed:
                raise
        except Exception as error:  # noqa: BLE001  one key's trouble must not stop the others
            delay = self._delay(entry)
            self._on_error(key, error, delay)
            wake_at, due = self._clock.now() + delay, self._due(key)
            if due is not None and self._clock.now() < due:
                wake_at = min(wake_at, due)  # a failure must not make an end late (promise P1)
        finally:
            entry.task = None
            if entry.hurry is not None:
                entry.hurry.cancel()
                entry.hurry = None
            if is_end:
                self._ends.end()
            if line is not None:
                self._turns.end(line)
        if entry.is_dirty:
            self.add(key)
        elif wake_at is not None:
            self.wake_at(key, wake_at)
        else:
            self._entries.pop(key, None)
        self._begin_those_whose_turn_it_is()

    def _delay(self, entry: _Entry) -> timedelta:
        entry.failures += 1
        delay = min(self._last_delay, self._first_delay * 2 ** min(entry.failures - 1, 16))
        return timedelta(seconds=delay * random.uniform(0.5, 1.0))  # noqa: S311  jitter is no secret

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._heap or self._is_closed:
            return
        wait = (self._heap[0][0] - self._clock.now()).total_seconds()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + min(max(wait, 0.0), RESOLUTION), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now, due = self._clock.now(), list[Key]()
        while self._heap and self._heap[0][0] <= now:
            instant, _, key = heapq.heappop(self._heap)
            entry = self._entries.get(key)
            if entry is None or entry.wake_at != instant:
                continue  # it was moved or done in the meantime
            entry.wake_at = None
            due.append(key)
        self._add(due)
        self._arm()

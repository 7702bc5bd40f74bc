"""What is due at a time, unless something comes before."""

import heapq
from collections.abc import Hashable, Iterator
from datetime import datetime
from typing import Final, Generic, TypeVar

from curfew.core.remembered import MOST_KEYS, Remembered

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST_STORIES: Final = 20_000
"""How many deadlines a detector remembers whose values hold the story of a request."""


class Deadlines(Generic[K, V]):
    """One deadline for each key, at most `most`: the one that was set longest ago goes first."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        """Know no deadline."""
        self._known: Remembered[K, tuple[datetime, int, V]] = Remembered(most)
        self._order: list[tuple[datetime, int, K]] = []
        self._number = 0

    @property
    def forgotten(self) -> int:
        """How many deadlines had to go."""
        return self._known.forgotten

    def __len__(self) -> int:
        """Return how many deadlines there are."""
        return len(self._known)

    def __contains__(self, key: object) -> bool:
        """Whether a key has a deadline."""
        return key in self._known

    def set(self, key: K, at: datetime, value: V) -> None:
        """Set the deadline of a key, instead of the one that it had."""
        self._number += 1
        self._known[key] = (at, self._number, value)
        heapq.heappush(self._order, (at, self._number, key))
        if len(self._order) > 2 * len(self._known) + 1000:
            self._order = sorted((at, number, key) for at, number, key in self._order if self._is_set(key, number))

    def get(self, key: K) -> V | None:
        """Return what is due for a key, or None."""
        known = self._known.get(key)
        return known[2] if known is not None else None

    def cancel(self, key: K) -> V | None:
        """Remove the deadline of a key, and return what was due, or None."""
        known = self._known.pop(key)
        return known[2] if known is not None else None

    def due(self, now: datetime) -> Iterator[tuple[datetime, K, V]]:
        """Yield what is due, earliest first, and forget it: when it was due, its key, and its value."""
        while self._order and self._order[0][0] <= now:
            at, number, key = heapq.heappop(self._order)
            if self._is_set(key, number):
                known = self._known.pop(key)
                if known is not None:
                    yield at, key, known[2]

    def _is_set(self, key: K, number: int) -> bool:
        known = self._known.get(key)
        return known is not None and known[1] == number

"""A memory of what was written down already, of bounded size."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MOST: Final = 20_000
"""How many things are remembered of one sort. What was forgotten is written down again."""


class Once(Generic[K]):
    """Keys, each with the call that was the first; those that were not asked for the longest are forgotten first."""

    def __init__(self, most: int = MOST) -> None:
        """Remember nothing yet."""
        self._first: OrderedDict[K, str] = OrderedDict()
        self._most = most

    def is_first(self, key: K, by: str) -> bool:
        """Remember a key, and return whether this call, by its identity, is the first with it.

        A call that comes again is the first again: its sender has to wait until the record is durable.
        """
        first = self._first.setdefault(key, by)
        self._first.move_to_end(key)
        if len(self._first) > self._most:
            self._first.popitem(last=False)
        return first == by

    def remember(self, key: K) -> None:
        """Remember a key that no later call is the first with."""
        self._first[key] = ""
        if len(self._first) > self._most:
            self._first.popitem(last=False)

    def __contains__(self, key: object) -> bool:
        """Whether a key is remembered."""
        return key in self._first

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._first)

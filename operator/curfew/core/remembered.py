"""A mapping with a bound, whatever the records hold that fill it."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST_KEYS: Final = 30_000
"""How many keys (people, requests, pairs of them) are remembered, unless another number is given."""


class Remembered(Generic[K, V]):
    """A mapping with a bound: the key that was set longest ago goes first."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        """Remember nothing yet, and at most so many keys."""
        self._most = most
        self._known: OrderedDict[K, V] = OrderedDict()
        self.forgotten = 0
        """How many keys had to go."""

    def __setitem__(self, key: K, value: V) -> None:
        """Remember the value of a key, which becomes the newest."""
        self._known[key] = value
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
            self.forgotten += 1

    def get(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        return self._known.get(key)

    def pop(self, key: K) -> V | None:
        """Forget a key, and return its value, or None."""
        return self._known.pop(key, None)

    def __contains__(self, key: object) -> bool:
        """Whether a key is known."""
        return key in self._known

    def __len__(self) -> int:
        """Return how many keys are known."""
        return len(self._known)

    def __iter__(self) -> Iterator[K]:
        """Yield the keys, the newest last."""
        return iter(tuple(self._known))

"""A bounded queue that is fair: sources are served in a circle, and what is too much is dropped from the longest one."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Circle(Generic[T]):
    """Items by source and name. Each source has its items in the order in which they came."""

    def __init__(self, capacity: int) -> None:
        """`capacity` is the most items that are kept, of all sources together."""
        self._capacity = capacity
        self._sources: OrderedDict[str, OrderedDict[str, T]] = OrderedDict()  # the one served last is last
        self._count = 0

    def __len__(self) -> int:
        """Return how many items wait."""
        return self._count

    def put(self, source: str, name: str, item: T) -> T | None:
        """Add an item. Return the item that had to go: the oldest one of the source that has the most; or None."""
        self._sources.setdefault(source, OrderedDict())[name] = item
        self._count += 1
        if self._count <= self._capacity:
            return None
        longest = max(self._sources, key=lambda one: len(self._sources[one]))
        return self._first_of(longest)

    def take(self) -> T | None:
        """Remove and return the oldest item of the source that was served longest ago; None if nothing waits."""
        if not self._sources:
            return None
        source = next(iter(self._sources))
        self._sources.move_to_end(source)
        return self._first_of(source)

    def remove(self, source: str, name: str) -> T | None:
        """Remove and return an item, or return None if it does not wait."""
        items = self._sources.get(source)
        if items is None or name not in items:
            return None
        item = items.pop(name)
        self._count -= 1
        if not items:
            del self._sources[source]
        return item

    def _first_of(self, source: str) -> T | None:
        return self.remove(source, next(iter(self._sources[source])))

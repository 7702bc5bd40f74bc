"""Reads a log's objects before their turn, as far as a listing shows which ones they will be."""

import asyncio
from collections.abc import Iterable

from curfew.audit.segment import sequence
from curfew.ports import ObjectStore

AT_ONCE = 16
"""How many objects are asked for at a time. With `ports.MOST_READ` this bounds the memory: 65 MiB."""


class Ahead:
    """Gets objects in the order of their places in the log. The next objects are already being read."""

    def __init__(self, store: ObjectStore, names: Iterable[str]) -> None:
        """Take the names of a listing. If several names claim one place, none of them is asked for before its turn."""
        self._store = store
        self._names: dict[int, str | None] = {}
        for name in names:
            place = sequence(name)
            self._names[place] = None if place in self._names else name
        self._waiting: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, name: str) -> bytes:
        """Return the object with this name, or raise `ObjectMissing`. Names must be asked for in the order of the log."""
        place = sequence(name)
        for other in [other for other in self._waiting if other != name and sequence(other) <= place]:
            await _end(self._waiting.pop(other))  # it claimed a place that belongs to another
        for coming in range(place, place + AT_ONCE):
            listed = self._names.pop(coming, None)
            if listed is not None and (coming > place or listed == name):
                self._waiting[listed] = asyncio.ensure_future(self._store.get(listed))
        task = self._waiting.pop(name, None)
        return await (task if task is not None else self._store.get(name))

    async def close(self) -> None:
        """Cancel the reads that are still under way."""
        for task in self._waiting.values():
            await _end(task)


async def _end(task: asyncio.Task[bytes]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

"""Sharing reads: who asks for what others are about to read gets the same answer, and it is never older than the question."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedReads(Generic[K, V]):
    """At most one read of a key is under way, and at most one waits: it begins when the other is done, for all who ask."""

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Task[V]] = {}
        self._next: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """Return what a read returns that begins after this call, or raise what it raises."""
        task = self._next.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._read(key, self._under_way.get(key), read))
            self._next[key] = task
        return await asyncio.shield(task)  # one who gives up does not end it for the others

    async def _read(self, key: K, before: asyncio.Task[V] | None, read: Callable[[], Awaitable[V]]) -> V:
        if before is not None:
            await asyncio.wait({before})
        self._under_way[key] = self._next.pop(key)
        try:
            return await read()
        finally:
            del self._under_way[key]

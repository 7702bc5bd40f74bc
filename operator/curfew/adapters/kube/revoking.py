"""Connections that only removals use, so that no removal waits behind other calls (promise P3)."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from curfew.adapters.kube.connection import sent_at_most_once
from curfew.adapters.kube.failures import ErrorResponse
from curfew.ports import Unavailable


class RevokingSessions:
    """One session at a time. After a removal without an answer, the next one uses new connections.

    A load balancer in front of an API server that died may keep many connections open. If each attempt met the next dead
    one, access would end late.
    """

    def __init__(self, make: Callable[[], aiohttp.ClientSession]) -> None:
        """`make` returns a new session."""
        self._make = make
        self._current = make()
        self._under_way: Counter[aiohttp.ClientSession] = Counter()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Lend the session for one removal, which is sent at most once."""
        session = self._current
        self._under_way[session] += 1
        try:
            with sent_at_most_once():
                yield session
        except Unavailable as error:
            if session is self._current and not isinstance(error.__cause__, ErrorResponse):
                self._current = self._make()
            raise
        finally:
            self._under_way[session] -= 1
            if not self._under_way[session]:
                del self._under_way[session]
                if session is not self._current:
                    await session.close()

    async def close(self) -> None:
        """Close all connections."""
        for session in {self._current, *self._under_way}:
            await session.close()

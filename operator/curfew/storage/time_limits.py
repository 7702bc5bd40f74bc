"""An object store whose calls all end in time, whatever store is behind it."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from curfew.ports import Attestation, Keep, ObjectStore, StoreUnavailable, every

R = TypeVar("R")


class PunctualStore:
    """An `ObjectStore` that raises `StoreUnavailable` if another store does not answer in time."""

    def __init__(self, store: ObjectStore, timeout: timedelta) -> None:
        """Give each call to `store` this much time; an attestation is several calls and gets more."""
        self._store = store
        self._seconds = timeout.total_seconds()

    @property
    def url(self) -> str:
        """Its address."""
        return self._store.url

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object in time."""
        await self._in_time(self._store.create(name, body))

    async def get(self, name: str) -> bytes:
        """Return names within three times the time of a call."""
        return await self._in_time(self._store.get(name))

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return names in three times the time of a call."""
        return await self._in_time(self._store.list(prefix, keep=keep, most=most), times=3)

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return partitions in time."""
        return await self._in_time(self._store.list_partitions(prefix))

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Attest within three times the time of a call."""
        return await self._in_time(self._store.attest(name, at), times=3)

    async def _in_time(self, call: Awaitable[R], *, times: int = 1) -> R:
        seconds = self._seconds * times
        try:
            async with asyncio.timeout(seconds):
                return await call
        except TimeoutError as error:
            raise StoreUnavailable(f"{self.url} has not answered within {seconds:g} s.") from error

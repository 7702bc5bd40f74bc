"""Object stores for tests: one in memory, and wrappers that fail, die or stall at a chosen call."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from curfew.ports import (
    MOST_READ,
    Attestation,
    Keep,
    LockEvidence,
    ObjectExists,
    ObjectMissing,
    ObjectStore,
    StoreUnavailable,
    every,
)

R = TypeVar("R")


class MemoryStore:
    """An `ObjectStore` in memory. Each call lets the event loop go round once, as a real one would."""

    url = "memory://"

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        """Start with these objects."""
        self.objects = objects if objects is not None else {}
        self.evidence = LockEvidence.STAMPED
        self.findings: tuple[str, ...] = ()

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object, or raise `ObjectExists`."""
        await asyncio.sleep(0)
        if name in self.objects:
            raise ObjectExists(f"{name} exists.")
        self.objects[name] = body

    async def get(self, name: str) -> bytes:
        """Return an object, or raise `ObjectMissing`."""
        await asyncio.sleep(0)
        if name not in self.objects:
            raise ObjectMissing(f"{name} does not exist.")
        return self.objects[name][: MOST_READ + 1]

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names under a prefix, sorted."""
        await asyncio.sleep(0)
        return list(filter(keep, sorted(name for name in self.objects if name.startswith(prefix))[:most]))

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the "folders" one level under a prefix, sorted."""
        await asyncio.sleep(0)
        rests = (name.removeprefix(prefix) for name in self.objects if name.startswith(prefix))
        return sorted({f"{prefix}{rest.split('/', 1)[0]}/" for rest in rests if "/" in rest})

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Claim what the test has set."""
        await self.get(name)
        sufficient = self.evidence in (LockEvidence.STAMPED, LockEvidence.DEFAULT)
        return Attestation(at=at, evidence=self.evidence, sufficient=sufficient, findings=self.findings)


class Flaky(MemoryStore):
    """A store that can be away."""

    is_away = False

    async def get(self, name: str) -> bytes:
        """Return an object, unless the store is away."""
        if self.is_away:
            raise StoreUnavailable("the bucket is away.")
        return await super().get(name)


class When(StrEnum):
    """On which side of a call's effect it goes wrong."""

    BEFORE = "before"  # nothing happened
    AFTER = "after"  # it happened, and the answer was lost


class PowerCut(Exception):
    """The process is gone: whatever it was doing, it does no more of it."""


def unavailable() -> Exception:
    """Return the error of a store that does not answer."""
    return StoreUnavailable("The store does not answer.")


@dataclass
class FailingStore:
    """An `ObjectStore` that fails at its calls of the given numbers (from 1), before or after their effect."""

    inner: ObjectStore
    fails: Callable[[int], bool] = lambda number: False
    when: When = When.BEFORE
    error: Callable[[], Exception] = unavailable
    calls: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the inner store is."""
        return self.inner.url

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object, unless it is this call's turn to fail."""
        await self._call("create", lambda: self.inner.create(name, body))

    async def get(self, name: str) -> bytes:
        """Return an object, unless it is this call's turn to fail."""
        return await self._call("get", lambda: self.inner.get(name))

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return names, unless it is this call's turn to fail."""
        return await self._call("list", lambda: self.inner.list(prefix, keep=keep, most=most))

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return folders, unless it is this call's turn to fail."""
        return await self._call("list_partitions", lambda: self.inner.list_partitions(prefix))

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Attest, unless it is this call's turn to fail."""
        return await self._call("attest", lambda: self.inner.attest(name, at))

    async def _call(self, name: str, call: Callable[[], Awaitable[R]]) -> R:
        self.calls.append(name)
        fails = self.fails(len(self.calls))
        if fails and self.when is When.BEFORE:
            raise self.error()
        result = await call()
        if fails:
            raise self.error()
        return result


class StallingStore(FailingStore):
    """An `ObjectStore` that does not come back from calls while `stalled`; when let go, they have their effect."""

    def __init__(self, inner: ObjectStore) -> None:
        """Stall nothing yet."""
        super().__init__(inner)
        self._free = asyncio.Event()
        self._free.set()

    def stall(self) -> None:
        """Let nothing through from now on."""
        self._free.clear()

    def let_go(self) -> None:
        """Let everything through again, also what was held."""
        self._free.set()

    async def _call(self, name: str, call: Callable[[], Awaitable[R]]) -> R:
        self.calls.append(name)
        await self._free.wait()
        return await call()

"""Leases in memory, as a real API server keeps them: versions, and a create that never replaces."""

import asyncio
from dataclasses import dataclass, field, replace

from curfew.ports import AlreadyExists, Conflict, Lease, NotFound, Unavailable


@dataclass
class FakeLeases:
    """Leases that a test looks at and changes. It is `curfew.ports.Leases` for any number of replicas."""

    stored: dict[tuple[str, str], Lease] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    trouble: Exception | None = None  # what every call raises from now on
    loses_answers: bool = False  # each write takes effect, and its answer is lost
    answers_after: float = 0.0  # seconds
    version: int = 0

    async def read_lease(self, namespace: str, name: str) -> Lease | None:
        """Return a Lease, or None."""
        await self._called("read")
        return self.stored.get((namespace, name))

    async def create_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Make a Lease, or raise `AlreadyExists`."""
        await self._called("create")
        if (namespace, name) in self.stored:
            raise AlreadyExists(name)
        return self._store(namespace, name, lease)

    async def replace_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Replace exactly a version, or raise `Conflict` or `NotFound`."""
        await self._called("replace")
        there = self.stored.get((namespace, name))
        if there is None:
            raise NotFound(name)
        if (there.version, there.uid) != (lease.version, lease.uid):
            raise Conflict(name)
        return self._store(namespace, name, lease)

    async def _called(self, call: str) -> None:
        self.calls.append(call)
        await asyncio.sleep(self.answers_after)
        if self.trouble is not None:
            raise self.trouble

    def _store(self, namespace: str, name: str, lease: Lease) -> Lease:
        self.version += 1
        stored = replace(lease, version=str(self.version), uid=lease.uid or f"uid-{self.version}")
        self.stored[namespace, name] = stored
        if self.loses_answers:
            raise Unavailable("the answer was lost")
        return stored

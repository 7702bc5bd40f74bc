"""The Lease that decides which replica leads, as the election sees it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """One version of a Lease. Whoever may write it can put anything there: nothing in it is trusted for its size."""

    holder: str  # who leads; empty: nobody
    duration: timedelta  # for how long the holder leads after each renewal, as the holder states it
    acquired: datetime | None = None  # when this holder began to lead; None if that cannot be read
    renewed: datetime | None = None  # when the holder wrote it last; None if that cannot be read
    transitions: int = 0  # how often the holder changed
    version: str = ""  # what `replace_lease` compares; empty for a Lease that is not stored
    uid: str = ""  # the same


class Leases(Protocol):
    """Where Leases are kept. Each call has a deadline and raises a `ClusterError`."""

    async def read_lease(self, namespace: str, name: str) -> Lease | None:
        """Return a Lease, read past all caches, or None if there is none."""
        ...

    async def create_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Make a Lease and return it as stored. Raise `AlreadyExists` if there is one."""
        ...

    async def replace_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Write a Lease in place of exactly its `version` and return it as stored.

        Raise `Conflict` if another version is stored, `NotFound` or `Conflict` if there is none.
        """
        ...

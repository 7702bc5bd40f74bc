"""An object store: the calls that Curfew makes, and how they may fail.

StoreError
├── StoreUnavailable   no answer, or a refusal; the call may or may not have happened
│   └── NamesUnreadable  a name in a listing keeps the others from being listed
├── ObjectExists       a create met an object of that name: our append lock
└── ObjectMissing      there is no such object
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from curfew.audit.segment import MAX_STORED


class StoreError(Exception):
    """The object store did not do what was asked. `str(error)` is a sentence for people."""


class StoreUnavailable(StoreError):
    """No answer, or a refusal. The call may or may not have happened."""


class NamesUnreadable(StoreUnavailable):
    """One of the names to be listed cannot be read by the client library, so the library lists none of them."""


class ObjectExists(StoreError):
    """A create met an object of that name."""


class ObjectMissing(StoreError):
    """There is no such object."""


class LockEvidence(StrEnum):
    """How well it is proved that stored objects stay, strongest first (design: grades of evidence)."""

    STAMPED = "Stamped"  # the object just written carries a lock in the right mode, until the right date
    DEFAULT = "BucketDefault"  # the bucket's default retention was read back; objects are not stamped
    REFUSED = "RefusedAttempt"  # an attempt to overwrite was refused; nothing more is known
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Attestation:
    """The proof that the store is write-once: how strong it is, its time, and any gaps, in words."""

    at: datetime
    evidence: LockEvidence
    sufficient: bool
    findings: tuple[str, ...]  # sentences for people; empty if all is proved


Keep = Callable[[str], bool]
"""Which names of a listing are wanted."""


def every(name: str) -> bool:
    """Accept every name."""
    return True


MOST_READ = MAX_STORED
"""Most bytes of an object that are ever needed: Curfew stores nothing larger than the largest segment."""


class ObjectStore(Protocol):
    """Write-once object storage."""

    @property
    def url(self) -> str:
        """Its address, without credentials."""
        ...

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object. Raise `ObjectExists` if the name is taken, even by an object that is not ours."""
        ...

    async def get(self, name: str) -> bytes:
        """Return an object's bytes, or raise `ObjectMissing`.

        If an object is larger than `MOST_READ`, return only the first `MOST_READ` bytes and one more.
        """
        ...

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names of all objects under a prefix, sorted: those for which `keep` is true.

        With `most`, stop after about that many names: anybody may have put more there than there is time for.
        """
        ...

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the names one level under a prefix ("folders", with their trailing slash), sorted."""
        ...

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Prove as much of write-once as can be proved, with the stored object `name` as the sample."""
        ...


class ErasableStore(ObjectStore, Protocol):
    """Object storage whose objects can be deleted for good: the opposite of the store that holds the log."""

    async def delete(self, name: str) -> None:
        """Delete an object; no error if it does not exist."""
        ...

    async def what_keeps(self, name: str) -> Sequence[str]:
        """Return why a deleted object may still be there, as sentences for people; empty if nothing keeps it."""
        ...

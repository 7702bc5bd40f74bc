"""An object store: what is asked of it, and how it may fail.

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
    """Among the names to be listed is one that the client library cannot read, and so it lists none of them."""


class ObjectExists(StoreError):
    """A create met an object of that name."""


class ObjectMissing(StoreError):
    """There is no such object."""


class Evidence(StrEnum):
    """How well it is proved that what is written stays, strongest first (design: grades of evidence)."""

    STAMPED = "Stamped"  # the object just written carries a lock in the right mode, until the right date
    DEFAULT = "BucketDefault"  # the bucket's default retention was read back; objects are not stamped
    REFUSED = "RefusedAttempt"  # an attempt to overwrite was refused; nothing more is known
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Attestation:
    """What was proved of the store's being write-once, when, and what is missing in words."""

    at: datetime
    evidence: Evidence
    sufficient: bool
    findings: tuple[str, ...]  # sentences for people; empty when all is proved


Keep = Callable[[str], bool]
"""Which names of a listing are wanted."""


def every(name: str) -> bool:
    """Want each name."""
    return True


MOST_READ = MAX_STORED
"""How many bytes of an object are ever of use: nothing that Curfew stores is larger than a segment can be."""


class ObjectStore(Protocol):
    """Write-once object storage."""

    @property
    def url(self) -> str:
        """Where it is, without credentials."""
        ...

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object. Raise `ObjectExists` where the name is taken, whoever took it."""
        ...

    async def get(self, name: str) -> bytes:
        """Return an object's bytes, or raise `ObjectMissing`.

        Of an object larger than `MOST_READ`, return only the first `MOST_READ` bytes and one more.
        """
        ...

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names of all objects under a prefix, sorted: those for which `keep` is true.

        With `most`, stop after having looked at about so many: anybody may have put more there than there is time for.
        """
        ...

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the names one level under a prefix ("folders", with their trailing slash), sorted."""
        ...

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Prove what can be proved of write-once, with the stored object `name` as the sample."""
        ...


class ErasableStore(ObjectStore, Protocol):
    """Object storage from which something can be taken for good: the opposite of what the log lies in."""

    async def delete(self, name: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        ...

    async def what_keeps(self, name: str) -> Sequence[str]:
        """Return why a deleted object may still be there, as sentences for people; empty where nothing keeps it."""
        ...

"""Proofs of any records of a log that was just verified: its tree in memory, the lines read again from the store."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence

from curfew.audit.findings import Verified
from curfew.audit.merkle import leaf_hash
from curfew.audit.proof import Proof, Tree, inclusion_path
from curfew.audit.segment import TRAILER_BYTES, unpack
from curfew.ports import ObjectStore
from curfew.reader.errors import CannotRead
from curfew.reader.stream import VerifiedSegment


class Shelf:
    """Remembers the tree of a log and which object holds which records: 64 bytes for each record, and a name a segment."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._tree: Tree | None = None
        self._firsts: list[int] = []  # for each segment that holds records, the index of its first
        self._names: list[str] = []
        self._newest: Verified | None = None

    def take(self, link: VerifiedSegment) -> None:
        """Take the next verified segment."""
        self._newest = link.verified
        if self._tree is None:
            beginning = link.verified.beginning
            self._tree = Tree(before=beginning.head.range) if beginning is not None else Tree()
        if link.segment.lines:
            self._firsts.append(link.segment.first)
            self._names.append(link.segment.name)
            self._tree.extend(link.segment.leaves)

    @property
    def verified(self) -> Verified:
        """The verified state of the log, after all its segments were added."""
        assert self._newest is not None  # noqa: S101  a log without segments is no log, and was refused
        return self._newest

    @property
    def checkpoint(self) -> str:
        """The signed note of its newest segment, to which all proofs lead."""
        return self.verified.note or ""

    @property
    def key(self) -> str:
        """The key that signed the checkpoint."""
        return str(self.verified.keys[-1].verifier)

    async def proofs(self, store: ObjectStore, indexes: Sequence[int]) -> AsyncGenerator[Proof]:
        """Yield the proofs of these records, which are in ascending order.

        Raise `CannotRead` if an object has changed since it was verified.
        """
        opened, lines, tree = -1, list[bytes](), self._tree or Tree()
        for index in indexes:
            place = bisect_right(self._firsts, index) - 1
            if place != opened:
                opened, lines = place, _lines(await store.get(self._names[place]))
            line = lines[index - self._firsts[place]]
            if leaf_hash(line) != tree.root_of(index, index + 1):
                raise CannotRead(f"{self._names[place]} was changed while the report was made. Make the report again.")
            yield Proof(self._log, index, line, inclusion_path(tree, index, tree.size), self.checkpoint, self.key)


def _lines(stored: bytes) -> list[bytes]:
    return unpack(stored[:-TRAILER_BYTES])[:-1].split(b"\n")

"""Proofs of any records of a log that was just verified: its tree in memory, the lines read again from the store."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Sequence

from curfew.audit.merkle import leaf_hash
from curfew.audit.proof import Proof, Tree, inclusion_path
from curfew.audit.segment import TRAILER_BYTES, parse_seal, unpack
from curfew.cli.audit.reading import CannotRead
from curfew.cli.audit.stream import Link
from curfew.ports import ObjectStore


class Shelf:
    """Remembers the tree of a log and which object holds which records: 64 bytes for each record, and a name a segment."""

    def __init__(self, log: str) -> None:
        self._log = log
        self._tree = Tree()
        self._firsts: list[int] = []  # of each segment that holds records, the index of its first
        self._names: list[str] = []
        self._newest = b""  # the object that was taken last
        self.key = ""  # whose the newest checkpoint is
        self.segments = 0

    def take(self, link: Link) -> None:
        """Take the next verified segment."""
        self.segments += 1
        self._newest, self.key = link.stored, str(link.verified.keys[-1].verifier)
        if link.segment.lines:
            self._firsts.append(link.segment.first)
            self._names.append(link.segment.name)
            self._tree.extend(map(leaf_hash, link.segment.lines))

    @property
    def size(self) -> int:
        """How many records the log has."""
        return self._tree.size

    @property
    def root(self) -> str:
        """The root of its tree, in hex."""
        return self._tree.root_of(0, self.size).hex()

    @property
    def checkpoint(self) -> str:
        """The signed note of its newest segment."""
        return str(parse_seal(_lines(self._newest)[-1])["checkpoint"])

    async def proofs(self, store: ObjectStore, indexes: Sequence[int]) -> AsyncGenerator[Proof]:
        """Yield the proofs of these records, which are in ascending order.

        Raise `CannotRead` where an object is not any more what was verified.
        """
        checkpoint, opened, lines = self.checkpoint, -1, []
        for index in indexes:
            place = bisect_right(self._firsts, index) - 1
            if place != opened:
                opened, lines = place, _lines(await store.get(self._names[place]))
            line = lines[index - self._firsts[place]]
            if leaf_hash(line) != self._tree.root_of(index, index + 1):
                raise CannotRead(f"{self._names[place]} was changed while the report was made. Make it again.")
            yield Proof(self._log, index, line, inclusion_path(self._tree, index, self.size), checkpoint, self.key)


def _lines(stored: bytes) -> list[bytes]:
    return unpack(stored[:-TRAILER_BYTES])[:-1].split(b"\n")

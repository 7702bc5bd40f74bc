"""Proof that one record is in a log: the hashes from its leaf to a root that the log's key signed (RFC 6962, section 2.1.1).

    curfew.proof/v1 = {schema, log, index, record, path, checkpoint, key}

`record` is the line as it is stored, `path` the hashes in hex, nearest to the leaf first, `checkpoint` the signed note of the
log's head, `key` the verifier key that it was made with: for people to read, and never used to check the proof. The file is
canonical JSON and a newline, so that each of its bytes counts. To check it, its holder needs neither the log nor a network.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curfew.audit.canonical import NotCanonical, canonical, parse_canonical
from curfew.audit.checkpoint import Checkpoint, NoteRefused, Verifier, open_note
from curfew.audit.merkle import HASH_BYTES, CompactRange, leaf_hash, node_hash
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import origin

SCHEMA = "curfew.proof/v1"


class ProofRefused(ValueError):
    """A proof that is not valid. `str(error)` is the reason, as a clause that begins with a small letter."""


_NOTHING = CompactRange()


class Tree:
    """All nodes of a log's tree, so that any number of paths can be looked up: 64 bytes of memory for each leaf.

    If the beginning of the log was removed, the tree may begin there: it has paths for later leaves, and roots of that
    size or more.
    """

    def __init__(self, leaves: Iterable[bytes] = (), before: CompactRange = _NOTHING) -> None:
        """Begin with these leaf hashes, after a tree of which only the perfect subtrees are known."""
        self._levels: list[bytearray] = []  # for each height, the roots of perfect subtrees from left to right
        self._skipped: list[int] = []  # for each height, how many of the roots are not known
        self._size = before.size
        known = iter(reversed(before.hashes))
        for height in range(max(before.size.bit_length(), 1)):
            is_known = before.size >> height & 1
            self._skipped.append((before.size >> height) - is_known)
            self._levels.append(bytearray(next(known) if is_known else b""))
        self.extend(leaves)

    @property
    def size(self) -> int:
        """How many leaves there are, including those before the beginning."""
        return self._size

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes."""
        for leaf in leaves:
            node, height, place = leaf, 0, self._size
            self._levels[0] += node
            self._size += 1
            while place & 1:
                node = node_hash(self._node(height, place - 1), node)
                height, place = height + 1, place >> 1
                if height == len(self._levels):
                    self._levels.append(bytearray())
                    self._skipped.append(0)
                self._levels[height] += node

    def root_of(self, begin: int, end: int) -> bytes:
        """Return the root of the leaves from `begin` to before `end`; a perfect subtree must fit at `begin`."""
        hashes, left = [], begin
        for height in reversed(range((end - begin).bit_length())):
            if (end - begin) >> height & 1:
                hashes.append(self._node(height, left >> height))
                left += 1 << height
        return CompactRange(end - begin, tuple(hashes)).root()

    def _node(self, height: int, place: int) -> bytes:
        place -= self._skipped[height]
        if not 0 <= place < len(self._levels[height]) // HASH_BYTES:
            raise ValueError(f"no subtree of height {height} is known there")
        return bytes(self._levels[height][place * HASH_BYTES : (place + 1) * HASH_BYTES])


def inclusion_path(tree: Tree, index: int, size: int) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of the first `size` leaves, nearest to the leaf first.

    Raise `ValueError` for a leaf or a size that the tree does not have.
    """
    if not 0 <= index < size <= tree.size:
        raise ValueError(f"there is no leaf {index} among the first {size} of {tree.size}")
    path = []
    for height, beside_is_left in _steps(index, size):
        begin = ((index >> height) + (-1 if beside_is_left else 1)) << height
        path.append(tree.root_of(begin, min(begin + (1 << height), size)))
    return tuple(path)


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raise `ProofRefused` unless the path leads from the hash of leaf `index` to the root of a tree of `size` leaves."""
    if not 0 <= index < size:
        raise ProofRefused(f"there is no record {index} in a log of {size} records")
    steps = _steps(index, size)
    if len(path) != len(steps):
        raise ProofRefused(f"the path of record {index} of {size} has {len(steps)} hashes, not {len(path)}")
    node = leaf
    for (_, beside_is_left), beside in zip(steps, path, strict=True):
        if len(beside) != HASH_BYTES:
            raise ProofRefused(f"a hash is {HASH_BYTES} bytes long, not {len(beside)}")
        node = node_hash(beside, node) if beside_is_left else node_hash(node, beside)
    if node != root:
        raise ProofRefused("the record, its index and the path do not lead to the root that was signed")


def _steps(index: int, size: int) -> list[tuple[int, bool]]:
    """Return each subtree beside the path of a leaf: its height, and whether it is to the left."""
    last = size - 1
    # Above the height at which the leaf's subtree is the last one, nothing is to its right.
    return [
        (height, bool(index >> height & 1))
        for height in range(last.bit_length())
        if index >> height & 1 or index >> height != last >> height
    ]


@dataclass(frozen=True, slots=True)
class Proved:
    """The result of a valid proof: this record is in the log at this index, under this checkpoint."""

    record: Record | None  # None if the line is of a kind that this version does not read
    line: bytes
    index: int
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Proof:
    """One record of a log, the path from it to the root, and the signed checkpoint with that root."""

    log: str
    index: int
    line: bytes  # the record, without its newline
    path: tuple[bytes, ...]
    checkpoint: str  # a signed note
    key: str

    def to_bytes(self) -> bytes:
        """Return the proof as a file."""
        told = {
            "schema": SCHEMA,
            "log": self.log,
            "index": self.index,
            "record": self.line.decode(),
            "path": [hash_.hex() for hash_ in self.path],
            "checkpoint": self.checkpoint,
            "key": self.key,
        }
        return canonical(told) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> "Proof":
        """Read what `to_bytes` wrote. Raise `ProofRefused` for anything else. Reading it proves nothing."""
        try:
            told = parse_canonical(data[:-1])
        except NotCanonical as error:
            raise ProofRefused(f"the file {error}") from error
        if not isinstance(told, dict) or {name: type(part) for name, part in told.items()} != _FIELDS:
            raise ProofRefused(f"it is not a proof: it does not have exactly the fields {', '.join(sorted(_FIELDS))}")
        if told["schema"] != SCHEMA:
            raise ProofRefused(f"its schema is {told['schema']!r}; this version reads {SCHEMA}")
        try:
            path = tuple(bytes.fromhex(hash_) for hash_ in told["path"])
        except (TypeError, ValueError) as error:
            raise ProofRefused(f"a hash of its path is not in hex: {error}") from error
        proof = cls(told["log"], told["index"], told["record"].encode(), path, told["checkpoint"], told["key"])
        if proof.to_bytes() != data:
            raise ProofRefused("it is not in the only valid form: hex in small letters, and a newline at the end")
        return proof

    def check(self, verifier: Verifier) -> Proved:
        """Check the proof with this key and return its result, or raise `ProofRefused`."""
        if verifier.name != origin(self.log):
            raise ProofRefused(f"it belongs to log {self.log}, but the key belongs to {verifier.name}")
        if self.key != str(verifier):
            raise ProofRefused(f"it was made with key {self.key}, but is checked with {verifier}")
        try:
            checkpoint = open_note(self.checkpoint, verifier)
        except NoteRefused as error:
            raise ProofRefused(f"its checkpoint is not valid: {error}") from error
        if checkpoint.origin != origin(self.log):
            raise ProofRefused(
                f"its checkpoint belongs to {checkpoint.origin}, but the proof belongs to log {self.log}"
            )
        check_inclusion(leaf_hash(self.line), self.index, checkpoint.size, self.path, checkpoint.root)
        try:
            record = Record.parse(parse_canonical(self.line))
        except (RecordRefused, NotCanonical):
            record = None  # the line is signed all the same
        return Proved(record, self.line, self.index, checkpoint)


_FIELDS = {
    "schema": str,
    "log": str,
    "index": int,
    "record": str,
    "path": list,
    "checkpoint": str,
    "key": str,
}

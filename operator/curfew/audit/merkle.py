"""The Merkle tree over all records of a log (RFC 6962, section 2.1).

A compact range is the roots of the perfect subtrees, left to right and largest first: enough to append and to compute
the root, in at most log2(size) hashes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HASH_BYTES = 32
_LEAF = hashlib.sha256(b"\x00")


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256(0x00 || data)."""
    hash_ = _LEAF.copy()  # faster than to hash both as one text
    hash_.update(data)
    return hash_.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class CompactRange:
    """A tree of `size` leaves, as the roots of its perfect subtrees."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an invalid tree: there is one perfect subtree for each bit that is set in the size."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.hashes)} perfect subtrees")
        if any(len(hash_) != HASH_BYTES for hash_ in self.hashes):
            raise ValueError(f"a hash is {HASH_BYTES} bytes long")

    def extended(self, leaves: Iterable[bytes]) -> "CompactRange":
        """Return the tree with these leaf hashes appended."""
        return self.joined(subtrees(self.size, list(leaves)))

    def joined(self, trees: Iterable[tuple[int, bytes]]) -> "CompactRange":
        """Return the tree with perfect subtrees appended, each as its height and its root; see `subtrees`.

        Raise `ValueError` for a subtree that does not fit at the end of this tree.
        """
        size, stack = self.size, list(self.hashes)
        for height, node in trees:
            if size & (1 << height) - 1:
                raise ValueError(f"no subtree of height {height} begins at leaf {size}")
            bits = size >> height
            while bits & 1:
                node = node_hash(stack.pop(), node)
                bits >>= 1
            stack.append(node)
            size += 1 << height
        return CompactRange(size, tuple(stack))

    def root(self) -> bytes:
        """Return the root; that of the empty tree is the hash of nothing."""
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def subtrees(first: int, leaves: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """Return leaf hashes as the largest perfect subtrees that they fill, from left to right: height and root of each.

    `first` is the index of the first leaf in the whole tree. Nothing else about the tree is needed. So this, which is
    nearly all of the work, can be done before the leaves to the left are known.
    """
    nodes, height = leaves, 0
    left, right = [], []
    while nodes:
        if first & 1:
            left.append((height, nodes[0]))
            nodes, first = nodes[1:], first + 1
        if len(nodes) & 1:
            right.append((height, nodes[-1]))
        # zip leaves out an odd node at the end.
        nodes = [node_hash(one, other) for one, other in zip(nodes[::2], nodes[1::2], strict=False)]
        first, height = first >> 1, height + 1
    return left + right[::-1]

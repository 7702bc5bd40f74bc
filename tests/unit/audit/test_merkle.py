"""The tree is that of RFC 6962."""

import hashlib
from itertools import pairwise

import pytest

from curfew.audit.merkle import CompactRange, leaf_hash, node_hash

# The eight leaves and the roots of their first n that all implementations of RFC 6962 are tested with; they come from
# the reference implementation of Certificate Transparency.
LEAVES = [
    bytes.fromhex(data)
    for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def by_definition(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(by_definition(hashes[:k]), by_definition(hashes[k:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_that_everyone_else_computes(size: int) -> None:
    tree = CompactRange().extended(leaf_hash(leaf) for leaf in LEAVES[:size])

    assert tree.root().hex() == ROOTS[size]


def test_roots_follow_the_definition_however_the_leaves_come() -> None:
    leaves = [leaf_hash(number.to_bytes(2)) for number in range(70)]
    for size in range(70):
        whole = CompactRange().extended(leaves[:size])
        assert whole.root() == by_definition(leaves[:size])
        for first in range(0, size, 7):
            assert CompactRange().extended(leaves[:first]).extended(leaves[first:size]) == whole


def test_a_leaf_is_never_taken_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")

    assert leaf_hash(left + right) != node_hash(left, right)


def test_each_leaf_matters() -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(13)]
    roots = {CompactRange().extended(leaves).root()}
    for index, (one, other) in enumerate(pairwise(leaves)):
        swapped = [*leaves[:index], other, one, *leaves[index + 2 :]]
        roots.add(CompactRange().extended(swapped).root())

    assert len(roots) == 13


@pytest.mark.parametrize(
    ("size", "hashes"),
    [(-1, ()), (0, (bytes(32),)), (3, (bytes(32),)), (1, (bytes(31),)), (4, (bytes(32), bytes(32)))],
)
def test_what_is_no_tree_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match=r"perfect subtrees|bytes long"):
        CompactRange(size, hashes)

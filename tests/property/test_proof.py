"""A proof of each record of each log holds, and no other does (RFC 6962, section 2.1.1)."""

import random

import pytest

from curfew.audit.checkpoint import sign_note
from curfew.audit.merkle import CompactRange, leaf_hash, node_hash
from curfew.audit.proof import Proof, ProofRefused, Tree, check_inclusion, inclusion_path
from tests.support.logs import a_log

LARGEST = 100
LEAVES = [leaf_hash(number.to_bytes(2)) for number in range(LARGEST)]
TREE = Tree(LEAVES)


def root_by_definition(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(root_by_definition(hashes[:k]), root_by_definition(hashes[k:]))


def path_by_definition(m: int, hashes: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word."""
    if len(hashes) == 1:
        return []
    k = 1 << (len(hashes) - 1).bit_length() - 1
    if m < k:
        return [*path_by_definition(m, hashes[:k]), root_by_definition(hashes[k:])]
    return [*path_by_definition(m - k, hashes[k:]), root_by_definition(hashes[:k])]


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_the_path_of_each_leaf_is_that_of_the_definition_and_leads_to_the_root(size: int) -> None:
    root = CompactRange().extended(LEAVES[:size]).root()
    for index in range(size):
        path = inclusion_path(TREE, index, size)

        assert list(path) == path_by_definition(index, LEAVES[:size])
        check_inclusion(LEAVES[index], index, size, path, root)


def flipped(hash_: bytes, bit: int) -> bytes:
    """Return a hash with one bit the other way."""
    return (int.from_bytes(hash_) ^ 1 << bit).to_bytes(len(hash_))


def test_a_flipped_bit_in_any_hash_of_any_path_of_any_tree_is_refused() -> None:
    """Each hash of each path; of its bits, one at a time that follows from the place."""
    for size in range(1, LARGEST + 1):
        root = TREE.root_of(0, size)
        for index in range(size):
            path = inclusion_path(TREE, index, size)
            bit = (index * 7 + size) % 256
            lies = [(*path[:at], flipped(path[at], bit), *path[at + 1 :]) for at in range(len(path))]
            for lie in lies:
                with pytest.raises(ProofRefused):
                    check_inclusion(LEAVES[index], index, size, lie, root)
            with pytest.raises(ProofRefused):
                check_inclusion(flipped(LEAVES[index], bit), index, size, path, root)
            with pytest.raises(ProofRefused):
                check_inclusion(LEAVES[index], index, size, path, flipped(root, bit))


@pytest.mark.parametrize("size", [1, 2, 3, 13, 64, 100])
def test_every_bit_of_every_hash_counts(size: int) -> None:
    index = size * 2 // 3
    path, root = inclusion_path(TREE, index, size), TREE.root_of(0, size)
    for at, bit in ((at, bit) for at in range(len(path)) for bit in range(256)):
        with pytest.raises(ProofRefused):
            check_inclusion(LEAVES[index], index, size, (*path[:at], flipped(path[at], bit), *path[at + 1 :]), root)


def test_a_path_proves_nothing_for_another_place_or_another_size() -> None:
    for size in range(2, 40):
        root = TREE.root_of(0, size)
        for index in range(size):
            path = inclusion_path(TREE, index, size)
            for other in range(-1, size + 1):
                if other != index:
                    with pytest.raises(ProofRefused):
                        check_inclusion(LEAVES[index], other, size, path, root)
            for lie in (path[1:], path[:-1], (*path, LEAVES[0]), (*path[:-1], path[-1][:-1])):
                if lie != path:
                    with pytest.raises(ProofRefused):
                        check_inclusion(LEAVES[index], index, size, lie, root)


def test_a_tree_is_the_same_however_it_has_grown() -> None:
    tree = Tree()
    for size, leaf in enumerate(LEAVES, 1):
        tree.extend([leaf])

        assert tree.size == size
        assert tree.root_of(0, size) == root_by_definition(LEAVES[:size])
    assert [inclusion_path(tree, index, 77) for index in range(77)] == [
        inclusion_path(TREE, index, 77) for index in range(77)
    ]


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (0, LARGEST + 1)])
def test_there_is_no_path_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"there is no leaf {index} among the first {size} of {LARGEST}"):
        inclusion_path(TREE, index, size)


def test_no_byte_of_a_proof_can_be_another() -> None:
    """Each byte, one bit of it at a time; all of it is either signed, hashed or has only valid form."""
    log = a_log(1, 2, 0, 3)
    path = inclusion_path(Tree(map(leaf_hash, log.lines)), 4, 6)
    proof = Proof("main", 4, log.lines[4], path, sign_note(log.head.checkpoint, log.signer), str(log.verifier))
    data = proof.to_bytes()
    assert Proof.from_bytes(data).check(log.verifier).line == log.lines[4]

    chance = random.Random(1)  # noqa: S311  which bit of a byte is no secret
    for at in range(len(data)):
        lie = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        with pytest.raises(ProofRefused):
            Proof.from_bytes(lie).check(log.verifier)
    for lie in (data[:-1], data + b"\n", b"", data + b" ", data.replace(b'"', b'" ', 1)):
        with pytest.raises(ProofRefused):
            Proof.from_bytes(lie).check(log.verifier)


def test_the_paths_are_those_that_everyone_else_computes() -> None:
    """From the tests of the reference implementation of Certificate Transparency: eight leaves, paths in five trees."""
    leaves = [
        leaf_hash(bytes.fromhex(data))
        for data in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    ]
    tree = Tree(leaves)

    assert {at: [hash_.hex() for hash_ in inclusion_path(tree, *at)] for at in PATHS} == PATHS


PATHS: dict[tuple[int, int], list[str]] = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}

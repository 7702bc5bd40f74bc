"""The format stays what it was: what was written once is read for ever, here and by a reader that is not ours."""

import json
from pathlib import Path
from typing import Any

import pytest

from curfew.audit.canonical import parse_canonical
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor
from curfew.audit.places import in_order
from curfew.audit.proof import Proof
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, Story, make_record
from curfew.audit.segment import Head, follow
from curfew.audit.verify import examine
from tests.vectors.independent_proof import read_proof
from tests.vectors.make_vectors import the_story
from tools.verify_independently import Refused, root
from tools.verify_independently import verify as verify_independently

VECTORS = Path(__file__).parents[2] / "vectors"
LOG = json.loads((VECTORS / "log_v1.json").read_text())
NAMES = [head["next"] for head in LOG["heads"][:-1]]
OBJECTS = {name: (VECTORS / "log_v1" / name).read_bytes() for name in NAMES}
ROTATED = json.loads((VECTORS / "rotated_v1.json").read_text())
ATTACKS = json.loads((VECTORS / "attacks_v1.json").read_text())
VERIFIER = Verifier.parse(LOG["verifierKey"])


def test_each_segment_follows_as_it_did() -> None:
    head = Head.genesis("main")
    for expected, name in zip(LOG["heads"][1:], NAMES, strict=True):
        _, head = follow(head, name, OBJECTS[name], VERIFIER)

        told = {"seq": head.seq, "object": head.object_hash.hex(), "size": head.range.size}
        assert {**told, "root": head.range.root().hex(), "next": head.next_name()} == expected


def test_each_receipt_agrees_as_it_did() -> None:
    anchors = [Anchor.of_receipt(Receipt.parse(receipt), receipt) for receipt in LOG["receipts"]]

    examined = examine("main", OBJECTS.items(), VERIFIER, anchors)

    assert (examined.findings, examined.verified.anchors) == ((), 9)


def test_records_have_the_bytes_that_they_had() -> None:
    """A record that is told again after an upgrade has to be the same record."""
    lines = (VECTORS / "records_v1.jsonl").read_bytes().splitlines()

    assert [record.line() for record in the_story()] == lines


def test_records_are_read_as_they_were() -> None:
    for line in (VECTORS / "records_v1.jsonl").read_bytes().splitlines():
        record = Record.parse(parse_canonical(line))
        told = make_record(
            record.event,
            at=record.at,
            actor=record.block["actor"],
            message=record.message,
            story=Story.of(record),
            detail=record.block.get("detail"),
        )
        assert (told.id, told.block["story"]) == (record.id, record.block["story"])


def test_a_reader_that_is_not_ours_reads_the_same() -> None:
    read = verify_independently(VECTORS / "log_v1", "main", LOG["verifierKey"], LOG["receipts"])

    assert (len(read.lines), root(read.peaks).hex()) == (LOG["heads"][-1]["size"], LOG["heads"][-1]["root"])
    assert read.lines[1:] == (VECTORS / "records_v1.jsonl").read_text().splitlines()


@pytest.mark.parametrize("key", [ROTATED["verifierKey"], *ROTATED["nextKeys"]])
def test_a_log_that_was_handed_over_is_read_with_any_of_its_keys_as_it_was(key: str) -> None:
    folder = VECTORS / "rotated_v1"
    names = in_order("main", (path.relative_to(folder).as_posix() for path in folder.rglob("*.zst")))
    anchors = [Anchor.of_receipt(Receipt.parse(receipt), receipt) for receipt in ROTATED["receipts"]]

    examined = examine("main", ((name, (folder / name).read_bytes()) for name in names), Verifier.parse(key), anchors)
    read = verify_independently(folder, "main", key, ROTATED["receipts"])

    head = ROTATED["heads"][-1]
    assert (examined.findings, examined.verified.anchors) == ((), len(anchors))
    assert (examined.verified.records, examined.verified.head.range.root().hex()) == (head["size"], head["root"])
    assert (len(read.lines), root(read.peaks).hex()) == (head["size"], head["root"])
    keys = [ROTATED["verifierKey"], *ROTATED["nextKeys"]]
    assert [str(tenure.verifier) for tenure in examined.verified.keys] == read.keys == keys
    assert list(examined.verified.voided) == read.voided == [names[3]]


PROOFS = (VECTORS / "proofs_v1.jsonl").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("index", range(len(PROOFS)))
def test_each_proof_holds_as_it_did_and_for_a_reader_that_is_not_ours(index: int) -> None:
    proof = Proof.from_bytes(PROOFS[index])
    proved = proof.check(VERIFIER)

    assert (proved.index, proved.checkpoint.size, proof.to_bytes()) == (index, len(PROOFS), PROOFS[index])
    assert read_proof(PROOFS[index], LOG["verifierKey"]) == proved.line.decode()


def attacked(steps: list[dict[str, Any]]) -> dict[str, bytes]:
    """Return the log's objects after an attack."""
    lies = dict(OBJECTS)
    for step in steps:
        match step:
            case {"alter": seq, "at": at, "xor": xor}:
                stored = bytearray(OBJECTS[NAMES[seq]])
                stored[at] ^= xor
                lies[NAMES[seq]] = bytes(stored)
            case {"remove": seq}:
                del lies[NAMES[seq]]
            case {"cut": seq, "to": length}:
                lies[NAMES[seq]] = OBJECTS[NAMES[seq]][:length]
            case {"swap": [one, other]}:
                lies[NAMES[one]], lies[NAMES[other]] = OBJECTS[NAMES[other]], OBJECTS[NAMES[one]]
            case {"copy": [one, other]}:
                lies[NAMES[other]] = OBJECTS[NAMES[one]]
            case {"move": seq, "to": name}:
                lies[name] = lies.pop(NAMES[seq])
            case {"double": seq, "as": name}:
                lies[name] = OBJECTS[NAMES[seq]]
            case {"put": name}:
                lies[name] = b"rubbish"
            case _:
                raise ValueError(f"no attack is made of {step}")
    return lies


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["attack"])
def test_an_attack_is_found_where_it_was_made(attack: dict[str, Any]) -> None:
    lies = attacked(attack["do"])
    anchors = [Anchor.of_receipt(Receipt.parse(LOG["receipts"][attack["anchor"]]), "it")] if "anchor" in attack else []

    findings = examine("main", ((name, lies[name]) for name in in_order("main", lies)), VERIFIER, anchors).findings

    assert [[finding.kind, finding.seq] for finding in findings] == attack["finds"]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["attack"])
def test_a_reader_that_is_not_ours_finds_it_too(attack: dict[str, Any], tmp_path: Path) -> None:
    for name, stored in attacked(attack["do"]).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(stored)
    receipt = LOG["receipts"][-1]  # what was cut off at the end shows only with an anchor

    with pytest.raises(Refused):
        verify_independently(tmp_path, "main", LOG["verifierKey"], [receipt])

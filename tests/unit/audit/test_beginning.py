"""A log whose oldest segments were removed verifies from where it says itself that it begins, and from nowhere else."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from curfew.audit.beginning import Beginning, claimed_in, first_gap, stated_in, statement
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Examined, Kind
from curfew.audit.merkle import CompactRange, leaf_hash
from curfew.audit.places import in_order, place
from curfew.audit.proof import Tree, check_inclusion, inclusion_path
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.walk import Walk
from curfew.audit.witness import Witness
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer
from tools.verify_independently import Refused
from tools.verify_independently import verify as verify_independently


def stating(beginning: Beginning, writer: str = "tests") -> Record:
    """Return the record that states it."""
    return statement(beginning, at=BEGIN + timedelta(days=400), keep_for=timedelta(days=400), writer=writer)


def a_cut_log(first: int = 3, *sizes: int) -> ALog:
    """Return a log that states that it begins with a segment, and goes on; nothing is removed yet."""
    log = a_log(*(sizes or (2, 2, 1, 3, 0, 2)))
    log.append([stating(beginning_of(log, first)), a_record(98)])
    log.append([a_record(99)])
    return log


def beginning_of(log: ALog, first: int, verifier: Verifier | None = None) -> Beginning:
    """Return where a log begins without the segments before `first`."""
    return Beginning(log.heads[first], verifier or log.verifier)


def remove(log: ALog, *seqs: int) -> None:
    """Remove segments."""
    for name in [log.names[seq] for seq in seqs]:
        del log.objects[name]


def examined(
    log: ALog,
    beginning: Beginning | None,
    *,
    key: Verifier | None = None,
    anchors: Sequence[Anchor] = (),
    since: Witness | None = None,
) -> Examined:
    """Return what a walk finds that begins there."""
    first = since.head.seq if since is not None else beginning.segment if beginning is not None else 0
    walk = Walk(log.log, key or log.verifier, anchors, since=since, beginning=beginning)
    for name in in_order(log.log, log.objects):
        if place(log.log, name) >= first:
            walk.take(name, log.objects[name])
    return walk.finish()


def test_a_log_verifies_from_where_it_states_that_it_begins() -> None:
    """All of it: the same root, and the indexes of its records."""
    log = a_cut_log()
    whole = examined(log, None).verified
    remove(log, 0, 1, 2)
    found = examined(log, beginning_of(log, 3))
    assert not found.findings
    assert (found.verified.head, found.verified.first) == (whole.head, 5)
    assert found.verified.segments == whole.segments - 3
    assert found.verified.stated == found.verified.beginning == beginning_of(log, 3)


def test_a_log_that_states_nothing_does_not_verify_without_its_oldest_segments() -> None:
    """Whoever removed them made up where it begins, of the true state."""
    log = a_log(2, 2, 1, 3, 0, 2)
    remove(log, 0, 1, 2)
    (finding,) = examined(log, beginning_of(log, 3)).findings
    assert (finding.kind, finding.records) == (Kind.UNSTATED, range(5))
    assert "no verified record states that it may be removed" in finding.why


def test_a_log_that_is_cut_further_than_it_states_does_not_verify() -> None:
    """Neither from there, nor from where it states that it begins."""
    log = a_cut_log()
    remove(log, 0, 1, 2, 3)
    assert [one.kind for one in examined(log, beginning_of(log, 4)).findings] == [Kind.UNSTATED]
    assert [one.kind for one in examined(log, beginning_of(log, 3)).findings] == [Kind.MISSING]


@pytest.mark.parametrize(
    "change",
    [
        lambda head: dataclasses.replace(head, object_hash=b"\1" * 32),
        lambda head: dataclasses.replace(head, range=CompactRange(5, (b"\1" * 32, b"\2" * 32))),
        lambda head: dataclasses.replace(head, range=CompactRange(4, (b"\1" * 32,))),
        lambda head: dataclasses.replace(
            head, at=head.at + timedelta(days=1), next_day=head.next_day + timedelta(days=1)
        ),
    ],
)
def test_a_statement_that_says_something_else_of_what_was_before_does_not_verify(change: object) -> None:
    """Even if it is signed: what follows is of one state only."""
    log = a_log(2, 2, 1, 3, 0, 2)
    other = Beginning(change(log.heads[3]), log.verifier)  # type: ignore[operator]
    log.append([stating(other)])
    remove(log, 0, 1, 2)
    assert examined(log, other).findings


def test_a_statement_that_was_only_put_beside_the_log_is_not_believed() -> None:
    """Sealed with another key, under the name of the next segment."""
    log = a_log(2, 2, 1, 3, 0, 2)
    beginning = beginning_of(log, 3)
    forged = ALog(signer=a_signer(seed=9))
    forged.heads = list(log.heads)
    name = forged.append([stating(beginning)])
    log.objects[name] = forged.objects[name]
    remove(log, 0, 1, 2)
    assert {one.kind for one in examined(log, beginning).findings} >= {Kind.UNSTATED, Kind.ALTERED}


def test_a_statement_of_another_log_states_nothing() -> None:
    """Replayed into this one, signed and all: it says of which log it is."""
    head = dataclasses.replace(a_log(2, 2, 1, 3, 0, 2).heads[3], log="other")
    other = Beginning(head, a_signer("other").verifier)
    record = statement(other, at=BEGIN, keep_for=timedelta(days=400), writer="tests")
    assert stated_in("other", record.body) is not None
    assert stated_in("main", record.body) is None
    body = {**record.body, "unmapped": {"curfew": {**record.block, "subject": "main"}}}
    assert stated_in("main", body) is None


def test_keys_that_followed_each_other_before_and_after() -> None:
    """The log was handed over before its beginning and after it; the newest key is trusted, or one that is still in it."""
    log = a_log(2, 1)
    old, second, third = a_signer(seed=1), a_signer(seed=2), a_signer(seed=3)
    log.hand_over(second)
    log.append([a_record(50)])
    log.append([a_record(51)])
    beginning = beginning_of(log, 4, second.verifier)
    log.hand_over(third, [stating(beginning)])
    log.append([a_record(52)])
    remove(log, 0, 1, 2, 3)
    for trusted in (second, third):
        found = examined(log, beginning, key=trusted.verifier)
        assert not found.findings
        assert [one.verifier for one in found.verified.keys] == [second.verifier, third.verifier]
    (finding,) = examined(log, beginning, key=old.verifier).findings
    assert finding.kind is Kind.OTHER_KEY


def test_what_is_left_from_before_is_not_looked_at(tmp_path: Path) -> None:
    """A bucket removes in any order, and not all at once."""
    log = a_cut_log()
    remove(log, 1)
    assert not examined(log, beginning_of(log, 3)).findings
    assert verify_independently(log.lay(tmp_path), "main", str(log.verifier)).first == 5


def test_an_anchor_of_what_was_removed_is_only_counted() -> None:
    """One of exactly what was before is compared, and so are all later ones."""
    log = a_cut_log()
    anchors = [Anchor(head.range.size, head.range.root(), f"anchor {head.seq}") for head in log.heads[1:6]]
    remove(log, 0, 1, 2)
    found = examined(log, beginning_of(log, 3), anchors=anchors)
    assert not found.findings
    assert (found.verified.anchors, found.verified.anchors_before) == (3, 2)
    wrong = Anchor(5, b"\1" * 32, "a wrong one")
    assert [one.kind for one in examined(log, beginning_of(log, 3), anchors=[wrong]).findings] == [Kind.REWRITTEN]


def test_a_saved_state_remembers_what_the_log_has_stated() -> None:
    """Whoever goes on from it does not see the statement again."""
    log = a_cut_log()
    whole = examined(log, None).verified
    witness = Witness.of(whole, log.verifier, key_was_given=True)
    assert witness is not None
    assert Witness.from_json(witness.to_json()) == witness
    log.append([a_record(100)])
    remove(log, 0, 1, 2)
    found = examined(log, beginning_of(log, 3), since=witness)
    assert not found.findings
    assert found.verified.first == 5


def test_what_an_object_claims_is_read_and_nothing_more() -> None:
    """Whatever it holds."""
    log = a_cut_log()
    assert claimed_in("main", log.objects[log.names[6]]) == beginning_of(log, 3)
    assert claimed_in("main", log.objects[log.names[7]]) is None
    assert claimed_in("main", b"") is None
    assert claimed_in("main", b"\x28\xb5\x2f\xfd" * 40) is None


def test_a_beginning_is_read_back_in_its_one_form() -> None:
    """Anything else is refused."""
    beginning = beginning_of(a_cut_log(), 3)
    told = beginning.to_json()
    assert Beginning.of("main", told) == beginning
    changes: list[dict[str, Any]] = [
        *({"segment": number} for number in (True, 4, 0)),
        *({"record": number} for number in (4, -1)),
        *({"sealed_at": at} for at in ("2026-11-23", 1)),
        *({name: "00"} for name in ("previous", "object", "verifier_key")),
        {"hashes": []},
    ]
    for change in changes:
        with pytest.raises(ValueError, match="not the beginning"):
            Beginning.of("main", {**told, **change})
    others: list[object] = [None, [], "x", {}]
    for other in others:
        with pytest.raises(ValueError, match="not the beginning"):
            Beginning.of("main", other)
    with pytest.raises(ValueError, match="not the beginning"):
        Beginning.of("other", told)


def test_the_first_gap_is_what_is_missing_before_something_else() -> None:
    """The end is no gap."""
    names = a_log(1, 1, 1, 1).names
    assert first_gap(names) is None
    assert first_gap(names[2:]) == 0
    assert first_gap(names[:1] + names[3:]) == 1
    assert first_gap([]) is None


@pytest.mark.parametrize("size", [9, 16, 23, 64])
def test_paths_in_a_tree_of_which_the_beginning_is_gone(size: int) -> None:
    """Each is the path in the whole tree."""
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    whole = Tree(leaves)
    for first in range(size):
        tree = Tree(leaves[first:], before=CompactRange().extended(leaves[:first]))
        assert tree.size == size
        assert tree.root_of(0, size) == whole.root_of(0, size)
        for index in range(first, size):
            path = inclusion_path(tree, index, size)
            assert path == inclusion_path(whole, index, size)
            check_inclusion(leaves[index], index, size, path, whole.root_of(0, size))


def test_the_second_verifier_agrees(tmp_path: Path) -> None:
    """On what it takes, and on what it refuses."""
    log = a_cut_log()
    remove(log, 0, 1, 2)
    receipt = Receipt("main", 6, log.heads[4].range.size, log.heads[4].range.root().hex())
    found = verify_independently(log.lay(tmp_path / "good"), "main", str(log.verifier), [receipt.compact()])
    assert (found.first, found.first + len(found.lines)) == (5, log.head.range.size)
    assert found.peaks == list(log.head.range.hashes)
    assert verify_independently(log.lay(tmp_path / "good"), "main").keys == [str(log.verifier)]

    further = a_cut_log()
    remove(further, 0, 1, 2, 3)
    with pytest.raises(Refused, match="is missing"):
        verify_independently(further.lay(tmp_path / "further"), "main", str(log.verifier))

    unstated = a_log(2, 2, 1, 3)
    remove(unstated, 0, 1)
    with pytest.raises(Refused, match="is missing"):
        verify_independently(unstated.lay(tmp_path / "unstated"), "main", str(log.verifier))

    forged = a_log(2, 2, 1, 3)
    other = ALog(signer=a_signer(seed=9))
    other.heads = list(forged.heads)
    name = other.append([stating(beginning_of(forged, 2))])
    forged.objects[name] = other.objects[name]
    remove(forged, 0, 1)
    with pytest.raises(Refused):
        verify_independently(forged.lay(tmp_path / "forged"), "main", str(log.verifier))

"""There is no byte in a stored log that could be another one: each, in turn, is altered, and each time it is said where.

`make soak` alters all of them, other runs a tenth, drawn by CURFEW_SEED.
"""

import itertools
from collections.abc import Iterator
from functools import lru_cache

import pytest

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Finding, Kind
from curfew.audit.verify import examine
from tests.support.logs import ALog, a_log
from tests.support.scale import drawn

LOG = a_log(1, 2, 0, 2)  # 3 to 4 KB: the bytes of four objects, of which one holds no record
RECORDS = [range(1), range(1, 3), range(3, 3), range(3, 5)]


@pytest.fixture(autouse=True, scope="module")
def _remembered_signatures() -> Iterator[None]:
    """Check each good signature once: the same bytes under the same key are checked thousands of times here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Verifier, "check", lru_cache(maxsize=64)(Verifier.check))
        yield


def findings(log: ALog, objects: dict[str, bytes]) -> tuple[Finding, ...]:
    """Return what is wrong with a log whose objects are those."""
    return examine(log.log, objects.items(), log.verifier).findings


def test_the_log_is_good_as_it_is() -> None:
    assert findings(LOG, LOG.objects) == ()


@pytest.mark.parametrize("seq", range(4))
@pytest.mark.parametrize("bits", ["one bit", "all bits"])
def test_any_byte_that_is_altered_is_found_where_it_is(seq: int, bits: str) -> None:
    name = LOG.names[seq]
    stored = LOG.objects[name]
    for index in drawn(range(len(stored)), f"{bits} {seq}"):
        pattern = 1 << index % 8 if bits == "one bit" else 0xFF
        altered = stored[:index] + bytes([stored[index] ^ pattern]) + stored[index + 1 :]

        found = findings(LOG, {**LOG.objects, name: altered})

        where = f"byte {index} of segment {seq}"
        assert [(finding.kind, finding.seq, finding.name) for finding in found] == [(Kind.ALTERED, seq, name)], where
        assert str(found[0]).startswith(f"segment {seq} ({name}) "), where
        # The records that are said to be at fault are of this segment. What the last one held cannot always be told.
        at_fault = found[0].records
        assert at_fault is not None or seq == 3, where
        assert set(at_fault or ()) <= set(RECORDS[seq]), where


@pytest.mark.parametrize("seq", range(4))
def test_a_segment_that_is_cut_short_anywhere_is_found_where_it_is(seq: int) -> None:
    name = LOG.names[seq]
    for length in drawn(range(len(LOG.objects[name])), f"cut short {seq}"):
        found = findings(LOG, {**LOG.objects, name: LOG.objects[name][:length]})

        assert [(finding.kind, finding.seq, finding.name) for finding in found] == [(Kind.ALTERED, seq, name)], length


@pytest.mark.parametrize("seq", range(4))
def test_any_segment_that_is_removed_is_missed(seq: int) -> None:
    """Nothing follows the last one, so that needs somebody who has seen it."""
    objects = {name: stored for name, stored in LOG.objects.items() if name != LOG.names[seq]}
    anchor = Anchor.of_receipt(LOG.receipt(4), "the receipt")

    unaided = findings(LOG, objects)
    aided = examine(LOG.log, objects.items(), LOG.verifier, [anchor]).findings

    if seq < 3:
        assert [(finding.kind, finding.seq, finding.name) for finding in unaided] == [
            (Kind.MISSING, seq, LOG.names[seq])
        ]
        assert aided == unaided
    else:
        assert unaided == ()
        assert [(finding.kind, finding.records) for finding in aided] == [(Kind.CUT_OFF, RECORDS[3])]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(range(4), 2)))
def test_any_two_segments_that_are_swapped_are_both_named(one: int, other: int) -> None:
    first, second = LOG.names[one], LOG.names[other]
    swapped = {**LOG.objects, first: LOG.objects[second], second: LOG.objects[first]}

    found = findings(LOG, swapped)

    assert [(finding.kind, finding.name) for finding in found] == [(Kind.ALTERED, first), (Kind.ALTERED, second)]


@pytest.mark.parametrize("seq", range(4))
def test_no_character_of_a_name_can_be_another(seq: int) -> None:
    name = LOG.names[seq]
    for index in range(len(name)):
        renamed = name[:index] + chr(ord(name[index]) ^ 1) + name[index + 1 :]
        objects = {renamed if other == name else other: stored for other, stored in LOG.objects.items()}

        assert findings(LOG, objects), renamed

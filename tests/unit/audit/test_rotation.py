"""A log changes hands only when both keys say so, and from then on only the new one can go on."""

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import Record
from curfew.audit.rotation import EVENT, predecessor, rotation, statement, successor
from curfew.audit.segment import ChainBroken, Segment, follow, resume
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer

OLD, NEW, OTHER = a_signer(seed=1), a_signer(seed=2), a_signer(seed=3)
HANDED_OVER = rotation("main", at=BEGIN, old=OLD, new=NEW)


def segment_of(*records: Record, log: ALog | None = None) -> Segment:
    """Return the segment that holds these records."""
    log = log or a_log(1)
    head = log.head
    name = log.append(records)
    return follow(head, name, log.objects[name], log.verifier)[0]


def lying(**changes: Any) -> Record:
    """Return a rotation whose detail says something else."""
    block = {**HANDED_OVER.block, "detail": {**HANDED_OVER.block["detail"], **changes}}
    return replace(HANDED_OVER, body={**HANDED_OVER.body, "unmapped": {"curfew": block}})


def proof(old: Any, new: Any, by: Any) -> str:
    """Return what a key has signed about two keys."""
    return base64.b64encode(by.sign(statement(old.verifier, new.verifier))).decode()


def test_the_record_names_both_keys_and_what_the_new_one_signed() -> None:
    assert (HANDED_OVER.event, HANDED_OVER.block["code"]) == (EVENT, "9008I")
    assert HANDED_OVER.block["detail"] == {
        "verifier_key": NEW.verifier_key,
        "previous_key": OLD.verifier_key,
        "proof": proof(OLD, NEW, by=NEW),
    }


def test_a_key_may_hand_over_and_be_handed_to_again() -> None:
    again = rotation("main", at=BEGIN + timedelta(days=1), old=OLD, new=NEW)

    assert again.id != HANDED_OVER.id


def test_what_follows_is_signed_by_the_new_key() -> None:
    assert successor(segment_of(a_record(7), HANDED_OVER), OLD.verifier) == NEW.verifier


@pytest.mark.parametrize("records", [[], [a_record(7)]])
def test_without_a_rotation_the_key_stays(records: list[Record]) -> None:
    assert successor(segment_of(*records), OLD.verifier) == OLD.verifier


def test_a_name_that_reads_like_a_rotation_is_none() -> None:
    told = a_record(7)
    story = {**told.block["story"], "event": EVENT}
    lookalike = replace(told, body={**told.body, "unmapped": {"curfew": {**told.block, "story": story}}})

    assert successor(segment_of(lookalike), OLD.verifier) == OLD.verifier


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([HANDED_OVER, a_record(7)], "it is not the last record of its segment"),
        ([HANDED_OVER, rotation("main", at=BEGIN, old=OLD, new=OTHER)], "it is not the last record of its segment"),
        ([lying(previous_key=OTHER.verifier_key)], f"it replaces key {OTHER.verifier}, but {OLD.verifier} sealed"),
        ([rotation("main", at=BEGIN, old=OLD, new=OLD)], "cannot follow"),
        ([rotation("main", at=BEGIN, old=OLD, new=a_signer("other"))], "cannot follow"),
        ([lying(verifier_key="nonsense")], "a verifier key has the form"),
        ([lying(verifier_key=OTHER.verifier_key)], "the new key has not agreed to it"),
        ([lying(proof=proof(OLD, NEW, by=OLD))], "the new key has not agreed to it"),
        ([lying(proof=proof(OTHER, NEW, by=NEW))], "the new key has not agreed to it"),
        ([lying(proof="!")], "the proof is not base64"),
        ([lying(proof=7)], "it does not name both keys and the proof"),
    ],
)
def test_a_rotation_that_does_not_hold_is_refused(records: list[Record], why: str) -> None:
    segment = segment_of(*records)

    with pytest.raises(ChainBroken, match="hands the log over to another key with record 1, which is not valid") as it:
        successor(segment, OLD.verifier)

    assert why in str(it.value)
    assert it.value.records == range(1, 2)


def test_the_new_key_says_which_key_was_before_it() -> None:
    log = a_log(1)
    name = log.append([HANDED_OVER])

    assert predecessor(log.objects[name], NEW.verifier) == OLD.verifier
    assert resume(name, log.objects[name], OLD.verifier, "main")[0].lines == (HANDED_OVER.line(),)


@pytest.mark.parametrize(
    "records", [[], [a_record(7)], [lying(proof=proof(OLD, NEW, by=OLD))], [lying(previous_key="nonsense")]]
)
def test_where_the_new_key_has_not_signed_there_is_no_key_before_it(records: list[Record]) -> None:
    log = a_log(1)
    name = log.append(records)

    assert predecessor(log.objects[name], NEW.verifier) is None
    assert predecessor(b"rubbish", NEW.verifier) is None

"""A log that was handed over from key to key: each of them verifies all of it, and only the one whose turn it is goes on."""

import pytest

from curfew.audit.checkpoint import Ed25519Signer, Verifier
from curfew.audit.findings import Examined, Kind
from curfew.audit.places import in_order
from curfew.audit.rotation import rotation
from curfew.audit.segment import seal
from curfew.audit.succession import Tenure
from curfew.audit.verify import examine
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer, opened

FIRST, SECOND, THIRD, STRANGER = (a_signer(seed=seed) for seed in (1, 2, 3, 4))


@pytest.fixture
def log() -> ALog:
    """Return a log of seven segments and nine records that was handed over in segments 2 and 4."""
    log = a_log(1, 2)
    log.hand_over(SECOND, [a_record(10)])
    log.append([a_record(11)])
    log.hand_over(THIRD)
    log.append([])
    log.append([a_record(12), a_record(13)])
    return log


def look(log: ALog, verifier: Verifier = FIRST.verifier) -> Examined:
    """Examine a log as it now lies in its store."""
    return examine("main", ((name, log.objects[name]) for name in in_order("main", log.objects)), verifier)


def found(examined: Examined) -> list[tuple[Kind, int]]:
    """Return the findings in short."""
    return [(finding.kind, finding.seq) for finding in examined.findings]


@pytest.mark.parametrize("signer", [FIRST, SECOND, THIRD], ids=["first", "second", "third"])
def test_any_of_the_keys_verifies_the_whole_log_and_is_told_who_sealed_what(log: ALog, signer: Ed25519Signer) -> None:
    examined = look(log, signer.verifier)

    assert examined.findings == ()
    assert examined.verified.keys == (
        Tenure(FIRST.verifier, 0, 0),
        Tenure(SECOND.verifier, 3, 5),
        Tenure(THIRD.verifier, 5, 7),
    )


def test_a_key_that_has_sealed_nothing_verifies_nothing(log: ALog) -> None:
    (finding,) = look(log, STRANGER.verifier).findings

    assert finding.kind is Kind.OTHER_KEY
    assert str(finding) == f"log main is sealed by {THIRD.verifier}, and no part of it by {STRANGER.verifier}"


def test_a_log_of_one_key_is_not_that_of_another() -> None:
    assert found(look(a_log(1, 2), SECOND.verifier)) == [(Kind.OTHER_KEY, -1)]


def test_to_be_handed_a_log_is_not_yet_to_have_sealed_any_of_it() -> None:
    """Else whoever holds a retired key could write another history up to the record of the handing over, which is public."""
    log = a_log(1, 2)
    log.hand_over(SECOND)

    assert found(look(log)) == []
    (finding,) = look(log, SECOND.verifier).findings
    assert str(finding).startswith(f"log main hands itself over to {SECOND.verifier} at its end, but no segment")


def test_a_retired_key_cannot_go_on(log: ALog) -> None:
    seq, head = 3, log.heads[3]
    name = log.names[seq]
    log.objects[name], _ = seal(head, [a_record(11).line()], at=BEGIN, writer="tests", signer=FIRST)

    examined = look(log)

    assert found(examined) == [(Kind.ALTERED, seq), (Kind.ALTERED, seq + 1)][: len(examined.findings)]
    assert f"it is sealed by {FIRST.verifier} out of turn" in str(examined.findings[0])


def test_a_key_cannot_go_on_before_it_is_its_turn(log: ALog) -> None:
    name = log.names[1]
    log.objects[name], _ = seal(log.heads[1], [a_record(1).line()], at=BEGIN, writer="tests", signer=THIRD)

    assert found(look(log, FIRST.verifier))[0] == (Kind.ALTERED, 1)
    assert found(look(log, THIRD.verifier))[0] == (Kind.ALTERED, 0)


def test_a_handing_over_that_does_not_hold_is_found_where_it_is() -> None:
    log = a_log(1, 2)
    log.append([a_record(5), a_record(6)])
    log.append([rotation("main", at=BEGIN, old=SECOND, new=THIRD)])  # which is away from a key that did not seal it
    log.append([])

    (finding,) = look(log).findings

    assert (finding.kind, finding.seq, finding.records) == (Kind.ALTERED, 3, range(5, 6))
    assert "hands the log over to another key with record 5, which is not valid" in str(finding)


@pytest.mark.parametrize("lost", [[2, 3, 4], [2, 3, 4, 5]], ids=str)
def test_after_a_gap_that_swallowed_a_handing_over_the_trusted_key_goes_on(log: ALog, lost: list[int]) -> None:
    for name in [log.names[seq] for seq in lost]:
        del log.objects[name]

    assert found(look(log, THIRD.verifier)) == [(Kind.MISSING, 2)]


def test_a_beginning_that_was_exchanged_is_found_where_it_is() -> None:
    """The first segment names the key that an attacker has sealed it with; the others are as they were."""
    own = a_log(1, 2)
    another = ALog(signer=STRANGER)
    another.append([opened(STRANGER)])
    own.objects[own.names[0]] = another.objects[another.names[0]]

    findings = look(own).findings

    (finding,) = findings
    assert (finding.kind, finding.seq, finding.records) == (Kind.ALTERED, 0, range(1))
    assert f"is sealed by {STRANGER.verifier}, which has not handed the log over to {FIRST.verifier}" in str(finding)


def test_a_second_segment_that_a_retired_key_has_sealed_is_a_fork(log: ALog) -> None:
    other = a_log(1)
    other.append([a_record(50)])
    other.append([a_record(51)])
    log.objects[other.names[2]] = other.objects[other.names[2]]

    assert found(look(log, THIRD.verifier)) == [(Kind.FORKED, 2)]

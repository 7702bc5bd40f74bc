"""Whatever is done to a log: verifying it says that, and where, in one sentence."""

from dataclasses import replace
from datetime import timedelta

import pytest

from curfew.audit.checkpoint import open_note, sign_note
from curfew.audit.findings import Anchor, Examined, Finding, Kind, LogRefused, Silence
from curfew.audit.places import in_order
from curfew.audit.segment import ChainBroken
from curfew.audit.verify import examine, verify
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer


def look(log: ALog, *anchors: Anchor) -> Examined:
    """Examine a log as it now lies in its store."""
    names = in_order(log.log, log.objects)
    return examine(log.log, ((name, log.objects[name]) for name in names), log.verifier, anchors)


def only(examined: Examined) -> Finding:
    """Return the one finding."""
    assert len(examined.findings) == 1, [str(finding) for finding in examined.findings]
    return examined.findings[0]


def flip(stored: bytes, index: int) -> bytes:
    """Return an object with one bit flipped."""
    return stored[:index] + bytes([stored[index] ^ 1]) + stored[index + 1 :]


def test_a_log_that_was_left_alone_verifies() -> None:
    log = a_log(1, 2, 0, 3)

    verified = verify(log.log, log.objects.items(), log.verifier)

    assert (verified.segments, verified.records, verified.head) == (4, 6, log.head)
    assert (verified.first_at, verified.last_at) == (BEGIN, BEGIN + timedelta(minutes=3))
    assert (verified.voided, verified.unread) == ((), ())
    assert verified.heartbeats == 1
    assert verified.longest_silence == Silence(BEGIN, BEGIN + timedelta(minutes=1))


def test_a_log_without_segments_is_no_error_by_itself() -> None:
    """Whoever reads the store says that nothing is there; with an anchor it is known that something was."""
    assert verify("main", [], a_signer().verifier).segments == 0
    finding = only(examine("main", [], a_signer().verifier, [Anchor.of_receipt(a_log().receipt(0), "r.json")]))
    assert str(finding) == "log main was cut off at its end: r.json covers 1 records, and the log has only 0"


@pytest.mark.parametrize("seq", range(4))
def test_an_altered_segment_is_named_and_so_are_its_records(seq: int) -> None:
    log = a_log(1, 2, 0, 3)
    name = log.names[seq]
    log.objects[name] = flip(log.objects[name], 40)

    finding = only(look(log))

    assert (finding.kind, finding.seq, finding.name) == (Kind.ALTERED, seq, name)
    assert str(finding).startswith(f"segment {seq} ({name}) was altered")
    if seq < 3:
        assert finding.records is not None
        assert set(finding.records) <= set(range((0, 1, 3)[seq], (1, 3, 3)[seq]))


@pytest.mark.parametrize(("seq", "records"), [(0, "record 0"), (1, "records 1 to 2"), (2, "no record")])
def test_a_missing_segment_is_named_and_so_is_what_it_held(seq: int, records: str) -> None:
    log = a_log(1, 2, 0, 3)
    name = log.names[seq]
    del log.objects[name]

    finding = only(look(log))

    assert str(finding) == f"segment {seq} ({name}) is missing; it held {records}"
    assert (finding.kind, finding.seq, finding.name) == (Kind.MISSING, seq, name)


def test_several_missing_segments_are_one_finding() -> None:
    log = a_log(1, 2, 0, 3)
    first, second = log.names[1:3]
    del log.objects[first], log.objects[second]

    assert str(only(look(log))) == f"segments 1 ({first}) to 2 are missing; they held records 1 to 2"


def test_two_segments_in_each_other_s_place_are_both_named() -> None:
    log = a_log(1, 2, 1, 3)
    one, other = log.names[1:3]
    log.objects[one], log.objects[other] = log.objects[other], log.objects[one]

    findings = look(log).findings

    assert [(finding.kind, finding.name) for finding in findings] == [(Kind.ALTERED, one), (Kind.ALTERED, other)]
    assert "is sealed as segment 2 of log main" in str(findings[0])
    assert "is sealed as segment 1 of log main" in str(findings[1])


@pytest.mark.parametrize("length", [0, 1, 71, 72, 73, 200, -1, -72])
def test_a_truncated_segment_is_named(length: int) -> None:
    log = a_log(1, 2, 0, 3)
    name = log.names[1]
    log.objects[name] = log.objects[name][:length]

    finding = only(look(log))

    assert (finding.kind, finding.seq, finding.records) == (Kind.ALTERED, 1, range(1, 3))


def test_what_was_added_to_a_segment_is_found() -> None:
    log = a_log(1, 2, 0, 3)
    name = log.names[1]
    log.objects[name] += b"\x00"

    assert only(look(log)).seq == 1


def test_a_log_that_was_cut_off_is_found_with_an_anchor_and_only_with_one() -> None:
    log = a_log(1, 2, 0, 3)
    receipt = log.receipt(5)
    del log.objects[log.names[3]]

    assert look(log).findings == ()
    finding = only(look(log, Anchor.of_receipt(receipt, "the receipt of inc-4711")))
    assert str(finding) == (
        "log main was cut off at its end: the receipt of inc-4711 covers 6 records, and the log has only 3"
    )
    assert (finding.kind, finding.records) == (Kind.CUT_OFF, range(3, 6))


@pytest.mark.parametrize("index", range(6))
def test_every_receipt_is_an_anchor(index: int) -> None:
    log = a_log(1, 2, 0, 3)

    examined = look(log, Anchor.of_receipt(log.receipt(index), "it"))

    assert (examined.findings, examined.verified.anchors) == ((), 1)


def test_an_anchor_may_speak_of_any_size() -> None:
    """A checkpoint of a witness need not fall on the end of a segment."""
    log, by_one = a_log(1, 2, 0, 3), a_log(1, 1, 1, 1, 1, 1)
    anchors = [Anchor(head.range.size, head.range.root(), "it") for head in by_one.heads]

    assert look(log, *anchors).verified.anchors == 7


def test_a_checkpoint_is_an_anchor() -> None:
    log = a_log(1, 2, 0, 3)
    note = sign_note(log.heads[2].checkpoint, log.signer)

    assert look(log, Anchor.of_checkpoint(open_note(note, log.verifier), "it")).verified.anchors == 1


def test_a_log_that_was_written_anew_is_found_with_an_anchor() -> None:
    """Whoever holds the key can seal another history; but not one that an old receipt agrees with."""
    receipt = a_log(1, 2, 0, 3).receipt(2)
    anew = a_log(1)
    anew.append([a_record(77), a_record(78), a_record(79)])

    finding = only(look(anew, Anchor.of_receipt(receipt, "r.json")))

    assert str(finding) == "log main was rewritten: r.json covers other records among the first 3"


def test_an_anchor_into_a_hole_is_not_said_to_agree() -> None:
    log = a_log(1, 2, 0, 3)
    receipt = log.receipt(2)
    del log.objects[log.names[1]]
    del log.objects[log.names[1]]

    examined = look(log, Anchor.of_receipt(receipt, "r.json"))

    assert examined.verified.anchors == 0
    assert [finding.kind for finding in examined.findings] == [Kind.MISSING, Kind.UNCOMPARED]


def test_an_object_that_is_no_segment_is_named() -> None:
    log = a_log()
    log.objects["v1/log=main/dt=2026-11-24/notes.txt"] = b"hello"

    assert str(only(look(log))) == (
        "object v1/log=main/dt=2026-11-24/notes.txt does not belong to log main: no segment has a name like that"
    )


def test_an_object_that_claims_a_segment_s_place_is_named() -> None:
    log = a_log()
    squatter = f"v1/log=main/dt=2026-11-23/000000000002-{'0' * 16}.jsonl.zst"
    log.objects[squatter] = b"rubbish"

    finding = only(look(log))

    assert (finding.kind, finding.seq, finding.name) == (Kind.FOREIGN, 2, squatter)


def test_a_fork_is_named_as_what_it_is() -> None:
    """Two segments for one place, both signed: the key was used for two histories."""
    log, other = a_log(1, 2, 0, 3), ALog(signer=a_signer())
    other.append([a_record(50)])
    other.append([a_record(51)])
    log.objects[other.names[1]] = other.objects[other.names[1]]

    finding = only(look(log))

    assert (finding.kind, finding.seq, finding.name) == (Kind.FORKED, 1, other.names[1])


def test_a_fork_in_the_first_place_has_no_second_name() -> None:
    log, other = a_log(), ALog(signer=a_signer())
    other.append([a_record(50)])

    assert other.names[0] == log.names[0]


def test_a_segment_in_another_day_is_named() -> None:
    log = a_log(1, 2, 0, 3)
    name = log.names[1]
    elsewhere = name.replace("dt=2026-11-23", "dt=2026-11-30")
    assert elsewhere != name
    log.objects[elsewhere] = log.objects.pop(name)

    finding = only(look(log))

    assert (finding.kind, finding.seq) == (Kind.MISPLACED, 1)
    assert str(finding) == f"segment 1 ({elsewhere}) is not where it belongs: its name has to be {name}"


def test_a_segment_of_another_log_is_refused() -> None:
    log, other = a_log(), ALog("other", a_signer("other"))
    other.append([a_record()])
    log.objects[log.names[0]] = other.objects[other.names[0]]

    assert only(look(log)).seq == 0


def test_rubbish_that_lies_in_the_way_is_void_by_the_log_s_own_word() -> None:
    log = a_log(1, 2)
    squatted = log.head.next_name()
    log.objects[squatted] = b"rubbish"
    log.heads.append(log.head.voided(b"rubbish"))
    log.append([a_record(9)])

    verified = verify(log.log, log.objects.items(), log.verifier)

    assert (verified.voided, verified.records, verified.segments) == ((squatted,), 4, 3)


def test_a_segment_cannot_be_made_void_by_writing_rubbish_over_it() -> None:
    log = a_log(1, 2, 0, 3)
    log.objects[log.names[1]] = b"rubbish"

    assert only(look(log)).seq == 1


def test_rubbish_at_the_end_is_not_passed_over() -> None:
    log = a_log(1, 2)
    log.objects[log.head.next_name()] = b"rubbish"

    assert "no good segment follows it, and the log is good up to its first 3 records" in str(only(look(log)))


def test_a_record_that_is_there_twice_is_found() -> None:
    """Each transition is in the log exactly once; nobody else than the writer can break that, and it is said all the same."""
    log = a_log(1)
    log.append([a_record(5)])
    log.append([a_record(6), a_record(5)])

    finding = only(look(log))
    assert (finding.kind, finding.seq, finding.records) == (Kind.REPEATED, 2, range(3, 4))
    assert str(finding).endswith("holds record 3, which repeats record 1: each thing is recorded only once")


def test_lines_of_a_later_version_are_counted_and_verified_all_the_same() -> None:
    log = a_log(1)
    log.append_lines([b'{"unmapped":{"curfew":{"schema":"curfew.audit/v9"}}}', b"[]"])

    verified = verify(log.log, log.objects.items(), log.verifier)

    assert (verified.unread, verified.records) == ((1, 2), 3)


def test_the_first_finding_is_what_verify_raises() -> None:
    log = a_log(1, 2, 0, 3)
    del log.objects[log.names[1]]
    log.objects["v1/log=main/x"] = b""

    with pytest.raises(LogRefused) as refused:
        verify(log.log, [(name, log.objects[name]) for name in in_order(log.log, log.objects)], log.verifier)

    assert isinstance(refused.value, ChainBroken)
    assert (refused.value.seq, refused.value.records) == (1, range(1, 3))
    assert str(refused.value) == str(refused.value.examined.findings[0])
    assert len(refused.value.examined.findings) == 2


def test_names_are_ordered_by_place_and_strangers_come_last() -> None:
    log = a_log()
    strangers = ["v1/log=main/a", "v1/log=other/" + log.names[0].removeprefix("v1/log=main/")]

    assert in_order("main", [*strangers, *reversed(log.names)]) == [*log.names, *strangers]


def test_a_receipt_that_was_altered_does_not_agree() -> None:
    log = a_log()
    altered = replace(log.receipt(2), root="0" * 64)

    assert only(look(log, Anchor.of_receipt(altered, "it"))).kind is Kind.REWRITTEN

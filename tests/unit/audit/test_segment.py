"""A segment follows from the one before it in every respect, or is refused with the respect in which it does not."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import zstandard

from curfew.audit import segment as segments
from curfew.audit.canonical import canonical
from curfew.audit.checkpoint import Checkpoint, sign_note
from curfew.audit.merkle import CompactRange, leaf_hash
from curfew.audit.segment import ChainBroken, Head, announced_key, follow, origin, resume, seal, sequence, unpack
from tests.support.logs import BEGIN, ALog, a_log, a_record, a_signer

TRAILER = 72


def refused(log: ALog, head: Head, name: str, stored: bytes) -> str:
    """Return why an object does not follow."""
    with pytest.raises(ChainBroken) as broken:
        follow(head, name, stored, log.verifier)
    assert (broken.value.seq, broken.value.name) == (head.seq + 1, name)
    return broken.value.why


def resealed(log: ALog, content: bytes) -> bytes:
    """Return an object of any content, signed with the log's own key: what only a defect of ours could make."""
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(content)
    return signed(log, frame)


def signed(log: ALog, frame: bytes) -> bytes:
    """Return a frame with a good signature."""
    message = b"curfew segment v1\n" + hashlib.sha256(frame).digest()
    return frame + bytes.fromhex("502a4d1840000000") + log.signer.sign(message)


def with_seal(log: ALog, stored: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Return an object whose seal says something else, and is signed."""
    *lines, seal_line = unpack(stored[:-TRAILER]).rstrip(b"\n").split(b"\n")
    sealed = json.loads(seal_line)
    change(sealed["seal"])
    return resealed(log, b"".join(line + b"\n" for line in (*lines, canonical(sealed))))


def test_a_segment_is_read_back() -> None:
    log = ALog()
    records = [a_record(1), a_record(2)]
    name = log.append(records)

    segment, head = follow(log.heads[0], name, log.objects[name], log.verifier)

    assert segment.lines == tuple(record.line() for record in records)
    assert [*segment.bodies] == [record.body for record in records]
    assert (segment.seq, segment.name, segment.first, segment.at, segment.writer) == (0, name, 0, BEGIN, "tests")
    assert head == log.head


def test_what_is_stored_can_be_read_by_any_zstd() -> None:
    """The trailer is a frame that readers skip, so that tools see lines of JSON and nothing else."""
    log = a_log(2)
    stored = log.objects[log.names[0]]

    content = zstandard.ZstdDecompressor().stream_reader(stored, read_across_frames=True).read()

    assert [set(json.loads(line)) >= {"message"} for line in content.splitlines()] == [True, True, False]
    assert zstandard.get_frame_parameters(stored).has_checksum


def test_the_seal_is_as_the_specification_says() -> None:
    log = a_log(1, 2)
    stored = log.objects[log.names[1]]
    *_, seal_line = unpack(stored[:-TRAILER]).splitlines()
    tree = CompactRange().extended(
        leaf_hash(line) for stored in log.objects.values() for line in unpack(stored[:-TRAILER]).splitlines()[:-1]
    )

    assert json.loads(seal_line) == {
        "seal": {
            "schema": "curfew.segment/v1",
            "log": "main",
            "seq": 1,
            "previous": hashlib.sha256(log.objects[log.names[0]]).hexdigest(),
            "first": 1,
            "count": 2,
            "at": "2026-11-23T23:59:30.000000Z",
            "writer": "tests",
            "next_dt": "2026-11-23",
            "range": {"size": 3, "hashes": [hash_.hex() for hash_ in tree.hashes]},
            "checkpoint": sign_note(Checkpoint("curfew.dev/log/main", 3, tree.root()), log.signer),
        }
    }


def test_names_are_a_function_of_what_came_before() -> None:
    log = a_log(1, 1, 1, 1)

    hashes = [hashlib.sha256(before).hexdigest()[:16] for before in (b"main", *log.objects.values())]
    days = ["1970-01-01", "2026-11-23", "2026-11-23", "2026-11-24"]
    assert log.names == [
        f"v1/log=main/dt={day}/{seq:012d}-{hash_}.jsonl.zst"
        for seq, (day, hash_) in enumerate(zip(days, hashes[:4], strict=True))
    ]


def test_the_first_name_depends_on_nothing_but_the_log_s_id() -> None:
    assert Head.genesis("main").next_name() == "v1/log=main/dt=1970-01-01/000000000000-0d6e4079e36703eb.jsonl.zst"
    assert Head.genesis("activity").next_name() != Head.genesis("main").next_name()


def test_the_time_of_a_log_never_goes_back() -> None:
    log = ALog()
    log.append(at=BEGIN)
    name = log.append(at=BEGIN - timedelta(hours=3))

    segment, _ = follow(log.heads[1], name, log.objects[name], log.verifier)

    assert segment.at == BEGIN


def test_sealing_the_same_gives_the_same_bytes() -> None:
    """A retry writes the same object again, which is how it is known that the first try had arrived."""
    head, line = Head.genesis("main"), a_record().line()

    one, again = (seal(head, [line], at=BEGIN, writer="w", signer=a_signer()) for _ in range(2))

    assert one == again


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda head: replace(head, seq=7), "has a name that does not follow", id="another number"),
        pytest.param(
            lambda head: replace(head, object_hash=bytes(32)), "has a name that does not", id="another object"
        ),
        pytest.param(
            lambda head: replace(head, next_day=date(2026, 11, 30)), "has a name that does not", id="another day"
        ),
        pytest.param(
            lambda head: replace(head, range=CompactRange()),
            "begins at record 3; the log holds 0 before",
            id="fewer records",
        ),
        pytest.param(
            lambda head: replace(head, range=CompactRange().extended([bytes(32)] * 3)),
            "commits to other records than the log holds",
            id="other records",
        ),
        pytest.param(lambda head: replace(head, at=BEGIN + timedelta(days=1)), "is older", id="a later time"),
    ],
)
def test_a_segment_follows_in_every_respect_or_not_at_all(change: Callable[[Head], Head], why: str) -> None:
    log = a_log(1, 2, 1)

    assert why in refused(log, change(log.heads[2]), log.names[2], log.objects[log.names[2]])


def test_a_segment_commits_to_the_whole_hash_and_not_only_to_the_part_in_its_name() -> None:
    """Sixteen digits of a hash can be met by trying; all of them cannot."""
    log = a_log(1, 2)
    lookalike = replace(log.heads[1], object_hash=log.heads[1].object_hash[:8] + bytes(24))

    assert "does not commit to the segment before it" in refused(
        log, lookalike, log.names[1], log.objects[log.names[1]]
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda seal: seal.update(schema="curfew.segment/v2"), "curfew.segment/v2", id="a later version"),
        pytest.param(lambda seal: seal.update(log="other"), "of log other", id="another log"),
        pytest.param(lambda seal: seal.update(seq=2), "sealed as segment 2", id="another number"),
        pytest.param(lambda seal: seal.update(seq=True), "does not end with a seal", id="a number that is true"),
        pytest.param(lambda seal: seal.update(count=3), "holds 2 records and is sealed with 3", id="another count"),
        pytest.param(lambda seal: seal.update(first=0), "checkpoint of another tree", id="another beginning"),
        pytest.param(lambda seal: seal.update(writer=7), "does not end with a seal", id="a writer without a name"),
        pytest.param(lambda seal: seal.pop("writer"), "does not end with a seal", id="no writer"),
        pytest.param(lambda seal: seal.update(more=1), "does not end with a seal", id="more than there should be"),
        pytest.param(lambda seal: seal.update(next_dt="2026-11-30"), "a day that does not fit", id="another day"),
        pytest.param(lambda seal: seal.update(next_dt="soon"), "is not valid", id="a day that is none"),
        pytest.param(lambda seal: seal.update(at="soon"), "is not valid", id="a time that is none"),
        pytest.param(lambda seal: seal.update(at="2026-11-23T23:59:30"), "does not fit", id="a time without a zone"),
        pytest.param(
            lambda seal: seal.update(at="2026-11-23T23:59:30Z"), "only valid form", id="a time in another form"
        ),
        pytest.param(lambda seal: seal["range"].update(size=4), "is not valid", id="a range that is none"),
        pytest.param(lambda seal: seal["range"].pop("hashes"), "is not valid", id="half a range"),
        pytest.param(lambda seal: seal["range"].update(more=1), "only valid form", id="more than a range"),
        pytest.param(
            lambda seal: seal["range"].update(hashes=[h.upper() for h in seal["range"]["hashes"]]),
            "only valid form",
            id="a range in another form",
        ),
        pytest.param(lambda seal: seal["range"].update(hashes=["00" * 32] * 2), "another tree", id="another tree"),
        pytest.param(lambda seal: seal.update(checkpoint="hello"), "is not valid", id="a note that is none"),
        pytest.param(
            lambda seal: seal.update(checkpoint=sign_note(Checkpoint(origin("main"), 3, bytes(32)), a_signer())),
            "another tree",
            id="a note about another tree",
        ),
        pytest.param(
            lambda seal: seal.update(checkpoint=sign_note(a_log(1, 2).head.checkpoint, a_signer(seed=2))),
            "not signed by key",
            id="a note that another signed",
        ),
    ],
)
def test_a_seal_that_does_not_fit_is_refused_however_well_it_is_signed(
    change: Callable[[dict[str, Any]], Any], why: str
) -> None:
    log = a_log(1, 2)
    name = log.names[1]

    assert why in refused(log, log.heads[1], name, with_seal(log, log.objects[name], change))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "whole line", id="nothing"),
        pytest.param(b"\n", "is not JSON", id="an empty line"),
        pytest.param(b'{"a":1}', "whole line", id="half a line"),
        pytest.param(b'{"a":1}\n', "does not end with a seal", id="a record for a seal"),
        pytest.param(b'{"seal":1}\n', "does not end with a seal", id="a seal that is a number"),
        pytest.param(b'{"seal": {}}\n', "not in canonical form", id="a seal in another form"),
        pytest.param(b"[]\n", "does not end with a seal", id="a list"),
        pytest.param(b"\xff\n", "is not JSON", id="bytes"),
    ],
)
def test_content_without_a_seal_is_refused(content: bytes, why: str) -> None:
    log = a_log(1)

    assert why in refused(log, log.head, log.head.next_name(), resealed(log, content))


@pytest.mark.parametrize("line", [b'{"a": 1}', b'{"a":1.5}', b"\xff", b"", b"{}\r"])
def test_a_line_that_is_not_canonical_is_named(line: bytes) -> None:
    log = a_log(2)
    name = log.append_lines([a_record().line(), line])

    with pytest.raises(ChainBroken) as broken:
        follow(log.heads[1], name, log.objects[name], log.verifier)

    assert broken.value.records == range(3, 4)
    assert "holds record 3, which" in str(broken.value)


def test_a_line_end_within_a_line_makes_no_two_records_of_one() -> None:
    log = a_log(1)
    name = log.append_lines([b'{"a":1}\n{"b":2}'])

    assert "holds 2 records and is sealed with 1" in refused(log, log.heads[1], name, log.objects[name])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda stored: stored + b"\0", "does not end with a signature", id="something after it"),
        pytest.param(lambda stored: stored[1:], "was altered", id="without its first byte"),
        pytest.param(lambda stored: stored[:-1], "does not end with a signature", id="without its last byte"),
        pytest.param(lambda stored: stored[-TRAILER:], "was altered", id="only the trailer"),
        pytest.param(lambda stored: stored + stored[-TRAILER:], "was altered", id="a second trailer"),
        pytest.param(lambda stored: b"", "does not end with a signature", id="nothing"),
    ],
)
def test_an_object_ends_with_the_signature_of_all_that_is_before_it(change: Callable[[bytes], bytes], why: str) -> None:
    log = a_log(1)

    assert why in refused(log, log.heads[0], log.names[0], change(log.objects[log.names[0]]))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        pytest.param(b"", "cannot be unpacked", id="nothing"),
        pytest.param(b"hello", "cannot be unpacked", id="no zstd"),
        pytest.param(zstandard.ZstdCompressor().compress(b"a\n") * 2, "cannot be unpacked", id="two frames"),
        pytest.param(
            zstandard.ZstdCompressor(write_content_size=False).compress(b"a\n"), "at most", id="a size that is not said"
        ),
    ],
)
def test_a_frame_that_is_not_one_is_refused_however_well_it_is_signed(frame: bytes, why: str) -> None:
    log = a_log(1)

    assert why in refused(log, log.head, log.head.next_name(), signed(log, frame))


def test_what_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    log = a_log(3)
    monkeypatch.setattr(segments, "MAX_BYTES", 100)

    assert "at most 100 are accepted" in refused(log, log.heads[0], log.names[0], log.objects[log.names[0]])


def test_a_frame_that_unpacks_to_more_than_it_says_is_not_unpacked_either() -> None:
    """A few hundred bytes can hold gigabytes; this one says that it holds 100 bytes and holds 13 megabytes."""
    block = ((131071 << 3) | 0b010).to_bytes(3, "little") + b"a"  # RFC 8878: a run of one byte, not the last block
    last = ((1 << 3) | 0b011).to_bytes(3, "little") + b"a"
    frame = bytes.fromhex("28b52ffd") + bytes([0x20, 100]) + block * 100 + last

    with pytest.raises(ValueError, match="not one zstd frame"):
        unpack(frame)


def test_a_log_can_be_resumed_from_any_segment() -> None:
    log = a_log(1, 2, 0, 3)
    for name, head in zip(log.names, log.heads[1:], strict=True):
        segment, after = resume(name, log.objects[name], log.verifier, "main")

        assert after == head
        assert segment.name == name


def test_a_segment_under_another_s_name_is_not_resumed_from() -> None:
    log = a_log(1, 2, 1)
    stored = log.objects[log.names[1]]
    for name in (log.names[2], log.names[1].replace("-", "-0", 4)[: len(log.names[1])], "hello", ""):
        with pytest.raises(ChainBroken):
            resume(name, stored, log.verifier, "main")


@pytest.mark.parametrize(
    ("name", "seq"),
    [
        ("v1/log=main/dt=2026-11-23/000000000017-0123456789abcdef.jsonl.zst", 17),
        ("000000000017-0123456789abcdef.jsonl.zst", 17),
        ("00000000017-0123456789abcdef.jsonl.zst", -1),
        ("000000000017-0123456789abcdef.jsonl", -1),
        ("\u0660" * 12 + "-0123456789abcdef.jsonl.zst", -1),
        ("notes.txt", -1),
        ("", -1),
    ],
)
def test_a_number_is_read_from_a_name(name: str, seq: int) -> None:
    assert sequence(name) == seq


def test_a_log_names_its_key() -> None:
    log = a_log(1, 1)

    assert announced_key(log.objects[log.names[0]]) == log.signer.verifier_key
    assert announced_key(log.objects[log.names[1]]) is None
    assert announced_key(b"") is None
    assert announced_key(resealed(log, b"[]\n")) is None
    assert announced_key(resealed(log, b'{"unmapped":{"curfew":{"detail":{"verifier_key":7}}}}\n')) is None


def test_a_whole_day_without_a_record_is_a_day_with_signs_of_life() -> None:
    log = ALog()
    start = datetime(2026, 11, 24, tzinfo=UTC)
    for minute in range(0, 1440, 60):
        log.append(at=start + timedelta(minutes=minute))

    assert log.head.range.size == 0
    assert [name.split("/")[2] for name in log.names] == ["dt=1970-01-01"] + ["dt=2026-11-24"] * 23


@pytest.mark.parametrize("lines", [segments.MAX_RECORDS + 1, 1_000_000])
def test_more_lines_than_a_segment_has_are_not_looked_at(lines: int) -> None:
    """A few hundred bytes can hold millions of lines: signed, they took the verifier gigabytes and minutes."""
    log = a_log(1)
    frame = zstandard.ZstdCompressor().compress(b"0\n" * lines + b"{}\n")

    assert f"holds {lines:,} records; a segment has at most 1,000" in refused(
        log, log.head, log.head.next_name(), signed(log, frame)
    )


def test_as_many_records_as_a_segment_may_hold_are_read_back() -> None:
    log = a_log(1)
    lines = [b'{"n":%d}' % number for number in range(segments.MAX_RECORDS)]
    body, after = seal(log.head, lines, at=BEGIN + timedelta(days=1), writer="w", signer=log.signer)

    assert follow(log.head, log.head.next_name(), body, log.verifier)[1] == after


def test_what_could_not_be_read_back_is_not_sealed() -> None:
    log = a_log(1)
    for lines in ([b"{}"] * (segments.MAX_RECORDS + 1), [b'{"a":"' + b"x" * segments.MAX_BYTES + b'"}']):
        with pytest.raises(ValueError, match="are too many for one segment"):
            seal(log.head, lines, at=BEGIN, writer="w", signer=log.signer)


def test_an_object_larger_than_any_segment_is_not_looked_at() -> None:
    log = a_log(1)
    stored = bytes(segments.MAX_STORED + 1)

    assert "is larger than any segment: a segment has at most 4,259,840 bytes" in refused(
        log, log.head, log.head.next_name(), stored
    )


def test_what_cannot_be_packed_is_no_larger_stored_than_a_segment_may_be() -> None:
    lines = os.urandom(segments.MAX_BYTES)

    assert len(zstandard.ZstdCompressor(level=3).compress(lines)) + segments.TRAILER_BYTES <= segments.MAX_STORED

"""What is known about a segment that does not verify: which of its records are at fault, and which are not.

Nothing here proves anything; it only points to the fault. The proof of a fault is the signature that does not match.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curfew.audit.canonical import NotCanonical, parse_canonical
from curfew.audit.checkpoint import NoteRefused, Verifier, open_note
from curfew.audit.merkle import leaf_hash
from curfew.audit.segment import MAX_RECORDS, TRAILER_BYTES, Head, parse_seal, unpack


@dataclass(frozen=True, slots=True)
class Damage:
    """Where the fault is, in words that complete "it was altered; ...", and the records at fault.

    `records` is None if it is not known which records they are, and empty if all records are as they were signed.
    """

    words: str
    records: range | None


def locate(head: Head, stored: bytes, verifier: Verifier) -> Damage:
    """Return what is known about the damage of the object that should be the segment after `head`."""
    lines = _lines(stored[:-TRAILER_BYTES])
    if lines is None:
        return Damage("nothing in it can be read any more", None)
    *records, seal_line = lines
    try:
        checkpoint = open_note(parse_seal(seal_line)["checkpoint"], verifier)
    except (NoteRefused, ValueError):
        # Without a seal the number of lines is unknown, so no line has an index.
        return Damage("its seal cannot be read any more", None)
    signed = range(head.range.size, checkpoint.size)
    if len(records) != len(signed):
        return Damage(f"it holds {len(records)} records, and {len(signed)} were signed: {in_words(signed)}", signed)
    damaged = [index for index, line in zip(signed, records, strict=True) if not _is_canonical(line)]
    if damaged:
        at_fault = range(damaged[0], damaged[-1] + 1)
        return Damage(f"the fault is in {in_words(at_fault)}", at_fault)
    if head.range.extended(map(leaf_hash, records)).root() == checkpoint.root:
        return Damage("its records are those that were signed; the fault is outside its records", range(0))
    return Damage(f"the fault is in {in_words(signed)}", signed)


def in_words(records: range) -> str:
    """Return indexes of records as people write them."""
    if not records:
        return "no record"
    return f"record {records[0]}" if len(records) == 1 else f"records {records[0]} to {records[-1]}"


def _lines(frame: bytes) -> Sequence[bytes] | None:
    try:
        content = unpack(frame)
    except ValueError:
        try:
            content = unpack(_without_checksum(frame))
        except ValueError:
            return None
    if not content or content.count(b"\n") > MAX_RECORDS + 1:
        return None
    return content.removesuffix(b"\n").split(b"\n")


def _without_checksum(frame: bytes) -> bytes:
    """Return a frame without its content checksum, so that altered content can be read."""
    has_checksum = 0b100  # the content checksum flag of the frame header's descriptor, RFC 8878, section 3.1.1.1.1
    if len(frame) < 9 or not frame[4] & has_checksum:
        raise ValueError("it has no checksum to leave out")
    return frame[:4] + bytes([frame[4] & ~has_checksum]) + frame[5:-4]


def _is_canonical(line: bytes) -> bool:
    try:
        parse_canonical(line)
    except NotCanonical:
        return False
    return True

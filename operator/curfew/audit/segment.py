"""A segment: one stored object that holds records, the seal that commits to them, and a signature over every stored byte.

    object  = frame trailer
    frame   = zstd( record-line* seal-line )        each line canonical JSON and a newline; content checksum on
    trailer = zstd skippable frame, 72 bytes: the Ed25519 signature of "curfew segment v1" newline SHA-256(frame)

The seal names the object before it by hash, so that segments form a chain; the name of each is a pure function of the one
before it, so that there is exactly one name for each place. The trailer is there because a few bits of a zstd frame can be
changed without changing what it holds: with it, no stored byte is without a signature. zstd readers skip it.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import orjson
import zstandard

from curfew.audit.canonical import NotCanonical, canonical, parse_all, parse_canonical
from curfew.audit.checkpoint import Checkpoint, NoteRefused, Signer, Verifier, open_note, sign_note
from curfew.audit.merkle import CompactRange, leaf_hash, subtrees

SCHEMA = "curfew.segment/v1"
SUFFIX = ".jsonl.zst"
GENESIS_DAY = date(1970, 1, 1)
"""The partition of the first segment: a constant, so that two writers cannot begin one log twice."""

MAX_RECORDS = 1000
"""Most records in a segment. One that holds more is refused before its lines are looked at."""

MAX_BYTES = 4 * 1024 * 1024
"""Largest size of a segment's lines: an object that unpacks to more is refused, not unpacked."""

MAX_STORED = MAX_BYTES + 64 * 1024
"""Largest stored size of a segment in bytes. Of a larger object only this many bytes and one more are read."""

_TRAILER_HEAD = struct.pack("<II", 0x184D2A50, 64)  # zstd skippable frame (RFC 8878, section 3.1.2), 64 bytes long
TRAILER_BYTES = len(_TRAILER_HEAD) + 64
"""Length of the trailer."""

_SIGNED_PREFIX = b"curfew segment v1\n"


class ChainBroken(Exception):
    """A segment that does not follow. The message has its number, its object's name, and the reason.

    `records` are the indexes in the log of the records at fault, as far as they are known; empty if they are not.
    """

    def __init__(self, seq: int, name: str, why: str, records: range = range(0)) -> None:
        super().__init__(f"segment {seq} ({name}) {why}")
        self.seq = seq
        self.name = name
        self.why = why
        self.records = records


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that was opened and found good."""

    seq: int
    name: str
    lines: tuple[bytes, ...]  # the records, without newlines
    leaves: tuple[bytes, ...]  # the hash of each record, as leaf of the tree
    first: int  # index in the log of the first record
    at: datetime
    writer: str

    @property
    def bodies(self) -> Iterator[Any]:
        """The lines, parsed, one by one: a parsed record takes twenty times the memory of its line."""
        return map(orjson.loads, self.lines)


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a log after one of its segments: all that is needed to follow or to append the next."""

    log: str
    seq: int  # -1 before the first
    object_hash: bytes  # SHA-256 of the whole stored object; before the first segment, of the log's id
    next_day: date
    range: CompactRange
    at: datetime | None = None  # when the segment was sealed

    @classmethod
    def genesis(cls, log: str) -> "Head":
        """Return the state before the first segment."""
        return cls(log, -1, hashlib.sha256(log.encode()).digest(), GENESIS_DAY, CompactRange())

    def next_name(self) -> str:
        """Return the one name that the next segment can have."""
        return f"{partition(self.log, self.next_day)}{self.seq + 1:012d}-{self.object_hash.hex()[:16]}{SUFFIX}"

    def voided(self, stored: bytes) -> "Head":
        """Return the state after an object that has the next segment's name but is not one of our segments.

        The name of the next segment is a function of that object's bytes, and the next seal commits to it. So the
        holder of the key declares the place void, and nobody else can. If the object is larger than `MAX_STORED`,
        `stored` is the part that is read.
        """
        return replace(self, seq=self.seq + 1, object_hash=hashlib.sha256(stored).digest())

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of the log, in the form that is signed."""
        return Checkpoint(origin(self.log), self.range.size, self.range.root())


@dataclass(frozen=True, slots=True)
class Link:
    """A good segment's own statement of its place in the chain."""

    name: str
    previous: str  # SHA-256 of the object before it, in hex
    first: int  # how many records are before it
    count: int
    subtrees: tuple[tuple[int, bytes], ...]  # the segment's own part of the tree; see `merkle.subtrees`
    after: Head
    note: str  # the signed checkpoint in its seal

    def check(self, head: Head) -> None:
        """Raise `ChainBroken` unless the segment is the one that follows `head`."""
        _check_place(head, self.name)
        seq = head.seq + 1
        if self.previous != head.object_hash.hex():
            raise ChainBroken(seq, self.name, "does not commit to the segment before it")
        if self.first != head.range.size:
            why = f"begins at record {self.first}; the log holds {head.range.size} before it"
            raise ChainBroken(seq, self.name, why)
        if head.range.joined(self.subtrees) != self.after.range:
            why = "commits to other records than the log holds up to its end"
            raise ChainBroken(seq, self.name, why, range(self.first, self.first + self.count))
        if head.at is not None and self.after.at is not None and self.after.at < head.at:
            why = f"is older ({format_time(self.after.at)}) than the segment before it"
            raise ChainBroken(seq, self.name, why)

    def check_name(self) -> None:
        """Raise `ChainBroken` unless the segment's name commits to the segment's statement about the one before it."""
        seq = self.after.seq
        if not self.name.endswith(f"/{seq:012d}-{self.previous[:16]}{SUFFIX}"):
            raise ChainBroken(
                seq, self.name, "has a name that does not match what it states about the segment before it"
            )


def origin(log: str) -> str:
    """Return a log's origin, which is also the name of its key."""
    return f"curfew.dev/log/{log}"


def prefix(log: str) -> str:
    """Return the prefix of the names of all of a log's objects."""
    return f"v1/log={log}/"


def partition(log: str, day: date) -> str:
    """Return the prefix of the names of a log's objects of a day."""
    return f"{prefix(log)}dt={day.isoformat()}/"


def seal(head: Head, lines: Sequence[bytes], *, at: datetime, writer: str, signer: Signer) -> tuple[bytes, Head]:
    """Return the next segment's stored bytes, and the state after it.

    `lines` are canonical, without newlines; raise `ValueError` if there are more than can be read back. `at` is when it
    is sealed, aware; if a clock was set back to before the previous segment's time, that time is used, because the time
    of a log never goes back.
    """
    at = max(at, head.at or at).astimezone(UTC)
    tree = head.range.extended(leaf_hash(line) for line in lines)
    note = sign_note(Checkpoint(origin(head.log), tree.size, tree.root()), signer)
    sealed = {
        "seal": {
            "schema": SCHEMA,
            "log": head.log,
            "seq": head.seq + 1,
            "previous": head.object_hash.hex(),
            "first": head.range.size,
            "count": len(lines),
            "at": format_time(at),
            "writer": writer,
            "next_dt": at.date().isoformat(),
            "range": _sealed_range(tree),
            "checkpoint": note,
        }
    }
    content = b"".join(line + b"\n" for line in (*lines, canonical(sealed)))
    if len(lines) > MAX_RECORDS or len(content) > MAX_BYTES:
        raise ValueError(f"{len(lines):,} records of {len(content):,} bytes are too many for one segment")
    frame = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True).compress(content)
    stored = frame + _TRAILER_HEAD + signer.sign(_signed(frame))
    return stored, Head(head.log, head.seq + 1, hashlib.sha256(stored).digest(), at.date(), tree, at)


def follow(head: Head, name: str, stored: bytes, verifier: Verifier) -> tuple[Segment, Head]:
    """Return the segment that follows `head`, and the state after it, or raise `ChainBroken`."""
    _check_place(head, name)
    segment, link = open_segment(name, stored, verifier, head.log)
    link.check(head)
    return segment, link.after


def resume(name: str, stored: bytes, verifier: Verifier, log: str) -> tuple[Segment, Head]:
    """Open one segment and trust only its signature, to go on from it, or raise `ChainBroken`."""
    segment, link = open_segment(name, stored, verifier, log)
    link.check_name()
    return segment, link.after


def _check_place(head: Head, name: str) -> None:
    if name != (expected := head.next_name()):
        why = f"has a name that does not follow from the segment before it: it has to be {expected}"
        raise ChainBroken(head.seq + 1, name, why)


def sequence(name: str) -> int:
    """Return the number in a segment's name, or -1 if it has none."""
    file = name.rsplit("/", 1)[-1]
    digits = file.split("-", 1)[0]
    return int(digits) if file.endswith(SUFFIX) and len(digits) == 12 and digits.isascii() and digits.isdigit() else -1


def announced_key(stored: bytes) -> str | None:
    """Return the verifier key that the first segment of a log names for itself, or None. It alone proves nothing."""
    try:
        first = parse_canonical(unpack(stored[:-TRAILER_BYTES]).split(b"\n", 1)[0])
        key = first["unmapped"]["curfew"]["detail"]["verifier_key"]
    except (ValueError, KeyError, TypeError):
        return None
    return key if isinstance(key, str) else None


def open_segment(
    name: str, stored: bytes, verifier: Verifier, log: str, visit: Callable[[int, Any], None] | None = None
) -> tuple[Segment, Link]:
    """Return a segment that is good by itself, and its own statement of its place in the chain, or raise `ChainBroken`.

    Everything that can be checked without the segment before it is checked here; `Link.check` does the rest. `visit` is
    called with the index in the log and the body of each record, before it is known whether the segment is good.
    """
    seq = sequence(name)

    def broken(why: str, records: range = range(0)) -> ChainBroken:
        return ChainBroken(seq, name, why, records)

    if len(stored) > MAX_STORED:
        raise broken(f"is larger than any segment: a segment has at most {MAX_STORED:,} bytes")
    frame, trailer = stored[:-TRAILER_BYTES], stored[-TRAILER_BYTES:]
    if len(trailer) != TRAILER_BYTES or not trailer.startswith(_TRAILER_HEAD):
        raise broken("does not end with a signature: it was cut off or altered at its end")
    try:
        verifier.check(trailer[len(_TRAILER_HEAD) :], _signed(frame))
    except NoteRefused as error:
        raise broken(f"was altered, or sealed by somebody else: {error}") from error
    try:
        content = unpack(frame)
    except ValueError as error:
        raise broken(f"cannot be unpacked: {error}") from error
    if not content.endswith(b"\n"):
        raise broken("does not end with a whole line")
    if (held := content.count(b"\n") - 1) > MAX_RECORDS:
        raise broken(f"holds {held:,} records; a segment has at most {MAX_RECORDS:,}")
    *lines, seal_line = content[:-1].split(b"\n")
    try:
        sealed = parse_seal(seal_line)
    except ValueError as error:
        raise broken(str(error)) from error
    if (sealed["schema"], sealed["log"], sealed["seq"]) != (SCHEMA, log, seq):
        raise broken(f"is sealed as segment {sealed['seq']} of log {sealed['log']} ({sealed['schema']})")
    if sealed["count"] != len(lines):
        raise broken(f"holds {len(lines)} records and is sealed with {sealed['count']}")
    index = sealed["first"]
    try:
        for body in parse_all(lines):
            if visit is not None:
                visit(index, body)
            index += 1
    except NotCanonical as error:
        raise broken(f"holds record {index}, which {error}", range(index, index + 1)) from error
    try:
        checkpoint = open_note(sealed["checkpoint"], verifier)
        tree = CompactRange(sealed["range"]["size"], tuple(bytes.fromhex(h) for h in sealed["range"]["hashes"]))
        at, next_day = datetime.fromisoformat(sealed["at"]), date.fromisoformat(sealed["next_dt"])
    except (NoteRefused, ValueError, KeyError, TypeError) as error:
        raise broken(f"is sealed with a checkpoint that is not valid: {error}") from error
    if checkpoint != Checkpoint(origin(log), tree.size, tree.root()) or tree.size != sealed["first"] + len(lines):
        raise broken("is sealed with a checkpoint of another tree")
    if not sealed["at"].endswith("Z") or at.date() != next_day:
        raise broken("is sealed with a day that does not fit its time")
    if _sealed_range(tree) != sealed["range"] or format_time(at) != sealed["at"]:
        raise broken("is sealed with a range or a time that is not in its only valid form")
    first = sealed["first"]
    segment = Segment(seq, name, tuple(lines), tuple(map(leaf_hash, lines)), first, at, sealed["writer"])
    after = Head(log, seq, hashlib.sha256(stored).digest(), next_day, tree, at)
    parts = tuple(subtrees(first, segment.leaves))
    return segment, Link(name, sealed["previous"], first, len(lines), parts, after, sealed["checkpoint"])


_SEAL_FIELDS = {
    "schema": str,
    "log": str,
    "seq": int,
    "previous": str,
    "first": int,
    "count": int,
    "at": str,
    "writer": str,
    "next_dt": str,
    "range": dict,
    "checkpoint": str,
}


def parse_seal(line: bytes) -> dict[str, Any]:
    """Return the fields of a segment's last line, complete and of the right types, or raise `ValueError`."""
    try:
        value = parse_canonical(line)
    except NotCanonical as error:
        raise ValueError(f"ends with a seal that {error}") from error
    sealed = value.get("seal") if isinstance(value, dict) and set(value) == {"seal"} else None
    if not isinstance(sealed, dict) or {key: type(part) for key, part in sealed.items()} != _SEAL_FIELDS:
        raise ValueError("does not end with a seal")
    return sealed


def unpack(frame: bytes) -> bytes:
    """Return the content of exactly one zstd frame, or raise `ValueError`. No more than `MAX_BYTES` are unpacked."""
    try:
        frame_header = zstandard.get_frame_parameters(frame)
        if not 0 <= frame_header.content_size <= MAX_BYTES:
            raise ValueError(
                f"it states that it unpacks to {frame_header.content_size} bytes; at most {MAX_BYTES} are accepted"
            )
        return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(f"it is not one zstd frame: {error}") from error


def _sealed_range(tree: CompactRange) -> dict[str, Any]:
    return {"size": tree.size, "hashes": [hash_.hex() for hash_ in tree.hashes]}


def _signed(frame: bytes) -> bytes:
    return _SIGNED_PREFIX + hashlib.sha256(frame).digest()


def format_time(at: datetime) -> str:
    """Return a time in the one form that seals use."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

"""A second verifier, written from docs/audit-record.md: it imports nothing of Curfew, and is as plain as it can be.

    python tools/verify_independently.py FOLDER [--log main] [--key KEY] [--anchor RECEIPT|CHECKPOINT|FILE] ...

FOLDER holds v1/. It needs Python 3.11, cryptography and zstandard. Exit code 0: the log verifies; 1: it does not, and the
first thing that is wrong is said; 3: it cannot be read. Whoever writes a verifier in another language may start from it.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TRAILER, MAX_WHOLE = bytes.fromhex("502a4d1840000000"), 2**53 - 1
MAX_RECORDS, MAX_BYTES = 1000, 4 * 1024 * 1024  # in a segment
MAX_STORED = MAX_BYTES + 64 * 1024  # of a larger object, no more than one byte more is ever read
SEAL = {"schema": str, "log": str, "seq": int, "previous": str, "first": int, "count": int, "at": str, "writer": str,
        "next_dt": str, "range": dict, "checkpoint": str}  # fmt: skip


class Refused(Exception):
    """What is wrong with a log."""


@dataclass
class Log:
    """A log, as far as it has been verified."""

    log: str
    key: str | None  # that has to have sealed the next segment; None where nobody has given one
    anchors: Sequence[tuple[int, str, str]]  # size, root and what it is called
    first: int = 0  # the index of the first record that is there
    stated: dict[str, Any] | None = None  # where the log begins by its own word, if not with its very first segment
    seq: int = 0
    previous: bytes = b""
    day: str = "1970-01-01"
    at: str = ""
    peaks: list[bytes] = field(default_factory=list)  # the roots of the perfect subtrees, largest first
    lines: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # that have sealed it, in order
    voided: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """The one name that the next segment can have."""
        return f"v1/log={self.log}/dt={self.day}/{self.seq:012d}-{self.previous.hex()[:16]}.jsonl.zst"


def demand(is_so: bool, otherwise: str) -> None:
    """Raise `Refused` unless something is so."""
    if not is_so:
        raise Refused(otherwise)


def verify(folder: Path, name: str = "main", key: str | None = None, anchors: Sequence[str] = ()) -> Log:
    """Return a log that verifies, or raise `Refused`."""
    log = Log(name, key, [anchor(text, name) for text in anchors], previous=hashlib.sha256(name.encode()).digest())
    files = (path for path in (folder / f"v1/log={name}").rglob("*") if path.is_symlink() or not path.is_dir())
    left = {path.relative_to(folder).as_posix() for path in files}
    demand(bool(left), f"there is no log {name}")
    begin_later(log, folder, left)
    while (place := log.place) in left:
        left.remove(place)
        stored = read(folder / place)
        before = (log.seq, log.previous)
        try:
            follow(log, stored)
        except Refused:
            # It may be rubbish, if the next segment says so, and is good.
            log.seq, log.previous = log.seq + 1, hashlib.sha256(stored).digest()
            if log.place not in left:
                raise
            left.remove(void := log.place)
            try:
                follow(log, read(folder / void))
            except Refused:
                log.seq, log.previous = before
                follow(log, stored)  # which says what is wrong with it
            log.voided.append(place)
    demand(not left, f"{log.place} is missing, or these are none of it: {sorted(left)}")
    demand(key is None or key in log.keys, f"no part of it is sealed by {key}, but by {log.keys}")
    known = [record["id"] for record in map(record_in, log.lines) if record is not None]
    demand(len(set(known)) == len(known), "something is recorded twice")
    for size, _, source in log.anchors:
        there = log.first + len(log.lines)
        demand(size <= there, f"it was cut off: {source} has seen {size} records, of {there}")
    demand(log.stated is None or log.stated in beginnings(log.lines), "nothing in it states that it begins there")
    return log


def begin_later(log: Log, folder: Path, left: set[str]) -> None:
    """Begin where the newest statement says that a log begins, if segments are missing before that, and forget those left."""
    found = {name: re.search(r"/(\d{12})-[0-9a-f]{16}\.jsonl\.zst$", name) for name in left}
    numbers = {int(number[1]): name for name, number in found.items() if number}
    gap = next((number for number in range(len(numbers)) if number not in numbers), None)
    for number, name in sorted(numbers.items(), reverse=True) if gap is not None else ():
        try:
            told = beginnings(unpacked(read(folder / name)[:-72]).decode().split("\n")[:-2])
            if not told or (stated := told[-1])["segment"] > number:
                continue
            if gap is None or gap >= stated["segment"]:
                return
            first, seq, previous = int(stated["record"]), int(stated["segment"]), bytes.fromhex(stated["previous"])
            at, peaks = str(stated["sealed_at"]), [bytes.fromhex(peak) for peak in stated["hashes"]]
        except (Refused, zstandard.ZstdError, ValueError, KeyError, TypeError, RecursionError):
            continue
        log.stated, log.first, log.seq, log.previous, log.at, log.day, log.peaks = (
            stated,
            first,
            seq,
            previous,
            at,
            at[:10],
            peaks,
        )
        left -= {name for number, name in numbers.items() if number < seq}
        demand(log.place == stated["object"], "what it states of its beginning does not fit together")
        return


def beginnings(lines: Sequence[str]) -> list[dict[str, Any]]:
    """Return what these lines state of where the log begins."""
    records = (record_in(line) for line in lines if '"event":"audit.begins_at"' in line)
    return [record["detail"] for record in records if record is not None and record["event"] == "audit.begins_at"]


def read(path: Path) -> bytes:
    """Return the bytes of an object, as far as they count; nothing is waited for, and no link followed."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no regular file")
        return file.read(MAX_STORED + 1)


def follow(log: Log, stored: bytes) -> None:
    """Take the next segment, or raise `Refused` and leave the log as it was."""
    keys = [log.key] if log.keys else [log.key, log.stated.get("verifier_key") if log.stated else announced(stored)]
    refusal: Refused | None = None
    for key in dict.fromkeys(key for key in keys if key is not None):
        try:
            return take(log, stored, key)
        except Refused as error:
            refusal = refusal or error
        except (InvalidSignature, zstandard.ZstdError, ValueError, KeyError, TypeError, RecursionError) as error:
            refusal = refusal or Refused(f"{log.place} is not as it was sealed: {error!r}")
    raise refusal or Refused(f"{log.place} names no key")


def take(log: Log, stored: bytes, key: str) -> None:
    """Check all that has to be so of the next segment, and take it."""
    place, origin = log.place, f"curfew.dev/log/{log.log}"
    demand(len(stored) <= MAX_STORED, f"{place} is too large")
    frame, head, signature = stored[:-72], stored[-72:-64], stored[-64:]
    demand(head == TRAILER, f"{place} does not end with a signature")
    check(key, origin, signature, b"curfew segment v1\n" + hashlib.sha256(frame).digest())
    content = unpacked(frame).decode()
    demand(content.endswith("\n"), f"{place} does not end with a whole line")
    demand(content.count("\n") <= MAX_RECORDS + 1, f"{place} holds too many records")
    *lines, last = content[:-1].split("\n")
    sealed = canonical(last)
    demand(isinstance(sealed, dict) and list(sealed) == ["seal"], f"{place} has no seal")
    seal = sealed["seal"]
    demand({name: type(part) for name, part in seal.items()} == SEAL, f"{place} has a seal of other fields")
    first = log.first + len(log.lines)
    size = first + len(lines)
    told = (seal["schema"], seal["log"], seal["seq"], seal["previous"], seal["first"], seal["count"])
    expected = ("curfew.segment/v1", log.log, log.seq, log.previous.hex(), first, len(lines))
    demand(told == expected, f"{place} is sealed as {told}, and not as {expected}")
    demand(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", seal["at"], re.ASCII) is not None, f"{place}: its time"
    )
    datetime.fromisoformat(seal["at"])
    demand(seal["at"] >= log.at and seal["next_dt"] == seal["at"][:10], f"{place} is older than what is before it")
    records = [canonical(line) for line in lines]
    peaks = list(log.peaks)
    for index, line in enumerate(["", *lines]):  # the first stands for the tree before this segment
        if index:
            append(peaks, first + index - 1, hashlib.sha256(b"\0" + line.encode()).digest())
        for _, expected_root, source in (one for one in log.anchors if one[0] == first + index):
            demand(root(peaks).hex() == expected_root, f"it was rewritten: {source} has seen another log")
    demand(seal["range"] == {"size": size, "hashes": [peak.hex() for peak in peaks]}, f"{place} is of another tree")
    body, _, signatures = seal["checkpoint"].partition("\n\n")
    demand(f"{body}\n" == f"{origin}\n{size}\n{base64.b64encode(root(peaks)).decode()}\n", f"{place}: its checkpoint")
    demand(note_is_signed(f"{body}\n", signatures, origin, key), f"{place}: its checkpoint is not signed")
    following = key
    for index, record in enumerate(map(record_in, lines)):
        if record is not None and record["event"] == "audit.key_rotated":
            demand(index == len(lines) - 1, f"{place} goes on after it was handed over")
            following = handed_over(records[index]["unmapped"]["curfew"]["detail"], key, origin)
    log.seq, log.previous, log.day, log.at = log.seq + 1, hashlib.sha256(stored).digest(), seal["next_dt"], seal["at"]
    log.peaks, log.lines, log.key = peaks, log.lines + lines, following
    log.keys += [key] if log.keys[-1:] != [key] else []


def unpacked(frame: bytes) -> bytes:
    """Return what a frame holds; what says that it holds too much is not unpacked."""
    size = zstandard.get_frame_parameters(frame).content_size
    demand(0 <= size <= MAX_BYTES, f"a frame is too large, or does not say how large it is: {size}")
    return zstandard.ZstdDecompressor().decompress(frame, allow_extra_data=False)


def check(key: str, origin: str, signature: bytes, message: bytes) -> None:
    """Check a signature against a verifier key."""
    name, key_hash, encoded = key.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    demand((name, raw[:1], len(raw)) == (origin, b"\x01", 33), f"{key} is no Ed25519 key of {origin}")
    demand(hashlib.sha256(f"{name}\n".encode() + raw).digest()[:4].hex() == key_hash, f"{key} was altered")
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signature, message)


def note_is_signed(body: str, signatures: str, origin: str, key: str) -> bool:
    """Whether one of a note's signatures is that of the key; those of others may be there too."""
    for line in signatures.removesuffix("\n").split("\n"):
        dash, name, encoded = line.split(" ")
        demand(dash == "\N{EM DASH}", "a signature line is malformed")
        signature = base64.b64decode(encoded, validate=True)
        if (name, signature[:4].hex()) == (origin, key.split("+")[1]):
            check(key, origin, signature[4:], body.encode())
            return signatures.endswith("\n") and base64.b64encode(signature).decode() == encoded
    return False


def handed_over(detail: dict[str, str], key: str, origin: str) -> str:
    """Return the key that a rotation hands the log over to, both having agreed."""
    new = str(detail["verifier_key"])
    demand(detail["previous_key"] == key != new, f"a rotation is away from {detail['previous_key']}")
    proof = base64.b64decode(str(detail["proof"]), validate=True)
    check(new, origin, proof, f"curfew key rotation v1\n{key}\n{new}\n".encode())
    return new


def announced(stored: bytes) -> str | None:
    """Return the key that the first record of a log names."""
    try:
        line = unpacked(stored[:-72]).split(b"\n", 1)[0]
        return str(json.loads(line)["unmapped"]["curfew"]["detail"]["verifier_key"])
    except (Refused, zstandard.ZstdError, ValueError, KeyError, TypeError, RecursionError):
        return None


def record_in(line: str) -> dict[str, Any] | None:
    """Return our own block of a record, or None for a line that is none of this version."""
    body = json.loads(line)
    try:
        block = body["unmapped"]["curfew"]
        texts = (block["id"], block["event"], block["subject"], body["message"])
        is_ours = block["schema"] == "curfew.audit/v1" and all(isinstance(text, str) for text in texts)
        return block if is_ours and type(body["time"]) is int and 0 <= body["time"] <= 253_402_300_799_999 else None
    except (KeyError, TypeError, IndexError):
        return None


def canonical(line: str) -> Any:
    """Return the value of a line that is in canonical form, RFC 8785 with whole numbers only."""

    def whole(text: str) -> int:
        demand(len(text) <= 17 and abs(int(text)) <= MAX_WHOLE, f"{text[:40]} is not read exactly by all")
        return int(text)

    def fraction(text: str) -> NoReturn:
        raise Refused(f"{text[:40]} is not a whole number")

    def written(value: Any) -> str:
        if isinstance(value, dict):
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{written(key)}:{written(value[key])}" for key in keys) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(written, value)) + "]"
        return json.dumps(value, ensure_ascii=False)

    value = json.loads(line, parse_int=whole, parse_float=fraction, parse_constant=fraction)
    demand(written(value) == line, f"a line is not in canonical form: {line[:80]}")
    return value


def append(peaks: list[bytes], size: int, leaf: bytes) -> None:
    """Append a leaf to the tree of so many (RFC 6962, section 2.1)."""
    while size & 1:
        leaf, size = hashlib.sha256(b"\x01" + peaks.pop() + leaf).digest(), size >> 1
    peaks.append(leaf)


def root(peaks: Sequence[bytes]) -> bytes:
    """Return the root of a tree."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    *lefts, node = peaks
    for left in reversed(lefts):
        node = hashlib.sha256(b"\x01" + left + node).digest()
    return node


def anchor(text: str, log: str) -> tuple[int, str, str]:
    """Return size and root that a receipt or a checkpoint tells of a log, and what it is called."""
    source = text.strip()[:80]
    if len(text) < 200 and Path(text).is_file():
        source, text = text, Path(text).read_text()
    if text.startswith(f"curfew.dev/log/{log}\n"):
        _, size, encoded = text.split("\n")[:3]
        return int(size), base64.b64decode(encoded).hex(), source
    name, _, size, seen = text.strip().split("/")
    demand(name == log, f"{source} is of log {name}")
    return int(size), seen, source


def main() -> int:
    """Verify the log that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--log", default="main")
    parser.add_argument("--key")
    parser.add_argument("--anchor", action="append", default=[])
    asked = parser.parse_args()
    try:
        log = verify(asked.folder, asked.log, asked.key, asked.anchor)
    except Refused as error:
        print(f"NOT VERIFIED: {error}")
        return 1
    except OSError as error:
        print(f"It cannot be read: {error}")
        return 3
    if log.stated is not None:
        print(f"It begins with record {log.first}, by its own word: what was before may be removed.")
    print(f"Verified: {len(log.lines)} records, root {root(log.peaks).hex()}, sealed by {', '.join(log.keys)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

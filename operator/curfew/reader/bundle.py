"""A bundle: the part of a log that covers a period, with everything needed to verify it without the log.

    README.txt          for the person who opens it
    manifest.json       curfew.export/v1: its log and period, and size and SHA-256 of every other file
    manifest.sig        if the exporter signed the manifest: base64 of an Ed25519 signature; exporter.pub is the key
    log/v1/log=…        the segments of the period, byte for byte, and the one before them, from which they are followed
                        (if that was removed, the manifest has the state that the log itself states instead)
    records.jsonl|csv   the records of the period, with their indexes
    parquet/…           the same as OCSF events, a file a class, if asked for

Only the segments, which the operator's key signed, are proof. The rest is made from them, and `examine` makes the records
from them again to compare. A bundle is a folder or a zip file of one.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import IO

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import KeyRefused, NoteRefused, Verifier, decode_base64
from curfew.audit.findings import Anchor, Finding, Kind, Verified
from curfew.audit.merkle import CompactRange
from curfew.audit.places import in_order, place
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Segment, open_segment
from curfew.audit.succession import Tenure
from curfew.audit.timespan import Span
from curfew.audit.untrusted_json import fields, instant, parse_given, require
from curfew.audit.walk import Walk
from curfew.audit.witness import Witness
from curfew.ports import MOST_READ
from curfew.reader.bundle_files import BROKEN, Files, FolderFiles, NoBundle, ZipFiles
from curfew.reader.stream import read_record
from curfew.reader.tabular import csv_head, csv_row, indexed

SCHEMA = "curfew.export/v1"
MANIFEST, SIGNATURE, EXPORTER = "manifest.json", "manifest.sig", "exporter.pub"
OBJECTS = "log/"
JSONL, CSV = "records.jsonl", "records.csv"

MOST_MANIFEST = 128 * 1024 * 1024
"""Most bytes of a manifest: it has 240 for each file."""

MOST_DIFFERENCES = 1000
"""The search for files that differ from the manifest ends after this many."""

_FIELDS = {"schema": str, "log": str, "period": dict, "key": str, "files": dict}


def bundle_at(location: str) -> Files | None:
    """Return the files of a bundle, or None if the location holds none. Raise `NoBundle` for a broken zip file."""
    path = Path(location.removeprefix("file://"))
    if path.suffix == ".zip" and path.is_file():
        return ZipFiles(path)
    return FolderFiles(path) if (path / MANIFEST).is_file() else None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of a bundle: its log, its period and its files."""

    log: str
    period: Span
    key: Verifier  # the key that sealed the first segment in the bundle
    start: str | None  # the name of the segment before, from which they are followed; None if the log begins in it
    begins: Beginning | None  # where the log began at the export, if the bundle begins with the same segment
    files: Mapping[str, tuple[int, str]]  # for each other file, size and SHA-256 in hex
    data: bytes

    @classmethod
    def read(cls, files: Files) -> "Manifest":
        """Read the manifest, or raise `NoBundle`."""
        try:
            with files.open(MANIFEST) as file:
                data = file.read(MOST_MANIFEST + 1)
            return cls._of(data)
        except NoBundle:
            raise
        except (KeyError, KeyRefused, *BROKEN) as error:
            raise NoBundle(f"{MANIFEST} cannot be read: {error}") from error

    @classmethod
    def _of(cls, data: bytes) -> "Manifest":
        if len(data) > MOST_MANIFEST:
            raise NoBundle(f"its {MANIFEST} is larger than {MOST_MANIFEST:,} bytes")
        told = fields(parse_given(data), _FIELDS, "the manifest")
        if told["schema"] != SCHEMA:
            raise NoBundle(f"its schema is {told['schema']!r}; this version reads {SCHEMA}")
        begin, end = (
            None if (at := told["period"].get(edge)) is None else instant(require(at, str, edge), edge)
            for edge in ("begin", "end")
        )
        start = require(told.get("start"), (str, NoneType), "start")
        if start is not None and place(told["log"], start) < 0:
            raise NoBundle(f"{start!r} is not the name of a segment of log {told['log']!r}")
        listed = {}
        for name, one in told["files"].items():
            file = fields(one, {"size": int, "sha256": str}, f"the entry of {name!r}")
            listed[name] = (file["size"], file["sha256"])
        begins = Beginning.of(told["log"], told["begins"]) if "begins" in told else None
        return cls(told["log"], Span(begin, end), Verifier.parse(told["key"]), start, begins, listed, data)


@dataclass(frozen=True, slots=True)
class ExaminedBundle:
    """The result of examining a bundle."""

    findings: tuple[Finding, ...]
    verified: Verified
    before: CompactRange  # the tree of the log before the bundle's first record
    in_period: int  # how many records are in the period
    exporter: Verifier | None  # the key that signed the manifest

    @property
    def first(self) -> int:
        """The index of the first record that the bundle covers."""
        return self.before.size


def examine(
    files: Files,
    manifest: Manifest,
    verifier: Verifier,
    anchors: Iterable[Anchor],
    *,
    advance: Callable[[], None],
    accepted: Callable[[Segment], None] | None = None,
) -> ExaminedBundle:
    """Examine everything in a bundle. `advance` is called for each file, `accepted` with each good segment."""
    findings = list(islice(_differences(files, manifest, advance), MOST_DIFFERENCES))
    rows = BundleRows(manifest.period)
    exporter = _exporter(files, manifest, findings)
    names = in_order(manifest.log, (name.removeprefix(OBJECTS) for name in files.names() if name.startswith(OBJECTS)))
    since: Witness | None = None
    begins = manifest.begins

    def take(segment: Segment) -> None:
        rows.take(segment)
        if accepted is not None:
            accepted(segment)

    if manifest.start is not None:
        try:
            since = start_from(manifest.log, manifest.start, _read(files, OBJECTS + manifest.start), manifest.key)
        except (ChainBroken, KeyError) as error:
            why = f"does not hold the segment that it begins after: {error}"
            findings.append(Finding(Kind.MISSING, "the bundle", why))
            names = []
    walk = Walk(manifest.log, verifier, anchors, since=since, beginning=begins, stated=begins, accepted=take)
    for name in names:
        walk.take(name, _read(files, OBJECTS + name))
    examined = walk.finish()
    findings += examined.findings
    if not findings:
        for name, digest in ((JSONL, rows.jsonl.hexdigest()), (CSV, rows.csv.hexdigest())):
            if manifest.files.get(name, (0, ""))[1] != digest:
                why = "does not hold the records of the period as they are in the log"
                findings.append(Finding(Kind.ALTERED, f"file {name}", why, name=name))
    before = since.head.range if since is not None else begins.head.range if begins is not None else CompactRange()
    return ExaminedBundle(tuple(findings), examined.verified, before, rows.count, exporter)


def start_from(log: str, name: str, stored: bytes, verifier: Verifier) -> Witness:
    """Return the state of a log at one of its segments, trusting its signature, or raise `ChainBroken`."""
    segment, link = open_segment(name, stored, verifier, log)
    link.check_name()
    following = successor(segment, verifier)
    tenures = (Tenure(verifier, segment.seq, segment.first),)
    return Witness(link.after, name, link.note, verifier, False, tenures, following, 0, 0, segment.at)


class BundleRows:
    """The records of a period, made from the log: hashed, and also written if there is a file for them."""

    def __init__(self, period: Span, jsonl: IO[bytes] | None = None, csv: IO[bytes] | None = None) -> None:
        """Start without any records."""
        self._period = period
        self._files = (jsonl, csv)
        self.jsonl, self.csv = hashlib.sha256(), hashlib.sha256()
        self.count = 0
        self._write(b"", csv_head().encode())

    def take(self, segment: Segment) -> None:
        """Add the records of a segment."""
        self.take_lines(segment.first, segment.lines)

    def take_lines(self, first: int, lines: Sequence[bytes]) -> None:
        """Add the lines that are in the period; `first` is the index in the log of the first line."""
        for index, line in enumerate(lines, first):
            record = read_record(line)
            if record is not None and record.at in self._period:
                self.count += 1
                self._write(indexed(index, line) + b"\n", csv_row(index, record).encode())

    def _write(self, *parts: bytes) -> None:
        for part, hash_, file in zip(parts, (self.jsonl, self.csv), self._files, strict=True):
            hash_.update(part)
            if file is not None:
                file.write(part)


def signed(manifest: bytes) -> bytes:
    """Return the bytes that an exporter signs."""
    return b"curfew export v1\n" + hashlib.sha256(manifest).digest()


def _differences(files: Files, manifest: Manifest, advance: Callable[[], None]) -> Iterator[Finding]:
    """Yield a finding for each difference between the files and the manifest."""
    there = set(files.names()) - {MANIFEST, SIGNATURE, EXPORTER}
    for name in sorted(there | manifest.files.keys()):
        advance()
        if name not in there:
            yield Finding(Kind.MISSING, f"file {name}", "is in the manifest, but not in the bundle", name=name)
        elif name not in manifest.files:
            yield Finding(Kind.FOREIGN, f"file {name}", "is in the bundle, but not in the manifest", name=name)
        elif _hashed(files, name, manifest.files[name][0]) != manifest.files[name]:
            yield Finding(Kind.ALTERED, f"file {name}", "has another hash than the manifest states", name=name)


def _exporter(files: Files, manifest: Manifest, findings: list[Finding]) -> Verifier | None:
    """Return the key that signed the manifest; None if none did, or if the signature is invalid, which is a finding."""
    if not {SIGNATURE, EXPORTER} & set(files.names()):
        return None
    try:
        exporter = Verifier.parse(_read(files, EXPORTER).decode())
        exporter.check(decode_base64(_read(files, SIGNATURE).decode().strip(), "the signature"), signed(manifest.data))
    except (KeyError, ValueError, KeyRefused, NoteRefused) as error:
        findings.append(Finding(Kind.ALTERED, f"file {SIGNATURE}", f"does not hold: {error}", name=SIGNATURE))
        return None
    return exporter


def _hashed(files: Files, name: str, expected: int) -> tuple[int, str]:
    """Return size and hash of a file; a file that is larger than expected is read only far enough to show that."""
    size, hash_ = 0, hashlib.sha256()
    try:
        with files.open(name) as file:
            while size <= expected and (chunk := file.read(min(1 << 20, expected - size + 1))):
                size += len(chunk)
                hash_.update(chunk)
    except BROKEN:
        return -1, ""  # its own checksum shows that it was altered
    return size, hash_.hexdigest()


def _read(files: Files, name: str) -> bytes:
    """Return the bytes of a file; of one larger than `MOST_READ`, the first `MOST_READ` and one more."""
    try:
        with files.open(name) as file:
            return file.read(MOST_READ + 1)
    except BROKEN:
        return b""  # already found to be altered

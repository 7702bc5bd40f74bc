"""`curfew audit export`: hands over the evidence of a period as one bundle that verifies on its own (see `bundle`)."""

import asyncio
import base64
import hashlib
import importlib.util
import json
import shutil
import tempfile
import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Ed25519Signer, KeyRefused, Verifier
from curfew.audit.segment import TRAILER_BYTES, unpack
from curfew.audit.timespan import Span
from curfew.audit.wording import NO_KEY, count, in_utc
from curfew.cli.audit import options
from curfew.cli.audit.console import progress
from curfew.cli.audit.query_options import TIMES, read_times
from curfew.cli.audit.reading import given_key, open_location, unreadable
from curfew.ports import ObjectStore
from curfew.reader.bundle import (
    CSV,
    EXPORTER,
    JSONL,
    MANIFEST,
    OBJECTS,
    SCHEMA,
    SIGNATURE,
    BundleRows,
    signed,
)
from curfew.reader.errors import CannotRead
from curfew.reader.stream import VerifiedSegment, known_key, read_record, verified_segments

README = "README.txt"

_TEXT = """What this is

A part of the log that Curfew keeps of access to Kubernetes: log {log}, {period}, {records}.

  records.jsonl, records.csv   these records in readable form, each with its index in the log
  log/                         the part of the log that holds them, byte for byte as the operator signed it
  manifest.json                size and SHA-256 of every other file{parquet}

How to check it

  curfew audit verify BUNDLE --key KEY

BUNDLE is this folder, or the zip file that it came in; neither the log nor a network is needed. KEY is the operator's public
key. Get it from somebody you trust, not from the person who gave you this bundle. It should be
{key}

What that shows

The operator wrote these records. From record {first} on, to the end of log/ ({held}), none was changed, removed or added.
records.jsonl and records.csv hold all records of that time that are in log/. Earlier and later records of the log are not in
this bundle.
"""


@click.command("export", short_help="Export the evidence of a period.", epilog=TIMES)
@options.location
@click.option(
    "--period", metavar="SPAN", help='The period: "last month", 2026-Q3, 2026-11-01..2026-11-07. Default: everything.'
)
@click.option(
    "--to",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.zip|FOLDER",
    help="The file or folder to write. It must not exist yet.",
)
@click.option("--parquet", is_flag=True, help="Also write Parquet: OCSF events, one file per class. Needs DuckDB.")
@click.option(
    "--sign-with",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PEM",
    help="Your Ed25519 private key. It signs the manifest, to show who made the bundle.",
)
@options.log
@options.key
@options.key_file
def export(
    location: str,
    period: str | None,
    to: Path,
    log: str,
    key: str | None,
    key_file: Path | None,
    *,
    parquet: bool,
    sign_with: Path | None,
) -> None:
    """Export the evidence of a period as a bundle that verifies on its own.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. The whole log is verified first. The bundle
    holds the segments of the period as the operator signed them, the records in readable form (JSON lines, CSV), a
    manifest with the hash of each file, and a README for the recipient. `curfew audit verify` takes a bundle like a
    log.

    \b
    Examples:
      curfew audit export s3://acme-access-log/prod --period 2026-Q3 --to q3.zip --key-file curfew.pub
      curfew audit export ./copy --period "last week" --to ./evidence --sign-with auditor.pem
      curfew audit verify q3.zip --key-file curfew.pub

    \b
    Exit code 0: the bundle is written.
              1: the log does not verify; there is no bundle.
              2: the command was wrong, or the log has nothing from that period; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    span = read_times({"period": period, "since": None, "until": None}, SystemClock().now())
    signer = _signer(sign_with) if sign_with is not None else None
    if to.exists():
        raise click.UsageError(f"{to} already exists, and an export overwrites nothing. Choose another name with --to.")
    if parquet and importlib.util.find_spec("duckdb") is None:
        raise click.UsageError("--parquet needs DuckDB: pip install duckdb")
    store = open_location(location)
    try:
        with unreadable(), tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}-") as unfinished:
            folder = Path(unfinished) / "bundle"
            folder.mkdir()
            part = asyncio.run(_export(store, log, verifier, span, folder))
            if parquet:
                from curfew.reader.parquet import write_parquet

                write_parquet(folder / JSONL, folder / "parquet")
            (folder / README).write_text(_readme(part, span, log, has_parquet=parquet))
            _write_manifest(folder, part, span, log, signer)
            finished = _zipped(folder) if to.suffix == ".zip" else folder
            finished.rename(to)
    except OSError as error:
        raise click.UsageError(f"The bundle cannot be written: {error}. Choose another place with --to.") from error
    click.echo(f"Exported: {count(part.rows.count, 'record')} of log {log}, {_said(span)}")
    click.echo(f"  Written to {to}")
    click.echo(f"  Holds      {part.in_words()}, in {count(len(part.objects), 'segment')}")
    click.echo(f"  Check it   curfew audit verify {to} --key {part.key}")
    if verifier is None:
        click.echo(f"Note: {NO_KEY}", err=True)


@dataclass(slots=True)
class _Part:
    """The part of a log that belongs to a period."""

    objects: list[tuple[str, bytes, int]]  # for each segment: name, SHA-256, and the index of its first record
    start: tuple[str, bytes, int] | None  # the segment before them
    first: int
    end: int  # the index after the last record
    key: Verifier  # the key that sealed the first object in the bundle
    note: str | None  # the newest checkpoint of the whole log
    begins: Beginning | None  # where the log begins, if the part begins there and earlier segments were removed
    rows: BundleRows

    def in_words(self) -> str:
        """Return, in words, which records the part holds."""
        return f"records {self.first} to {self.end - 1}" if self.end > self.first else "no records"


async def _export(store: ObjectStore, log: str, given: Verifier | None, span: Span, folder: Path) -> _Part:
    """Write the segments and the records into an empty folder."""
    verifier = await known_key(store, log, given)
    with (folder / JSONL).open("wb") as jsonl, (folder / CSV).open("wb") as csv:
        rows = BundleRows(span, jsonl, csv)
        async with aclosing(verified_segments(store, log, verifier, progress=progress)) as links:
            part = await _choose(links, span, rows)
        chosen = ([part.start] if part.start is not None else []) + part.objects
        with progress(len(chosen), "segments written") as advance:
            for name, digest, first in chosen:
                stored = await store.get(name)
                if hashlib.sha256(stored).digest() != digest:
                    raise CannotRead(f"{name} was changed while it was read; `curfew audit verify` shows how.")
                path = folder / OBJECTS / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored)
                if first >= part.first:
                    rows.take_lines(first, unpack(stored[:-TRAILER_BYTES])[:-1].split(b"\n")[:-1])
                advance()
    return part


async def _choose(links: AsyncGenerator[VerifiedSegment], span: Span, rows: BundleRows) -> _Part:
    """Verify the whole log, and return the part that covers a period.

    The part goes from the first to the last segment that was sealed in the period or holds a record of the period. One more
    segment follows: it was sealed later, and shows that no segment is missing at the end.
    """
    before: tuple[str, bytes, int] | None = None
    part: _Part | None = None
    chosen = 0  # how many of the objects certainly belong to the part
    end = 0
    note: str | None = None
    async for link in links:
        segment = link.segment
        one = (segment.name, hashlib.sha256(link.stored).digest(), segment.first)
        is_of_it = segment.at in span or any(
            record is not None and record.at in span for record in map(read_record, segment.lines)
        )
        keys = link.verified.keys
        note = link.verified.note
        if part is None and is_of_it:
            # The segment before may have been sealed with the earlier key.
            key = keys[-2].verifier if before is not None and keys[-1].segment == segment.seq else keys[-1].verifier
            begins = link.verified.beginning if before is None else None
            part = _Part([], before, segment.first, 0, key, None, begins, rows)
        if part is not None:
            part.objects.append(one)
            is_next = len(part.objects) == chosen + 1
            if is_of_it:
                chosen = len(part.objects)
            if is_of_it or is_next:
                end = len(part.objects)
                part.end = segment.first + len(segment.lines)
        before = one
    if part is None:
        raise click.UsageError(f"The log has nothing from that period: {_said(span)}.")
    del part.objects[end:]
    part.note = note
    return part


def _write_manifest(folder: Path, part: _Part, span: Span, log: str, signer: Ed25519Signer | None) -> None:
    files: dict[str, Any] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.relative_to(folder).as_posix()] = {"size": path.stat().st_size, "sha256": digest}
    told = {
        "schema": SCHEMA,
        "log": log,
        "period": {edge: at and at.isoformat() for edge, at in (("begin", span.begin), ("end", span.end))},
        "key": str(part.key),
        "start": part.start[0] if part.start is not None else None,
        **({"begins": part.begins.to_json()} if part.begins is not None else {}),
        "records": {"first": part.first, "count": part.end - part.first, "inPeriod": part.rows.count},
        "checkpoint": part.note,
        "files": files,
    }
    data = json.dumps(told, indent=2, ensure_ascii=False).encode() + b"\n"
    (folder / MANIFEST).write_bytes(data)
    if signer is not None:
        (folder / SIGNATURE).write_bytes(base64.b64encode(signer.sign(signed(data))) + b"\n")
        (folder / EXPORTER).write_text(f"{signer.verifier_key}\n")


def _zipped(folder: Path) -> Path:
    """Make a zip file of a folder, next to the folder, and return its path. Equal folders make equal files."""
    made = folder.with_name("bundle.zip")
    with zipfile.ZipFile(made, "w") as target:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix())  # its time is always in 1980
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_STORED if path.suffix == ".zst" else zipfile.ZIP_DEFLATED
            info.file_size = path.stat().st_size
            with path.open("rb") as source, target.open(info, "w") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
    return made


def _readme(part: _Part, span: Span, log: str, *, has_parquet: bool) -> str:
    return _TEXT.format(
        log=log,
        period=_said(span),
        records=count(part.rows.count, "record"),
        held=part.in_words(),
        first=part.first,
        parquet="\n  parquet/                     OCSF events, one file per class" if has_parquet else "",
        key=part.key,
    )


def _signer(file: Path) -> Ed25519Signer:
    try:
        return Ed25519Signer.from_pem("curfew.dev/export", file.read_bytes())
    except (OSError, KeyRefused) as error:
        raise click.UsageError(f"{file} cannot be used to sign: {error}.") from error


def _said(span: Span) -> str:
    if span.begin is None and span.end is None:
        return "of all time"
    begin = f"from {in_utc(span.begin)}" if span.begin is not None else "from the beginning"
    return f"{begin} to {in_utc(span.end)}" if span.end is not None else f"{begin} on"

"""How `curfew audit verify` checks a bundle: all its contents, and the record that it begins with."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from curfew.audit.findings import Finding, Kind
from curfew.audit.wording import NO_KEY, count, in_utc, printable, sentence
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import TAMPERED, VERIFIED
from curfew.cli.audit.reading import given_key, read_anchors
from curfew.reader.bundle import ExaminedBundle, Manifest, bundle_at, examine
from curfew.reader.bundle_files import Files, NoBundle
from curfew.reader.errors import CannotRead


def find_bundle(location: str) -> Files | None:
    """Return the files of a bundle, or None if the location is a log. Raise `CannotRead` for a broken zip file."""
    try:
        return bundle_at(location)
    except NoBundle as error:
        raise CannotRead(f"The bundle {location} cannot be read: {error}.") from error


def verify_bundle(
    files: Files, location: str, key: str | None, key_file: Path | None, anchors: Sequence[str], output: str
) -> int:
    """Print the findings about a bundle, and return the exit code."""
    try:
        manifest = Manifest.read(files)
    except NoBundle as error:
        raise CannotRead(f"The bundle {location} cannot be read: {error}.") from error
    given = given_key(key, key_file, manifest.log)
    verifier = given or manifest.key
    kept = [one for anchor in anchors for one in read_anchors(anchor, manifest.log)]
    with progress(len(manifest.files), "files") as advance:
        examined = examine(files, manifest, verifier, [one.anchor for one in kept], advance=advance)
    keys = [verifier, *(tenure.verifier for tenure in examined.verified.keys)]
    forgeries = (one.forgery(keys) for one in kept)
    findings = (
        *(Finding(Kind.REWRITTEN, f"log {manifest.log}", forgery) for forgery in forgeries if forgery is not None),
        *examined.findings,
    )
    if output == "json":
        click.echo(
            json.dumps(_to_json(manifest, examined, findings, location, key_was_given=given is not None), indent=2)
        )
    else:
        lines = list(_lines(manifest, examined, findings, location))
        lines += ["", f"Note: {NO_KEY}"] if given is None else []
        click.echo("\n".join(printable(line) for line in lines))
    return TAMPERED if findings else VERIFIED


def _lines(manifest: Manifest, examined: ExaminedBundle, findings: Sequence[Finding], location: str) -> Iterator[str]:
    verified = examined.verified
    if findings:
        yield f"NOT VERIFIED: the bundle {location} of log {manifest.log}"
        yield ""
        yield from (f"  {sentence(str(finding))}" for finding in findings)
        return
    last = verified.records - 1
    held = f"records {examined.first} to {last}" if last >= examined.first else "no records"
    yield f"Verified: {held} of log {manifest.log}, in the bundle {location}"
    begin, end = manifest.period.begin, manifest.period.end
    span = f"{f'from {in_utc(begin)}' if begin else 'from the beginning'} to {in_utc(end) if end else 'the end'}"
    yield f"  Period   {span}: {count(examined.in_period, 'record')}"
    if verified.first_at is not None and verified.last_at is not None:
        yield f"  Sealed   from {in_utc(verified.first_at)} to {in_utc(verified.last_at)}"
    yield f"  Files    {len(manifest.files):,}, each matches the manifest"
    yield f"  Head     segment {verified.head.seq}, root {verified.head.range.root().hex()}"
    yield from (f"  Key      {tenure.verifier}" for tenure in verified.keys)
    if examined.exporter is not None:
        yield f"  Signed   the manifest, by {examined.exporter}; the bundle cannot show whose key that is"
    yield ""
    if examined.first:
        yield f"The bundle begins with record {examined.first}; earlier records of the log are not in it."
    yield (
        f"Records after {last} are not in the bundle either." if last >= 0 else "The log had no records at that time."
    )


def _to_json(
    manifest: Manifest, examined: ExaminedBundle, findings: Sequence[Finding], location: str, *, key_was_given: bool
) -> dict[str, Any]:
    verified = examined.verified
    return {
        "verified": not findings,
        "log": manifest.log,
        "location": location,
        "findings": [
            {"kind": finding.kind, "object": finding.name or None, "message": sentence(str(finding))}
            for finding in findings
        ],
        "bundle": {
            "firstRecord": examined.first,
            "records": verified.records - examined.first,
            "inPeriod": examined.in_period,
            "exporter": str(examined.exporter) if examined.exporter else None,
        },
        "head": {
            "segment": verified.head.seq,
            "size": verified.head.range.size,
            "root": verified.head.range.root().hex(),
        },
        "key": str(manifest.key),
        "keyWasGiven": key_was_given,
    }

"""`curfew audit prove`: writes the proof of one record, for somebody without access to the log or a cluster."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import click

from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Verified
from curfew.audit.merkle import CompactRange
from curfew.audit.proof import Proof, Tree, inclusion_path
from curfew.audit.query import Query
from curfew.audit.segment import Segment
from curfew.audit.wording import count, in_utc, printable
from curfew.cli.audit import options
from curfew.cli.audit.console import progress
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.reading import given_key, open_location, read_receipt, unreadable
from curfew.ports import ObjectStore
from curfew.reader.beginnings import in_words
from curfew.reader.exported import joined, read_exports, refuse_other
from curfew.reader.stream import VerifiedRecord, known_key, told_at, verified_segments

_SHOWN = 20  # records that are listed if several may be meant


@click.command("prove", short_help="Write the proof of one record to a file.")
@options.location
@click.argument("record")
@click.argument("event", required=False)
@options.log
@options.key
@options.key_file
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    help="The file to write, or - for standard output. Default: LOG-INDEX.proof.json in the current folder.",
)
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="An export that holds the records removed from the log, up to where the log begins now. Can be repeated.",
)
def prove(
    location: str,
    record: str,
    event: str | None,
    log: str,
    key: str | None,
    key_file: Path | None,
    to: Path | None,
    exports: tuple[Path, ...],
) -> None:
    """Write the proof of one record into one file, which anyone can check without the log.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. RECORD names the record: its index in the
    log, as `curfew audit search` shows it; its id; a receipt, or a file with one; or a request (NAMESPACE/NAME, or its
    UID) together with EVENT, the event that happened to the request.

    The whole log is verified first. The file holds the record, the path from it to the root of the log, and the newest
    checkpoint, which the log's key signed. `curfew audit check-proof` checks it.

    If a record was removed from the log after its retention, give exports that hold it and all later removed records
    (--export). The proof leads to the same checkpoint, the newest of the log.

    \b
    Examples:
      curfew audit prove s3://acme-access-log/prod 41
      curfew audit prove s3://acme-access-log/prod payments/inc-4711 grant.activated --key-file curfew.pub
      curfew audit prove ./copy main/41/42/9f86d081… --to evidence.json
      curfew audit prove s3://acme-access-log/prod 41 --export 2025.zip --key-file curfew.pub

    \b
    Exit code 0: the proof is written.
              1: the log does not verify; there is no proof.
              2: the command was wrong, or no record or several records match; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    wanted = _Wanted(record, event, log)
    store = open_location(location)
    with unreadable():
        told, proof = asyncio.run(_prove(store, log, verifier, wanted, exports))
    if to == Path("-"):
        click.echo(proof.to_bytes(), nl=False)
        return
    to = to or Path(f"{log}-{told.index}.proof.json")
    try:
        to.write_bytes(proof.to_bytes())
    except OSError as error:
        raise click.UsageError(f"The proof cannot be written: {error}. Choose another file with --to.") from error
    click.echo(f"Proved: {printable(_in_words(told))}")
    click.echo(f"  Written to {to}")
    click.echo(f"  Check it   curfew audit check-proof {to} --key {proof.key}")


class _NotOne(click.ClickException):
    """No record is meant, or several."""

    exit_code = USAGE


class _Wanted:
    """Which record is meant."""

    def __init__(self, text: str, event: str | None, log: str) -> None:
        """Read the arguments. Raise `click.UsageError` if they cannot name a record."""
        self.text = f"{text} {event or ''}".strip()
        self.anchors: Sequence[Anchor] = ()
        self._index: int | None = None
        self._query = Query()
        is_id = _ID.fullmatch(text) is not None
        receipt = read_receipt(text)
        if receipt is not None and receipt.log != log:
            raise click.UsageError(
                f"The receipt belongs to log {receipt.log}; choose that log with --log {receipt.log}."
            )
        if receipt is not None:
            self._index, self.anchors = receipt.index, [Anchor.of_receipt(receipt, "the receipt")]
        elif is_id:
            self._query = Query({"id": (text,)})
        elif text.isascii() and text.isdigit():
            self._index = int(text)
        else:
            self._query = Query({"request": (text,), **({"event": (event,)} if event else {})})
        if event and (is_id or self._index is not None):
            raise click.UsageError(f"{text} already names the record; leave out {event}.")
        self._may_match = self._query.sieve()

    def among(self, segment: Segment) -> Iterator[VerifiedRecord]:
        """Yield the records of a segment that may be meant."""
        if self._index is not None:
            if 0 <= self._index - segment.first < len(segment.lines):
                yield told_at(segment, self._index)
            return
        for index, line in enumerate(segment.lines, segment.first):
            if self._may_match(line):
                told = told_at(segment, index)
                if told.record is not None and self._query.matches(told.record):
                    yield told


_ID = re.compile("[0-9a-f]{32}")


async def _prove(
    store: ObjectStore, log: str, given: Verifier | None, wanted: _Wanted, files: Sequence[Path]
) -> tuple[VerifiedRecord, Proof]:
    found: dict[int, VerifiedRecord] = {}  # by index: an export may hold records that the log still holds

    def look_into(segment: Segment) -> None:
        found.update((told.index, told) for told in wanted.among(segment))

    exports = read_exports(files, log, look_into, progress)
    verifier = await known_key(store, log, given)
    tree: Tree | None = None
    last: Verified | None = None
    async with aclosing(verified_segments(store, log, verifier, wanted.anchors, progress=progress)) as links:
        async for link in links:
            last = link.verified
            if tree is None:
                tree = joined(exports, last.beginning.head.range if last.beginning is not None else CompactRange())
            tree.extend(link.segment.leaves)
            look_into(link.segment)
    assert tree is not None  # noqa: S101  a log without segments is not a log, and was refused
    assert last is not None  # noqa: S101  the same
    assert last.note is not None  # noqa: S101  a segment has a checkpoint
    refuse_other(tree, last.head.range.root())
    told = _the_one(list(found.values()), wanted, last)
    path = inclusion_path(tree, told.index, tree.size)
    return told, Proof(log, told.index, told.line, path, last.note, str(last.keys[-1].verifier))


def _the_one(found: Sequence[VerifiedRecord], wanted: _Wanted, log: Verified) -> VerifiedRecord:
    if not found:
        held = f"the log holds {count(log.records - log.first, 'record')}"
        if log.beginning is not None:
            held += (
                f" and begins {in_words(log.beginning)}; an export that holds an earlier record proves it (--export)"
            )
        raise _NotOne(
            f"No record matches {printable(wanted.text)}; {held}. `curfew audit search` finds records and shows their "
            "indexes."
        )
    if len(found) > 1:
        lines = [f"  {told.index:>9}  {printable(told.record.message)}" for told in found[:_SHOWN] if told.record]
        more = [f"  and {len(found) - _SHOWN:,} more"] if len(found) > _SHOWN else []
        raise _NotOne("\n".join([f"{len(found):,} records match; choose one by its index:", *lines, *more]))
    return found[0]


def _in_words(told: VerifiedRecord) -> str:
    if told.record is None:
        return f"record {told.index}, which this version cannot read"
    return f"record {told.index}, {told.record.event} at {in_utc(told.record.at)}: {told.record.message}"

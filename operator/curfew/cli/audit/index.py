"""`curfew audit index`: builds the index that `search` uses, brings it up to date, and prints its path."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import click

from curfew.audit.checkpoint import Verifier
from curfew.audit.wording import NO_KEY, count, in_utc
from curfew.cli.audit import options
from curfew.cli.audit.console import progress
from curfew.cli.audit.reading import given_key, note, open_location, unreadable
from curfew.ports import ObjectStore
from curfew.reader.beginnings import find_claim
from curfew.reader.beginnings import kept as from_beginning
from curfew.reader.errors import CannotRead
from curfew.reader.parallel_search import sifted_records
from curfew.reader.search_index.file import IndexUnusable
from curfew.reader.search_index.index import Index, open_index
from curfew.reader.source import list_log
from curfew.reader.stream import known_key


@click.command("index", short_help="Build the index that search uses, and print its path.")
@options.location
@options.log
@options.key
@options.key_file
def index(location: str, log: str, key: str | None, key_file: Path | None) -> None:
    """Verify what is new in a log, add it to the index, and print the path of its SQLite file.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. `search` does the same by itself. Use this
    command to open the index with other programs, or to build it in advance. docs/auditing.md describes its tables.

    The index is a copy on this machine, with the names of people in it. It is never evidence.

    \b
    Examples:
      curfew audit index s3://acme-access-log/prod --key-file curfew.pub
      sqlite3 -readonly "$(curfew audit index ./copy)" "SELECT * FROM log WHERE requester = 'alice@example.com'"

    \b
    Exit code 0: the log verifies, and all of it is in the index.
              1: it does not; nothing was added.
              2: the command was wrong; the message shows why.
              3: the log cannot be read, or the index cannot be written.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    store = open_location(location)
    with unreadable():
        asyncio.run(_update(store, log, verifier))
    if verifier is None:
        click.echo(f"Note: {NO_KEY}", err=True)


async def _update(store: ObjectStore, log: str, given: Verifier | None) -> None:
    verifier = await known_key(store, log, given)
    try:
        with open_index(store.url, log, verifier) as kept:
            names = await list_log(store, log, note=note)
            claim = await find_claim(store, log, names)
            names = from_beginning(log, names, claim)
            since = await kept.since(store, log, names, claim.beginning if claim is not None else None)
            async with aclosing(
                sifted_records(store, log, names, verifier, None, kept, since, claim, progress=progress)
            ) as records:
                async for _ in records:
                    pass
            if kept.not_kept is not None:
                raise CannotRead(f"The index in {kept.path} cannot be written: {kept.not_kept}.")
            _show(kept)
    except IndexUnusable as error:
        raise CannotRead(f"The index cannot be used: {error}.") from error


def _show(kept: Index) -> None:
    """Print the path, for programs, and what the index contains, for people."""
    if kept.emptied is not None:
        click.echo(f"Note: the index was rebuilt: {kept.emptied}.", err=True)
    click.echo(kept.database)
    head = kept.witness.head if kept.witness is not None else None
    if head is None or head.at is None:
        click.echo("The log is empty.", err=True)
        return
    upto = f"checkpoint {head.range.size}, sealed with segment {head.seq} at {in_utc(head.at)}"
    click.echo(f"{count(kept.records, 'record')} of log {head.log}, up to {upto}. {kept.size / 1e6:,.1f} MB.", err=True)

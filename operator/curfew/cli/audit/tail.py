"""`curfew audit tail`: shows the newest records, and what is appended."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import NoReturn

import click

from curfew.audit.checkpoint import Verifier
from curfew.audit.rotation import predecessor, successor
from curfew.audit.segment import ChainBroken, Head, Segment, follow, resume
from curfew.audit.verify import place
from curfew.cli.audit import options
from curfew.cli.audit.reading import (
    TAMPERED,
    VERIFIED,
    Unfounded,
    announced,
    given_key,
    known_people,
    last_key,
    list_log,
    open_location,
    read,
    unreadable,
)
from curfew.cli.audit.showing import Table, printable, sentence, show_json, with_names
from curfew.ports import ObjectMissing, ObjectStore, StoreUnavailable

_POLL = 1.0  # seconds between two looks for the next segment


@click.command("tail", short_help="Show the newest records, and go on with -f.")
@options.location
@options.log
@options.key
@options.key_file
@click.option("-n", "--lines", "count", type=click.IntRange(0), default=20, show_default=True, help="How many records.")
@click.option(
    "-f", "--follow", "is_followed", is_flag=True, help="Go on with what is written from now on. Ctrl-C ends it."
)
@options.output
@options.people
def tail(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    count: int,
    is_followed: bool,
    output: str,
    people: str | None,
) -> None:
    """Show the newest records of a log as a person would read them.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. Each line is one thing that happened: when
    (UTC), what, and a sentence. The signature of each segment is checked on the way, but not that none is missing:
    `curfew audit verify` does that.

    \b
    Examples:
      curfew audit tail s3://acme-access-log/prod
      curfew audit tail s3://acme-access-log/prod -f
      curfew audit tail ./copy -n 1000 -o json | jq -r .message

    With -o json each line is a record as it is stored: an OCSF event in canonical JSON.

    \b
    Exit code 0: all that was shown is signed.
              1: a segment was altered and is not shown; the message says which.
              2: the command was wrong; the message says how.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    store = open_location(location)
    show = show_json if output == "json" else Table()
    with unreadable():
        known = asyncio.run(known_people(people))
        is_good = asyncio.run(_tail(store, log, verifier, count, with_names(show, known), is_followed=is_followed))
    sys.exit(VERIFIED if is_good else TAMPERED)


async def _tail(
    store: ObjectStore,
    log: str,
    verifier: Verifier | None,
    count: int,
    show: Callable[[bytes], None],
    *,
    is_followed: bool,
) -> bool:
    names = [name for name in await list_log(store, log) if place(log, name) >= 0]
    try:
        verifier = verifier or await announced(store, log, names)
    except Unfounded as error:
        click.echo(printable(sentence(str(error))), err=True)
        return False
    is_good = True
    newest: deque[Segment] = deque()
    head: Head | None = None
    wanted = count
    sealing = following = await last_key(store, log, names, verifier)
    async with aclosing(read(store, names[::-1])) as objects:
        async for name, stored in objects:
            # Backwards, the record that hands the log over says by which key it was sealed before.
            sealing = predecessor(stored, sealing) or sealing
            try:
                segment, after = resume(name, stored, sealing, log)
            except ChainBroken as broken:
                is_good = False
                click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)
                continue
            head = head or after
            newest.appendleft(segment)
            wanted -= len(segment.lines)
            if wanted <= 0:
                break
    lines = [line for segment in newest for line in segment.lines]
    for line in lines[len(lines) - min(count, len(lines)) :]:
        show(line)
    if is_followed and head is not None:
        await _follow(store, head, following, show)
    return is_good


async def _follow(store: ObjectStore, head: Head, verifier: Verifier, show: Callable[[bytes], None]) -> NoReturn:
    """Show what is appended, for ever."""
    reachable = True
    while True:
        name = head.next_name()
        try:
            stored = await store.get(name)
        except ObjectMissing:
            reachable = True
            await asyncio.sleep(_POLL)
            continue
        except StoreUnavailable as error:
            if reachable:
                click.echo(f"{error} Trying on.", err=True)
            reachable = False
            await asyncio.sleep(_POLL)
            continue
        try:
            segment, head = follow(head, name, stored, verifier)
            verifier = successor(segment, verifier)
        except ChainBroken as broken:
            click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)
            # The operator goes on after what is not its own; so does this.
            head = head.voided(stored)
            continue
        for line in segment.lines:
            show(line)

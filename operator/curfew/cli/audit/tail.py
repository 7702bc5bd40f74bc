"""`curfew audit tail`: shows the newest records, and the records that are appended."""

import asyncio
import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, NoReturn

import click

from curfew.adapters.clock import SystemClock
from curfew.api.names import SELF_TEST_REQUEST, is_self_test
from curfew.audit.checkpoint import Verifier
from curfew.audit.places import place
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.query import Query
from curfew.audit.rotation import predecessor
from curfew.audit.segment import ChainBroken, Head, Segment, resume
from curfew.audit.wording import count as counted
from curfew.audit.wording import printable, sentence
from curfew.cli.audit import options
from curfew.cli.audit.console import Table, show_json, with_names
from curfew.cli.audit.exits import TAMPERED, VERIFIED
from curfew.cli.audit.listing import LISTINGS
from curfew.cli.audit.query_options import questions, read_query
from curfew.cli.audit.reading import given_key, known_people, note, open_location, unreadable
from curfew.ports import ObjectStore, StoreUnavailable
from curfew.reader.beginnings import find_claim, kept
from curfew.reader.errors import Unfounded
from curfew.reader.follow import Follower
from curfew.reader.source import announced, last_key, list_log, read
from curfew.reader.stream import read_record

Show = Callable[[int, bytes], None]
_POLL = 1.0  # seconds between two looks for the next segment


MOST_BAD = 100
"""How many bad segments are named. After that, no older segments are looked at."""


@click.command("tail", short_help="Show the newest records; -f follows the log.")
@options.location
@options.log
@options.key
@options.key_file
@click.option(
    "-n",
    "--lines",
    "count",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="The number of records to show.",
)
@click.option(
    "-f",
    "--follow",
    "is_followed",
    is_flag=True,
    help="Follow the log: show new records as they are written. Ctrl-C ends it.",
)
@questions
@options.listing
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
    **asked: Any,
) -> None:
    """Show the newest records of a log as a person would read them.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. Each line is one thing that happened: when
    (UTC), what, and a sentence. The signature of each segment is checked. That no segment is missing is not checked;
    `curfew audit verify` does that.

    \b
    Examples:
      curfew audit tail s3://acme-access-log/prod
      curfew audit tail s3://acme-access-log/prod -f
      curfew audit tail s3://acme-access-log/prod -f --person alice@example.com
      curfew audit tail ./copy -n 1000 -o json | jq -r .message

    With -o json, each line is a record as it is stored: an OCSF event in canonical JSON. With -o jsonl, each line also
    has the index of the record, as in `curfew audit search`. The options that select records are the same as there.

    \b
    Exit code 0: all that was shown is signed.
              1: a segment was altered and is not shown; the message names it.
              2: the command was wrong; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    store = open_location(location)
    query = read_query(asked, SystemClock().now())
    with unreadable():
        known = asyncio.run(known_people(people))
        query = dataclasses.replace(query, also={person.name: pseudonym for pseudonym, person in known.items()})
        show = _in_form(output, known)
        hidden = _SelfTest(show) if output == "table" and not _asks(query) else None
        is_good = asyncio.run(show_newest(store, log, verifier, count, query, hidden or show, is_followed=is_followed))
    if hidden is not None and hidden.number:
        records = counted(hidden.number, "record")
        click.echo(f"{records} of Curfew's self-test not shown; --request {SELF_TEST_REQUEST} shows them.", err=True)
    sys.exit(VERIFIED if is_good else TAMPERED)


def _in_form(output: str, people: Mapping[str, Person]) -> Show:
    """Return a function that shows a record, given its index and line."""
    if output in ("table", "json"):
        show = with_names(show_json if output == "json" else Table(), people)
        return lambda _, line: show(line)
    listing = LISTINGS[output]()

    def show_in_list(index: int, line: bytes) -> None:
        record = read_record(line)
        shown = revealed(record, people) if record is not None else None
        listing.show(index, line if shown is record or shown is None else shown.line(), shown)

    return show_in_list


class _SelfTest:
    """Shows all records except those of the requests that Curfew makes to test its admission policies. Counts those."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self.number = 0

    def __call__(self, index: int, line: bytes) -> None:
        """Show a record, or count it."""
        record = read_record(line)
        told = record.block.get("story", {}) if record is not None else {}
        names = (str(told.get(name)) for name in ("namespace", "request", "submitted_by"))
        if record is not None and record.event in _OF_A_SELF_TEST and is_self_test(*names):
            self.number += 1
        else:
            self._show(index, line)


_OF_A_SELF_TEST = frozenset({"request.created", "request.rejected", "request.closed"})
"""The events of a self-test. All other events of a request with that name are shown."""


def _asks(query: Query) -> bool:
    """Whether the query asks for only some records."""
    return query != dataclasses.replace(Query(), also=query.also)


def _answers(query: Query, segment: Segment) -> list[tuple[int, bytes]]:
    """Return index and line of the records in a segment that the query asks for."""
    numbered = enumerate(segment.lines, segment.first)
    if not _asks(query):
        return list(numbered)  # also the records that this version cannot read
    matches = query.matcher()
    return [(index, line) for index, line in numbered if (record := read_record(line)) is not None and matches(record)]


async def show_newest(
    store: ObjectStore,
    log: str,
    verifier: Verifier | None,
    count: int,
    query: Query,
    show: Show,
    *,
    is_followed: bool,
) -> bool:
    """Show the newest records that a query asks for. Return whether all segments that were read are good."""
    names = [name for name in await list_log(store, log, note=note) if place(log, name) >= 0]
    try:
        claim = await find_claim(store, log, names)
        beginning = claim.beginning if claim is not None else None
        names = kept(log, names, claim)
        verifier = verifier or await announced(store, log, names, beginning)
    except Unfounded as error:
        click.echo(printable(sentence(str(error))), err=True)
        return False
    is_good, bad = True, 0
    newest: deque[list[tuple[int, bytes]]] = deque()
    head: Head | None = None
    wanted = count
    sealing = following = await last_key(store, log, names, verifier)
    async with aclosing(read(store, log, names[::-1])) as objects:
        async for name, stored in objects:
            # Reading backwards, the record that hands the log over names the key that sealed the log before.
            sealing = predecessor(stored, sealing) or sealing
            try:
                segment, after = resume(name, stored, sealing, log)
            except ChainBroken as broken:
                is_good = False
                click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)
                bad += 1
                if bad == MOST_BAD:
                    click.echo(
                        f"{MOST_BAD} segments could not be shown. `curfew audit verify --all` names each.", err=True
                    )
                    break
                continue
            head = head or after
            newest.appendleft(_answers(query, segment))
            wanted -= len(newest[0])
            if wanted <= 0:
                break
    found = [one for answers in newest for one in answers]
    for index, line in found[len(found) - min(count, len(found)) :]:
        show(index, line)
    if is_followed and head is not None:
        await _follow(store, head, following, query, show)
    return is_good


async def _follow(store: ObjectStore, head: Head, verifier: Verifier, query: Query, show: Show) -> NoReturn:
    """Show the records that are appended, for ever."""

    def bad(broken: ChainBroken) -> None:
        # The operator continues after an object that is not its own; so does this command.
        click.echo(printable(sentence(f"{broken}, and is not shown")), err=True)

    follower = Follower(store, head, verifier, bad)
    reachable = True
    while True:
        try:
            async for segment in follower.appended():
                for index, line in _answers(query, segment):
                    show(index, line)
            reachable = True
        except StoreUnavailable as error:
            if reachable:
                click.echo(f"{error} Trying again.", err=True)
            reachable = False
        await asyncio.sleep(_POLL)

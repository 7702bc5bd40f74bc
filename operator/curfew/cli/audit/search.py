"""`curfew audit search`: finds records by person, request, role, time or words, and shows the story of one request."""

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.checkpoint import Verifier
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.query import Query
from curfew.audit.record import Record
from curfew.audit.wording import NO_KEY, count, printable
from curfew.cli.audit import options
from curfew.cli.audit.console import progress, show_row
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.listing import LISTINGS, Listing, TableListing
from curfew.cli.audit.query_options import TIMES, questions, read_query
from curfew.cli.audit.reading import given_key, known_people, note, open_location, tell, unreadable
from curfew.cli.audit.story import tell as tell_story
from curfew.ports import ObjectStore
from curfew.reader.beginnings import Claim, find_claim, kept
from curfew.reader.errors import NotVerified
from curfew.reader.parallel_search import sifted_records
from curfew.reader.search_index.file import IndexUnusable
from curfew.reader.search_index.index import Index, open_index
from curfew.reader.source import list_log
from curfew.reader.stream import known_key, read_record

_ROWS = 1000  # most rows of a table, unless --limit is given


@click.command("search", short_help="Find records, or show the story of one request.", epilog=TIMES)
@options.location
@click.argument("words", nargs=-1)
@questions
@click.option("--story/--list", "is_story", default=None, help="Show the whole story of the request that is found.")
@click.option(
    "--limit",
    type=click.IntRange(0),
    metavar="N",
    help="Show only the newest N; 0 shows all. Default for a table: 1,000.",
)
@click.option("--no-index", is_flag=True, help="Read the whole log, even if there is an index.")
@options.log
@options.key
@options.key_file
@options.listing
@options.people
def search(
    location: str,
    log: str,
    key: str | None,
    key_file: Path | None,
    *,
    is_story: bool | None,
    limit: int | None,
    no_index: bool,
    output: str,
    people: str | None,
    **asked: Any,
) -> None:
    """Find records in a log: who had what access, when, why, and who agreed.

    LOCATION is a bucket (s3://BUCKET/PREFIX, gs://…, az://…) or a folder. A record matches if it contains all WORDS. If
    an option is given several times, one of its values has to match; different options all have to match. In a PATTERN,
    * matches anything.

    If the log holds pseudonyms, --people lets you search for names, and shows them.

    The log is verified while it is read, and only records from before the first bad place are shown. Each record is
    shown with its index, which `curfew audit prove` takes. If you name one request exactly, its story is shown.

    \b
    Examples:
      curfew audit search s3://acme-access-log/prod --person alice@example.com --since "30 days ago"
      curfew audit search s3://acme-access-log/prod --request payments/inc-4711
      curfew audit search s3://acme-access-log/prod --event 'grant.*' --period "last week" -o csv > grants.csv
      curfew audit search ./copy --ticket INC-4711 --story
      curfew audit search ./copy --audit-id 0e6c5c1e-… -o jsonl | jq -r .record.message
      curfew audit search ./copy crash-loop deploy

    \b
    Exit code 0: the log verifies; the matching records are shown, if there are any.
              1: it does not; matching records from before the first bad place are shown.
              2: the command was wrong; the message shows why.
              3: the log cannot be read: no such bucket or log, wrong credentials.
    """  # noqa: D301  click's mark for lines that stay as they are
    verifier = given_key(key, key_file, log)
    query = read_query(asked, SystemClock().now())
    store = open_location(location)
    with unreadable():
        known = asyncio.run(known_people(people))
    query = dataclasses.replace(query, also={person.name: pseudonym for pseudonym, person in known.items()})
    source = _Source(store, log, verifier, known, has_index=not no_index)
    with unreadable():
        if is_story or (is_story is None and output == "table" and _names_one_request(query)):
            asyncio.run(_tell(source, query, or_list=not is_story))
        else:
            rows = limit if limit is not None else _ROWS if output == "table" else 0
            asyncio.run(_list(source, query, LISTINGS[output](), rows, is_table=output == "table"))
    if verifier is None:
        click.echo(f"Note: {NO_KEY}", err=True)


@dataclass(frozen=True, slots=True)
class _Source:
    """The log to search, and how."""

    store: ObjectStore
    log: str
    given: Verifier | None
    people: Mapping[str, Person]  # by pseudonym, if the log holds pseudonyms
    has_index: bool


@dataclass(frozen=True, slots=True)
class _Found:
    index: int
    line: bytes
    record: Record


async def _list(source: _Source, query: Query, listing: Listing, rows: int, *, is_table: bool) -> None:
    """Print what is found. If `rows` is not 0, print only that many, the newest."""
    kept: deque[_Found] = deque(maxlen=rows or None)
    number = 0
    refused: NotVerified | None = None
    try:
        async with aclosing(_find(source, query)) as found:
            async for one in found:
                number += 1
                if rows:
                    kept.append(one)
                else:
                    listing.show(one.index, one.line, one.record)
    except NotVerified as error:
        refused = error
    for one in kept:
        listing.show(one.index, one.line, one.record)
    listing.end()
    if refused is not None:
        raise refused
    if is_table and not number:
        click.echo("No matching records. The log verifies.")
    if rows and number > rows:
        click.echo(f"{count(number - rows, 'older record')} not shown; --limit 0 shows all.", err=True)


async def _tell(source: _Source, query: Query, *, or_list: bool) -> None:
    """Print the story of the one request that is found; if there are several, list them or refuse."""
    found, refused = await _all(source, query)
    found = [one for one in found if "story" in one.record.block]
    subjects = {one.record.subject: one for one in found}
    if len(subjects) > 1 and not or_list:
        raise _Several(subjects.values())
    if len(subjects) > 1:
        listing = TableListing()
        for one in found:
            listing.show(one.index, one.line, one.record)
        click.echo(
            f"These are records of {len(subjects)} requests. To read the story of one: --story --request UID.", err=True
        )
    elif subjects:
        if refused is None and not _asks_for_all_of_a_request(query):
            found, refused = await _all(source, Query({"request": tuple(subjects)}))
        for row in tell_story([(one.index, one.record) for one in found]):
            show_row(*row)
    if refused is not None:
        raise refused
    if not subjects:
        click.echo("No matching request. The log verifies.")


async def _all(source: _Source, query: Query) -> tuple[list[_Found], NotVerified | None]:
    """Return all answers to a query. If the log does not verify, also return why there are no more."""
    found: list[_Found] = []
    try:
        async with aclosing(_find(source, query)) as records:
            async for one in records:
                found.append(one)  # noqa: PERF401  answers from before an error count
    except NotVerified as error:
        return found, error
    return found, None


def _asks_for_all_of_a_request(query: Query) -> bool:
    """Whether the query matches all records of each request that it finds."""
    return query == Query({"request": query.patterns.get("request", ())}, also=query.also)


class _Several(click.ClickException):
    """A story is asked for, and several requests are found."""

    exit_code = USAGE

    def __init__(self, found: Iterable[_Found]) -> None:
        """Name the requests that were found."""
        requests = [one.record.block["story"] for one in found]
        lines = [f"  --request {story['uid']}  {story['namespace']}/{story['request']}" for story in requests[:20]]
        more = [f"  and {len(requests) - 20:,} more"] if len(requests) > 20 else []
        super().__init__(
            printable(f"{len(requests):,} requests match, but --story shows one. Pick one, or use --list:")
            + "".join(f"\n{printable(line)}" for line in (*lines, *more))
        )


def _names_one_request(query: Query) -> bool:
    """Whether the query asks for a request by its whole name."""
    names = query.patterns.get("request", ())
    return len(names) == 1 and not set("*?") & set(names[0])


async def _find(source: _Source, query: Query) -> AsyncGenerator[_Found]:
    """Yield the answers to a query, in the order of the log. Raise as `verified_segments` does."""
    matches = query.matcher()
    async with aclosing(_candidates(source, query)) as candidates:
        async for index, line in candidates:
            record = read_record(line)
            if record is not None and matches(record):
                shown = revealed(record, source.people)
                yield _Found(index, line if shown is record else shown.line(), shown)


async def _candidates(source: _Source, query: Query) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield index and line of each record that may match, in the order of the log. Raise as `verified_segments` does."""
    names = await list_log(source.store, source.log, note=note)
    claim = await find_claim(source.store, source.log, names)
    names = kept(source.log, names, claim)
    beginning = claim.beginning if claim is not None else None
    verifier = await known_key(source.store, source.log, source.given, names, beginning)
    tell(beginning)
    if source.has_index:
        try:
            with open_index(source.store.url, source.log, verifier) as index:
                async with aclosing(_indexed(index, source, verifier, query, names, claim)) as candidates:
                    async for candidate in candidates:
                        yield candidate
                return
        except IndexUnusable as error:
            click.echo(f"Note: the index cannot be used, so the whole log is read. {error}", err=True)
    sifted = sifted_records(source.store, source.log, names, verifier, query, claim=claim, progress=progress)
    async with aclosing(sifted) as candidates:
        async for candidate in candidates:
            yield candidate


async def _indexed(
    index: Index, source: _Source, verifier: Verifier, query: Query, names: Sequence[str], claim: Claim | None
) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield what the index holds, then what is new in the log. New records are added to the index."""
    if index.emptied is not None:
        click.echo(f"Note: The index in {index.path} is being rebuilt: {index.emptied}.", err=True)
    beginning = claim.beginning if claim is not None else None
    since = await index.since(source.store, source.log, names, beginning)
    for index_of_one, line in index.find(query):
        if beginning is None or index_of_one >= beginning.record:
            yield index_of_one, line
    sifted = sifted_records(source.store, source.log, names, verifier, query, index, since, claim, progress=progress)
    async with aclosing(sifted) as candidates:
        async for candidate in candidates:
            yield candidate
    if index.not_kept is not None:
        why = f"The index in {index.path} cannot be written: {index.not_kept}."
        click.echo(f"Note: {why} The result is complete. The next search verifies the same records again.", err=True)
    elif since is None and index.size:
        kept = f"{index.size / 1e6:,.1f} MB of verified records are kept in {index.path}"
        click.echo(f"Note: {kept}, so that the next search is quick; --no-index keeps nothing.", err=True)

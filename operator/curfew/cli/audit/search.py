"""`curfew audit search`: finds records by person, request, role, time or words, and shows the story of one request."""

import asyncio
import dataclasses
import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.query import Query
from curfew.audit.wording import count, printable
from curfew.cli.audit import options
from curfew.cli.audit.both_logs import Asked, activity_options, open_both, typed_log_alone
from curfew.cli.audit.console import show_row
from curfew.cli.audit.exits import USAGE
from curfew.cli.audit.finding import Found, SearchedLog, find_in
from curfew.cli.audit.listing import LISTINGS, Listing, TableListing
from curfew.cli.audit.query_options import TIMES, questions, read_query
from curfew.cli.audit.reading import known_people, unreadable
from curfew.cli.audit.story import tell as tell_story
from curfew.reader.errors import NotVerified

_ROWS = 1000  # most rows of a table, and most records of activity in a story, unless --limit is given


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
@activity_options
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
    activity_log: str | None,
    activity_at: str | None,
    activity_key: str | None,
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
    named = Asked(location, log, key, key_file, activity_log, activity_at, activity_key, is_one=typed_log_alone())
    query = read_query(asked, SystemClock().now())
    with unreadable():
        both = asyncio.run(open_both(named))
        known = asyncio.run(known_people(people))
        query = dataclasses.replace(query, also={person.name: pseudonym for pseudonym, person in known.items()})
        logs = [SearchedLog(one.store, one.log, one.given, known, not no_index) for one in both.places]
        if is_story or (is_story is None and output == "table" and _names_one_request(query)):
            asyncio.run(_tell(logs, query, _ROWS if limit is None else limit, or_list=not is_story))
        else:
            rows = limit if limit is not None else _ROWS if output == "table" else 0
            asyncio.run(_list(logs, query, LISTINGS[output](_names(logs)), rows, is_table=output == "table"))
    both.note_keys()


def _names(logs: Sequence[SearchedLog]) -> tuple[str, ...]:
    """Return the names of the logs if there are several: then each line names its log."""
    return tuple(one.log for one in logs) if len(logs) > 1 else ()


async def _list(logs: Sequence[SearchedLog], query: Query, listing: Listing, rows: int, *, is_table: bool) -> None:
    """Print what is found. If `rows` is not 0, print only that many, the newest."""
    kept: deque[Found] = deque(maxlen=rows or None)
    has_log = len(logs) > 1
    number = 0
    refused: NotVerified | None = None

    def show(one: Found) -> None:
        listing.show(one.index, one.line, one.record, one.log if has_log else "")

    try:
        async with aclosing(find_in(logs, query)) as found:
            async for one in found:
                number += 1
                if rows:
                    kept.append(one)
                else:
                    show(one)
    except NotVerified as error:
        refused = error
    for one in kept:
        show(one)
    listing.end()
    if refused is not None:
        raise refused
    if is_table and not number:
        click.echo(f"No matching records. The {'logs verify' if has_log else 'log verifies'}.")
    if rows and number > rows:
        click.echo(f"{count(number - rows, 'older record')} not shown; --limit 0 shows all.", err=True)


async def _tell(logs: Sequence[SearchedLog], query: Query, most: int, *, or_list: bool) -> None:
    """Print the story of the one request that is found; if there are several, list them or refuse.

    If `most` is not 0, print only that many records of the log of activity, the newest.
    """
    found, left_out, refused = await _gather(logs, query, most)
    subjects = {one.record.subject: one for one in found}
    if len(subjects) > 1 and not or_list:
        raise _Several(subjects.values())
    if len(subjects) > 1:
        listing = TableListing(_names(logs))
        for one in found:
            listing.show(one.index, one.line, one.record, one.log)
        click.echo(
            f"These are records of {len(subjects)} requests. To read the story of one: --story --request UID.", err=True
        )
    elif subjects:
        if refused is None and not _asks_for_all_of_a_request(query):
            found, left_out, refused = await _gather(logs, Query({"request": tuple(subjects)}), most)
        main = logs[0].log
        told = [(str(one.index) if one.log == main else f"{one.log} {one.index}", one.record) for one in found]
        for row in tell_story(told, *(one.log for one in logs[1:])):
            show_row(*row)
    if left_out:
        activity = count(left_out, "older record")
        click.echo(
            f"{activity} of activity not shown; --limit 0 shows all, `curfew audit session` groups them.", err=True
        )
    if refused is not None:
        raise refused
    if not subjects:
        click.echo(f"No matching request. The {'logs verify' if len(logs) > 1 else 'log verifies'}.")


async def _gather(logs: Sequence[SearchedLog], query: Query, most: int) -> tuple[list[Found], int, NotVerified | None]:
    """Return what is found about requests: all of the trail, and the newest of the log of activity.

    Also return how many were left out, and, if a log does not verify, why there are no more.
    """
    kept: list[tuple[int, Found]] = []
    newest: deque[tuple[int, Found]] = deque(maxlen=most or None)
    number = 0
    refused: NotVerified | None = None
    try:
        async with aclosing(find_in(logs, query)) as records:
            async for one in records:
                if "story" in one.record.block:
                    of_trail = one.log == logs[0].log
                    (kept if of_trail else newest).append((len(kept) + number, one))
                    number += not of_trail
    except NotVerified as error:
        refused = error
    ordered = heapq.merge(kept, newest, key=lambda numbered: numbered[0])
    return [one for _, one in ordered], number - len(newest), refused


def _asks_for_all_of_a_request(query: Query) -> bool:
    """Whether the query matches all records of each request that it finds."""
    return query == Query({"request": query.patterns.get("request", ())}, also=query.also)


class _Several(click.ClickException):
    """A story is asked for, and several requests are found."""

    exit_code = USAGE

    def __init__(self, found: Iterable[Found]) -> None:
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

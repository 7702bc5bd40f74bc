"""Finding the answers to a query in a log, or in several logs in the order of time: verified, with the search's index."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass

import click

from curfew.audit.checkpoint import Verifier
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.query import Query
from curfew.audit.record import Record
from curfew.cli.audit.console import progress
from curfew.cli.audit.reading import note, tell
from curfew.ports import ObjectStore
from curfew.reader.beginnings import Claim, find_claim, kept
from curfew.reader.errors import NotVerified
from curfew.reader.parallel_search import sifted_records
from curfew.reader.search_index.file import IndexUnusable
from curfew.reader.search_index.index import Index, open_index
from curfew.reader.source import list_log
from curfew.reader.stream import known_key, read_record


@dataclass(frozen=True, slots=True)
class SearchedLog:
    """A log to search, and how."""

    store: ObjectStore
    log: str
    given: Verifier | None
    people: Mapping[str, Person]  # by pseudonym, if the log holds pseudonyms
    has_index: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A verified record that answers a query, with its log and its index there."""

    log: str
    index: int
    line: bytes
    record: Record


async def find_in(logs: Sequence[SearchedLog], query: Query) -> AsyncGenerator[Found]:
    """Yield the answers in several logs: each log in its own order, and of the next of each the one that happened first.

    If a log does not verify, its answers end there and those of the others go on; its error is raised at the end.
    """
    refused: NotVerified | None = None
    async with AsyncExitStack() as stack:
        finding = [await stack.enter_async_context(aclosing(find(log, query))) for log in logs]
        heads: dict[int, Found] = {}
        waiting = set(range(len(finding)))
        while True:
            for place in waiting:
                try:
                    heads[place] = await anext(finding[place])
                except StopAsyncIteration:
                    heads.pop(place, None)
                except NotVerified as error:
                    heads.pop(place, None)
                    refused = refused or error
            if not heads:
                break
            first = min(heads, key=lambda place: (heads[place].record.at, place))
            yield heads[first]
            waiting = {first}
    if refused is not None:
        raise refused


async def find_all(logs: Sequence[SearchedLog], query: Query) -> tuple[list[Found], NotVerified | None]:
    """Return all answers to a query. If a log does not verify, also return why there are no more."""
    found: list[Found] = []
    try:
        async with aclosing(find_in(logs, query)) as records:
            async for one in records:
                found.append(one)  # noqa: PERF401  answers from before an error count
    except NotVerified as error:
        return found, error
    return found, None


async def find(source: SearchedLog, query: Query) -> AsyncGenerator[Found]:
    """Yield the answers to a query, in the order of the log. Raise as `verified_segments` does."""
    matches = query.matcher()
    async with aclosing(_candidates(source, query)) as candidates:
        async for index, line in candidates:
            record = read_record(line)
            if record is not None and matches(record):
                shown = revealed(record, source.people)
                yield Found(source.log, index, line if shown is record else shown.line(), shown)


async def _candidates(source: SearchedLog, query: Query) -> AsyncGenerator[tuple[int, bytes]]:
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
    index: Index, source: SearchedLog, verifier: Verifier, query: Query, names: Sequence[str], claim: Claim | None
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

"""Searching a log while it is verified, with all processors: each segment is searched where it is opened."""

import functools
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from curfew.audit.checkpoint import Verifier
from curfew.audit.gist import Gist, open_gist
from curfew.audit.query import Query
from curfew.audit.segment import ChainBroken
from curfew.audit.verify import Walk, place
from curfew.cli.audit.parallel import in_parallel
from curfew.cli.audit.reading import list_log, read
from curfew.cli.audit.showing import progress
from curfew.cli.audit.stream import NotVerified
from curfew.ports import ObjectStore


@dataclass(frozen=True, slots=True)
class Sifted:
    """A segment that is good in itself: its gist, and the lines in it that may be answers, with their indexes."""

    gist: Gist
    lines: list[tuple[int, bytes]]


async def sifted_records(
    store: ObjectStore, log: str, verifier: Verifier, query: Query
) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield index and line of what may answer a query, in the order of the log.

    All of it is verified before, as by `verified_segments`, and the same is raised.
    """
    names = await list_log(store, log)
    walk = Walk(log, verifier)
    work = functools.partial(sift, query=query)
    waiting: deque[tuple[str, bytes, Sifted | None]] = deque()  # taken, and not yet known to be good in their place
    with progress(len(names), "objects") as advance:
        objects = in_parallel(read(store, names), log, lambda: walk.verifier, os.cpu_count() or 1, work)
        async with aclosing(objects):
            async for name, stored, elsewhere in objects:
                sifted = elsewhere or sift([(name, stored)], walk.verifier, log, query)[0]
                walk.take(name, stored, sifted.gist if sifted is not None else None)
                waiting.append((name, stored, sifted))
                advance()
                if not walk.is_whole:
                    break
                for line in _settled(walk, log, query, waiting):
                    yield line
    if findings := walk.finish().findings:
        raise NotVerified(findings[0])
    for line in _settled(walk, log, query, waiting):
        yield line


def sift(objects: Sequence[tuple[str, bytes]], verifier: Verifier, log: str, query: Query) -> list[Sifted | None]:
    """Return what may be an answer in each object, or None for one that is not good in itself, or not sealed by this key."""
    may_match = query.sieve()
    found: list[Sifted | None] = []
    for name, stored in objects:
        try:
            gist, segment = open_gist(name, stored, verifier, log)
            lines = [(index, line) for index, line in enumerate(segment.lines, segment.first) if may_match(line)]
            found.append(Sifted(gist, lines))
        except ChainBroken:
            found.append(None)
    return found


def _settled(
    walk: Walk, log: str, query: Query, waiting: deque[tuple[str, bytes, Sifted | None]]
) -> Iterator[tuple[int, bytes]]:
    """Yield what is in the objects that the walk has gone past; they are taken from `waiting`."""
    verified = walk.verified
    while waiting and 0 <= place(log, waiting[0][0]) <= verified.head.seq:
        name, stored, sifted = waiting.popleft()
        seq = place(log, name)
        sealer = next((tenure.verifier for tenure in reversed(verified.keys) if tenure.segment <= seq), walk.verifier)
        if sifted is None or sifted.gist.verifier != sealer:
            # It was opened before it was known that the log had been handed over; or it is void, and holds nothing.
            sifted = sift([(name, stored)], sealer, log, query)[0]
        yield from sifted.lines if sifted is not None else ()

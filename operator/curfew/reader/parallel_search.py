"""Searching a log while it is verified, with all processors: each segment is searched in the process that opens it."""

import functools
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from curfew.audit.checkpoint import Verifier
from curfew.audit.places import place, up_to
from curfew.audit.query import Query
from curfew.audit.segment import ChainBroken
from curfew.audit.segment_summary import SegmentSummary, open_summary
from curfew.audit.walk import Walk
from curfew.audit.witness import Witness
from curfew.ports import ObjectStore
from curfew.reader.beginnings import Claim
from curfew.reader.errors import NotVerified
from curfew.reader.parallel import in_parallel, processors
from curfew.reader.progress import Progress, silent
from curfew.reader.search_index.rows import Packed, Rows
from curfew.reader.source import read
from curfew.reader.stream import verify_first


class Keeper(Protocol):
    """Keeps verified segments: an index."""

    def add(self, summary: SegmentSummary, packed: Packed, stored: bytes) -> None:
        """Add a verified segment. Raise `NotVerified` if it repeats an earlier one."""

    def keep(self, log: str, names: Sequence[str], reached: Witness | None) -> None:
        """Commit all that was added: the log, whose objects have these names, verifies up to `reached`."""


@dataclass(frozen=True, slots=True)
class Sifted:
    """A segment that is good by itself: its summary, the lines that may be answers, and the part for an index."""

    summary: SegmentSummary
    lines: list[tuple[int, bytes]]  # with their indexes
    packed: Packed | None  # None if there is no index


async def sifted_records(
    store: ObjectStore,
    log: str,
    names: Sequence[str],
    verifier: Verifier,
    query: Query | None,
    index: Keeper | None = None,
    since: Witness | None = None,
    claim: Claim | None = None,
    *,
    progress: Progress = silent,
) -> AsyncGenerator[tuple[int, bytes]]:
    """Yield index and line of each possible answer to a query, in the order of the log, whose objects have these names.

    Without a query nothing is yielded, and the whole log is verified and added to the index.

    Every record is verified before it is yielded, as by `verified_segments`, and the same errors are raised. With an
    index, only the part after the witness is read, and it is added to the index if the log verifies to its end. A log
    that claims to begin later must state it.
    """
    unseen = names[len(up_to(log, names, since.head.seq - 1)) :] if since is not None else names
    beginning = claim.beginning if claim is not None else None
    walk = Walk(log, verifier, since=since, beginning=beginning)
    work = functools.partial(sift, query=query, has_index=index is not None)
    waiting: deque[tuple[str, bytes, Sifted | None]] = deque()  # taken, but not yet known to be good in their place
    is_ours = False

    async def settled() -> AsyncGenerator[tuple[int, bytes]]:
        """Yield the lines in the objects that the walk has passed, and remove these objects from `waiting`."""
        verified = walk.verified
        while waiting and 0 <= (seq := place(log, waiting[0][0])) <= verified.head.seq:
            name, stored, sifted = waiting.popleft()
            if since is not None and seq == since.head.seq:
                continue
            sealer = next((one.verifier for one in reversed(verified.keys) if one.segment <= seq), walk.verifier)
            if sifted is None or sifted.summary.verifier != sealer:
                # It was opened before it was known that the log had been handed over; or it is void, and holds nothing.
                sifted = work([(name, stored)], sealer, log)[0]
            if sifted is None:
                continue
            if index is not None and sifted.packed is not None:
                index.add(sifted.summary, sifted.packed, stored)
            for line in sifted.lines:
                yield line

    with progress(len(unseen), "objects") as advance:
        objects = in_parallel(read(store, log, unseen), log, lambda: walk.verifier, processors(), work)
        async with aclosing(objects):
            async for name, stored, elsewhere in objects:
                sifted = elsewhere or work([(name, stored)], walk.verifier, log)[0]
                walk.take(name, stored, sifted.summary if sifted is not None else None)
                waiting.append((name, stored, sifted))
                advance()
                if not walk.is_whole:
                    break
                async for line in settled():
                    if not (is_ours or (walk.is_proven and (claim is None or claim.is_sealed_by(verifier)))):
                        await verify_first(store, log, names, verifier, beginning)
                    is_ours = True
                    yield line
    examined = walk.finish()
    if examined.findings:
        raise NotVerified(examined.findings[0])
    async for line in settled():
        yield line
    if index is not None:
        index.keep(log, names, Witness.of(examined.verified, verifier, key_was_given=False))


def sift(
    objects: Sequence[tuple[str, bytes]], verifier: Verifier, log: str, query: Query | None, *, has_index: bool
) -> list[Sifted | None]:
    """Return the possible answers in each object, or None for one that is not good by itself or has another key."""
    may_match = query.sieve() if query is not None else None
    rows_may_match = query.parts()[0].sieve() if query is not None else None
    return [_sifted(one, verifier, log, may_match, rows_may_match, has_index=has_index) for one in objects]


_Sieve = Callable[[bytes], bool] | None


def _sifted(
    one: tuple[str, bytes],
    verifier: Verifier,
    log: str,
    may_match: _Sieve,
    rows_may_match: _Sieve,
    *,
    has_index: bool,
) -> Sifted | None:
    name, stored = one
    found = Rows()
    try:
        summary, segment = open_summary(name, stored, verifier, log, found.add if has_index else None)
    except ChainBroken:
        return None
    packed = found.of(segment) if has_index else None
    if may_match is None or rows_may_match is None:
        return Sifted(summary, [], packed)
    if packed is not None and not rows_may_match(packed.texts):
        return Sifted(summary, [], packed)  # checking the rows first is much faster
    lines = [(index, line) for index, line in enumerate(segment.lines, segment.first) if may_match(line)]
    return Sifted(summary, lines, packed)

"""Reads a log with every check of `verify`: it yields only what is verified up to that place."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import orjson

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Verifier
from curfew.audit.findings import Anchor, Verified
from curfew.audit.record import Record, RecordRefused
from curfew.audit.segment import Segment
from curfew.audit.walk import Walk
from curfew.ports import ObjectStore
from curfew.reader.beginnings import find_claim, kept
from curfew.reader.errors import NotVerified, Unfounded
from curfew.reader.progress import Progress, silent
from curfew.reader.source import announced, list_log, read


@dataclass(frozen=True, slots=True)
class VerifiedSegment:
    """A verified segment, its object, and the verified state of the log up to and including it."""

    segment: Segment
    stored: bytes
    verified: Verified


@dataclass(frozen=True, slots=True)
class VerifiedRecord:
    """A verified record: its index in the log, its line without the newline, and the segment that holds it."""

    index: int
    line: bytes
    segment: Segment
    record: Record | None  # None if the line is of a kind that this version does not read


async def verified_records(
    store: ObjectStore, log: str, verifier: Verifier, anchors: Iterable[Anchor] = (), *, progress: Progress = silent
) -> AsyncGenerator[VerifiedRecord]:
    """Yield the records of a log, in order. Raise as `verified_segments` does."""
    async with aclosing(verified_segments(store, log, verifier, anchors, progress=progress)) as links:
        async for link in links:
            for index in range(link.segment.first, link.segment.first + len(link.segment.lines)):
                yield told_at(link.segment, index)


def told_at(segment: Segment, index: int) -> VerifiedRecord:
    """Return the record of a verified segment that has this index in the log."""
    line = segment.lines[index - segment.first]
    return VerifiedRecord(index, line, segment, read_record(line))


async def verified_segments(
    store: ObjectStore, log: str, verifier: Verifier, anchors: Iterable[Anchor] = (), *, progress: Progress = silent
) -> AsyncGenerator[VerifiedSegment]:
    """Yield the segments of a log, in order; `progress` is called with the progress. Raise `NotVerified` at the first
    bad place, after yielding everything before it; `CannotRead` if there is no log of that name; `StoreError` if it
    cannot be read. A caller that stops before the end has not verified the log.
    """
    names = await list_log(store, log)
    claim = await find_claim(store, log, names)
    names = kept(log, names, claim)
    good: list[Segment] = []
    taken: dict[str, bytes] = {}
    beginning = claim.beginning if claim is not None else None
    walk = Walk(log, verifier, anchors, beginning=beginning, accepted=good.append)
    is_ours = False
    with progress(len(names), "objects") as advance:
        async with aclosing(read(store, log, names)) as objects:
            async for name, stored in objects:
                taken[name] = stored
                walk.take(name, stored)
                advance()
                if not walk.is_whole:
                    break
                if good and not is_ours:
                    if not (walk.is_proven and (claim is None or claim.is_sealed_by(verifier))):
                        await verify_first(store, log, names, verifier, beginning)
                    is_ours = True
                for segment in good:
                    yield VerifiedSegment(segment, taken[segment.name], walk.verified)
                    del taken[segment.name]
                good.clear()
    if findings := walk.finish().findings:
        raise NotVerified(findings[0])
    for segment in good:
        yield VerifiedSegment(segment, taken[segment.name], walk.verified)


async def verify_first(
    store: ObjectStore, log: str, names: Sequence[str], verifier: Verifier, beginning: Beginning | None
) -> None:
    """Raise `NotVerified` unless a log leads to this key, which did not seal its beginning, and states that beginning.

    Only the end of the log can show that.
    """
    walk = Walk(log, verifier, beginning=beginning)
    async with aclosing(read(store, log, names)) as objects:
        async for name, stored in objects:
            walk.take(name, stored)
    findings = walk.finish().findings
    if findings and not (walk.is_proven and walk.is_stated):
        raise NotVerified(findings[0])


async def known_key(
    store: ObjectStore,
    log: str,
    given: Verifier | None,
    names: Sequence[str] | None = None,
    beginning: Beginning | None = None,
) -> Verifier:
    """Return the key that was given, or the one that the log names itself. Raise `NotVerified` if it names none.
    `names` are the names of its objects, and `beginning` its stated beginning; without names, both are looked up.
    """
    if given is not None:
        return given
    try:
        if names is not None:
            return await announced(store, log, names, beginning)
        names = await list_log(store, log)
        claim = await find_claim(store, log, names)
        return await announced(store, log, names, claim.beginning if claim is not None else None)
    except Unfounded as error:
        raise NotVerified(error.finding) from error


def read_record(line: bytes) -> Record | None:
    """Return the record of a verified line, or None if this version cannot read it."""
    try:
        return Record.parse(orjson.loads(line))
    except (RecordRefused, orjson.JSONDecodeError):
        return None

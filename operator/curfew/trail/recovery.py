"""Reads the log back at the start: where it ends, and its recent records.

A listing is used to find some signed segment near the end, and to read ahead. From there on, each segment is asked for by
the only name that it can have, so that neither an old listing nor stray objects matter. Everything that is read is verified,
link by link, from one signed segment to the end. See `search` for what strays can cost.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Generic, TypeVar

from curfew.audit.checkpoint import Verifier
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.record import Record, RecordRefused
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, follow
from curfew.ports import ObjectMissing, ObjectStore
from curfew.trail.ahead import Ahead
from curfew.trail.memory import REMEMBERED, Memory
from curfew.trail.samples import Samples
from curfew.trail.search import Search, Signed

M = TypeVar("M", bound=Memory)


@dataclass(frozen=True, slots=True)
class Recovered(Generic[M]):
    """A log as it was found: the state after its last segment, what is remembered, and which segments there are."""

    head: Head
    memory: M
    samples: Samples  # without a newest sample if the log has not begun
    verifier: Verifier  # the key that signs the next segment
    writer: str = ""  # of the last segment; empty if the log has not begun


async def recover(
    store: ObjectStore,
    log: str,
    verifiers: Sequence[Verifier],
    window: timedelta,
    now: datetime,
    remember: Callable[[], M],
    people: Mapping[str, Person] = MappingProxyType({}),
    lot: Callable[[], float] = random.random,
) -> Recovered[M]:
    """Find the end of a log, and let a new memory from `remember` learn it, with the names of `people` for their pseudonyms.

    The log's last 25 hours are read. `window` is how much is read if the memory of these hours is not complete, which happens
    with a log that an earlier version wrote. `verifiers` are the keys that may have signed that part of the log, the newest
    first; the newest begins a new log. `now` is the clock's time, aware: no segment is looked for under days in the future.
    `lot` decides which segments are kept as samples.

    Both times are measured from the last segment and not from now. Raise `ChainBroken` if that part of the log is not
    whole, `KeyUnknown` if another key has signed it, and a `StoreError` if it cannot be read.
    """
    search = Search(store, log, verifiers, now, lot)
    late = await search.signed()
    if late is None:
        return Recovered(Head.genesis(log), remember(), Samples(window, lot), verifiers[0])
    recovered = await _read_back(store, search, verifiers, late, REMEMBERED, remember(), Samples(window, lot), people)
    if window > REMEMBERED and not recovered.memory.is_complete:
        recovered = await _read_back(store, search, verifiers, late, window, remember(), Samples(window, lot), people)
    return recovered


async def follow_on(
    store: ObjectStore, found: Recovered[M], reveal: Callable[[Sequence[Record]], Awaitable[Sequence[Record]]]
) -> AsyncGenerator[Recovered[M]]:
    """Yield a log that has begun after each segment that was written since it was found, learnt by the same memory.

    Nothing is listed: this makes one read more than there are new segments. `reveal` puts the names of people into records.
    Raise as `recover` does; what was yielded last is good even then.
    """
    chain = _Chain(found.head, found.verifier)
    async with aclosing(_segments(store, (), chain)) as segments:
        async for segment, after in segments:
            told = await reveal(records_of(segment))
            found.samples.learn(segment.name, after)
            found.memory.learn(told, after, own=False)
            yield replace(found, head=after, verifier=chain.verifier, writer=segment.writer)
            await asyncio.sleep(0)


async def confirm(
    store: ObjectStore,
    found: Recovered[M],
    verifiers: Sequence[Verifier],
    now: datetime,
    lot: Callable[[], float] = random.random,
) -> bool:
    """Whether a log that was followed up to its end does end there: False if a listing shows a later segment.

    Raise `ChainBroken` if the log was forked there, `KeyUnknown`, or a `StoreError`.
    """
    head, search = found.head, Search(store, found.head.log, verifiers, now, lot)
    late = await search.signed()
    if late is None:
        return False
    _compare(head, late)
    return late.after.seq <= head.seq and not await search.is_any_signed_after(head.seq)


async def _read_back(
    store: ObjectStore,
    search: Search,
    verifiers: Sequence[Verifier],
    late: Signed,
    span: timedelta,
    memory: M,
    samples: Samples,
    people: Mapping[str, Person],
) -> Recovered[M]:
    """Verify and remember the segments from a span before a segment near the end, and all later ones."""
    first_day = (late.segment.at - span).date()
    # A segment lies in the partition of the day of the segment before it. So one segment of the span may lie before the
    # span's first day: the last one there. Each segment from that one, or from an earlier one, is verified.
    early = await search.signed(before=first_day)
    writer = ""
    if early is None:
        head, verifier = Head.genesis(late.after.log), verifiers[-1]
    else:
        head, verifier, writer = early.after, early.following, early.segment.writer
        _remember(early.segment, head, memory, samples, people)
    chain = _Chain(head, verifier)
    listed = await search.names_since(first_day, late.segment.at.date())
    async with aclosing(_segments(store, listed, chain)) as segments:
        async for segment, after in segments:
            head, writer = after, segment.writer
            _remember(segment, head, memory, samples, people)
            # A segment takes milliseconds, and several may be ready: the end of access need not wait for all of them.
            await asyncio.sleep(0)
            _compare(head, late)
    if head.seq < late.after.seq or await search.is_any_signed_after(head.seq):
        raise ChainBroken(head.seq + 1, head.next_name(), "is missing, though there are segments after it")
    return Recovered(head, memory, samples, chain.verifier, writer)


def _remember(segment: Segment, after: Head, memory: Memory, samples: Samples, people: Mapping[str, Person]) -> None:
    told = records_of(segment)
    if people:
        told = tuple(revealed(record, people) for record in told)
    samples.learn(segment.name, after)
    memory.learn(told, after, own=False)


def _compare(head: Head, late: Signed) -> None:
    """Raise `ChainBroken` if two segments have the same number."""
    if head.seq == late.after.seq and head != late.after:
        raise ChainBroken(head.seq, late.segment.name, "is there twice: the log has been forked")


def records_of(segment: Segment) -> tuple[Record, ...]:
    """Return the records of a segment, or raise `ChainBroken` for a segment that this version cannot read."""
    found = []
    for index, body in enumerate(segment.bodies, segment.first):
        try:
            found.append(Record.parse(body))
        except RecordRefused as error:
            why = f"holds record {index}, which cannot be read: {error}"
            raise ChainBroken(segment.seq, segment.name, why, range(index, index + 1)) from error
    return tuple(found)


async def _segments(
    store: ObjectStore, names: Sequence[str], chain: "_Chain"
) -> AsyncGenerator[tuple[Segment, Head], None]:
    """Yield the next segments of a chain until a name is missing. `names` are those of a listing, used to read ahead."""
    ahead = Ahead(store, names)
    try:
        while True:
            try:
                stored = await ahead.get(chain.next_name)
            except ObjectMissing:
                chain.end()
                return
            if (followed := chain.follow(stored)) is not None:
                yield followed
    finally:
        await ahead.close()


class _Chain:
    """Follows a log from a head on. An object in the way is void if the segment after it commits to it."""

    def __init__(self, head: Head, verifier: Verifier) -> None:
        self._head = head
        self.verifier = verifier  # the key that signs the next segment
        self._doubt: ChainBroken | None = None

    @property
    def seq(self) -> int:
        """The number of the last segment."""
        return self._head.seq

    @property
    def next_name(self) -> str:
        """The only name that the next segment can have."""
        return self._head.next_name()

    def follow(self, stored: bytes) -> tuple[Segment, Head] | None:
        """Return the next segment and the state after it, or None if the object in its place is not a segment.

        That object is then in doubt: either the next segment makes it void, or it is the fault, and is raised.
        """
        try:
            segment, after = follow(self._head, self.next_name, stored, self.verifier)
        except ChainBroken as broken:
            if self._doubt is not None:
                raise self._doubt from broken
            self._doubt, self._head = broken, self._head.voided(stored)
            return None
        self._doubt, self._head = None, after
        self.verifier = successor(segment, self.verifier)
        return segment, after

    def end(self) -> None:
        """Raise for the object in doubt, if there is one: no segment follows that could make it void.

        Nobody can know whether it was one of our segments that was altered later, or never a segment.
        """
        if self._doubt is not None:
            raise self._doubt

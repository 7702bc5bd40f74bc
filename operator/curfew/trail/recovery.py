"""Reading the log back at the start: where it ends, and what it held lately.

A listing is used to find some signed segment near the end, and to read ahead. From there on, each segment is asked for by
the one name that it can have, so that neither an old listing nor stray objects matter. What is read is verified, link by
link, from one signed segment to the end. See `search` for what strays can cost.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
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
    samples: Samples  # without a newest one for a log that has not begun
    verifier: Verifier  # the key that signs what follows


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
    """Find the end of a log, and have a new memory of `remember` learn it, with the names of `people` for their pseudonyms.

    Its last 25 hours are read. `window` is how much is read if what is remembered of these is not complete: of a log that an
    earlier version wrote. `verifiers` are the keys that may have signed that part of it, the
    newest first, which is the one that begins a log. `now` is what the clock shows, aware: no segment is looked for under
    days that are yet to come. By `lot` it is decided which segments are kept in mind.

    Both are measured from the last segment and not from now. Raise `ChainBroken` where that part of the log is not
    whole, `KeyUnknown` where another key has signed it, and a `StoreError` where it cannot be read.
    """
    search = Search(store, log, verifiers, now, lot)
    late = await search.signed()
    if late is None:
        return Recovered(Head.genesis(log), remember(), Samples(window, lot), verifiers[0])
    recovered = await _read_back(store, search, verifiers, late, REMEMBERED, remember(), Samples(window, lot), people)
    if window > REMEMBERED and not recovered.memory.is_complete:
        recovered = await _read_back(store, search, verifiers, late, window, remember(), Samples(window, lot), people)
    return recovered


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
    """Verify and remember what was sealed in a span before a segment near the end, and since."""

    def remember(segment: Segment, after: Head) -> None:
        told = records_of(segment)
        if people:
            told = tuple(revealed(record, people) for record in told)
        samples.learn(segment.name, after)
        memory.learn(told, after, own=False)

    first_day = (late.segment.at - span).date()
    # A segment lies in the partition of the day of the one before it. So of those within the span, one may lie before
    # its first day: the last one there. From it or one before it on, each is verified.
    early = await search.signed(before=first_day)
    if early is None:
        head, verifier = Head.genesis(late.after.log), verifiers[-1]
    else:
        head, verifier = early.after, early.following
        remember(early.segment, head)
    chain = _Chain(head, verifier)
    listed = await search.names_since(first_day, late.segment.at.date())
    async with aclosing(_segments(store, listed, chain)) as segments:
        async for segment, after in segments:
            head = after
            remember(segment, head)
            # A segment takes milliseconds, and several are at hand: what ends access need not wait for all of them.
            await asyncio.sleep(0)
            if head.seq == late.after.seq and head != late.after:
                raise ChainBroken(head.seq, segment.name, "is there twice: the log has been forked")
    if head.seq < late.after.seq or await search.is_any_signed_after(head.seq):
        raise ChainBroken(head.seq + 1, head.next_name(), "is missing, though there are segments after it")
    return Recovered(head, memory, samples, chain.verifier)


def records_of(segment: Segment) -> tuple[Record, ...]:
    """Return the records of a segment, or raise `ChainBroken` for one that this version cannot read."""
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
    """Yield what a chain goes on with until a name is missing; `names` are those of a listing, to read ahead."""
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
    """Follows a log from a head on. What lies in the way is void if the segment after it commits to it."""

    def __init__(self, head: Head, verifier: Verifier) -> None:
        self._head = head
        self.verifier = verifier  # the key that signs what follows
        self._doubt: ChainBroken | None = None

    @property
    def seq(self) -> int:
        """The number of the last segment."""
        return self._head.seq

    @property
    def next_name(self) -> str:
        """The one name that the next segment can have."""
        return self._head.next_name()

    def follow(self, stored: bytes) -> tuple[Segment, Head] | None:
        """Return the next segment and the state after it, or None where the object in its place is no segment.

        That is in doubt then: the next one makes it void, or else it is what was wrong, and is raised.
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
        """Raise what is in doubt: nothing follows that could make it void.

        Whether it was a segment of ours that has been altered since, or never one, nobody can tell any more.
        """
        if self._doubt is not None:
            raise self._doubt

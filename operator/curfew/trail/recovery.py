"""Reading the log back at the start: where it ends, and what it held lately.

The end is looked for in a listing, and then by asking for the one name that would come next, so that neither an old
listing nor a stray object matters. What is read is verified, link by link, from one signed segment to the end.
"""

import asyncio
import random
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

from curfew.audit.checkpoint import Verifier
from curfew.audit.claims import claimed_key
from curfew.audit.pseudonyms import Person, revealed
from curfew.audit.record import Record, RecordRefused
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, follow, origin, prefix, resume, sequence
from curfew.ports import ObjectMissing, ObjectStore
from curfew.trail.keys import KeyUnknown
from curfew.trail.memory import REMEMBERED, Memory
from curfew.trail.samples import Samples

AT_ONCE = 16
"""How many objects are asked for at a time."""

STRAYS = 64
"""How many objects that are no segments of ours are looked at before giving up."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A log as it was found: the state after its last segment, what is remembered, and which segments there are."""

    head: Head
    memory: Memory
    samples: Samples  # without a newest one for a log that has not begun
    verifier: Verifier  # the key that signs what follows


async def recover(
    store: ObjectStore,
    log: str,
    verifiers: Sequence[Verifier],
    window: timedelta,
    people: Mapping[str, Person] = MappingProxyType({}),
    lot: Callable[[], float] = random.random,
) -> Recovered:
    """Find the end of a log, and remember what it holds open, with the names of `people` for their pseudonyms.

    Its last 25 hours are read, in which there is a complete set of the open stories. `window` is how much is read of a log
    without one: of one that an earlier version wrote. `verifiers` are the keys that may have signed that part of it, the
    newest first, which is the one that begins a log. By `lot` it is decided which of its segments are kept in mind.

    Both are measured from the last segment and not from now. Raise `ChainBroken` where that part of the log is not
    whole, `KeyUnknown` where another key has signed it, and a `StoreError` where it cannot be read.
    """
    listing = _Listing(store, log)
    newest = await _newest(listing, verifiers)
    if newest is None:
        return Recovered(Head.genesis(log), Memory(log), Samples(window, lot), verifiers[0])
    recovered = await _read_back(listing, verifiers, newest, REMEMBERED, Samples(window, lot), people)
    if window > REMEMBERED and not recovered.memory.open.is_complete:
        recovered = await _read_back(listing, verifiers, newest, window, Samples(window, lot), people)
    return recovered


_Found = tuple[Segment, Head, Verifier]
"""A segment, the state after it, and the key that signs what follows."""


async def _read_back(
    listing: "_Listing",
    verifiers: Sequence[Verifier],
    newest: _Found,
    span: timedelta,
    samples: Samples,
    people: Mapping[str, Person],
) -> Recovered:
    """Verify and remember what was sealed in a span before the newest segment and since."""
    memory = Memory(listing.log)

    def remember(segment: Segment, after: Head) -> None:
        told = records_of(segment)
        if people:
            told = tuple(revealed(record, people) for record in told)
        samples.learn(segment.name, after)
        memory.learn(told, after, own=False)

    segment, end, verifier = newest
    first_day = (segment.at - span).date()
    # A segment lies in the partition of the day of the one before it. So of those within the span, one may lie before
    # its first day: the last one there. From it on, each is verified.
    before = await _newest(listing, verifiers, before=first_day)
    if before is None:
        head, verifier = Head.genesis(listing.log), verifiers[-1]
    else:
        segment, head, verifier = before
        remember(segment, head)
    chain = _Chain(head, verifier)
    async with aclosing(_segments(listing, chain, first_day)) as segments:
        async for segment, after in segments:
            head = after
            remember(segment, head)
            # A segment takes milliseconds, and several are at hand: what ends access need not wait for all of them.
            await asyncio.sleep(0)
            if head.seq == end.seq and head != end:
                raise ChainBroken(end.seq, segment.name, "is there twice: the log has been forked")
    if head.seq < end.seq:
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


class _Listing:
    """The names in a log's folder that could be segments of it, a partition at a time."""

    def __init__(self, store: ObjectStore, log: str) -> None:
        self.store = store
        self.log = log
        self._partitions: list[tuple[date, str]] | None = None
        self._names: dict[str, list[str]] = {}

    async def partitions(self) -> list[tuple[date, str]]:
        """Return the day and the folder of each partition, in order."""
        if self._partitions is None:
            folders = await self.store.list_partitions(prefix(self.log))
            self._partitions = sorted((day, folder) for folder in folders if (day := _day(folder)) is not None)
        return self._partitions

    async def names(self, folder: str) -> list[str]:
        """Return the names in a partition, in the order of their numbers."""
        if folder not in self._names:
            names = [name for name in await self.store.list(folder) if sequence(name) >= 0]
            self._names[folder] = sorted(names, key=lambda name: (sequence(name), name))
        return self._names[folder]


def _day(folder: str) -> date | None:
    found = re.search(r"/dt=(\d{4}-\d{2}-\d{2})/$", folder)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


async def _newest(listing: _Listing, verifiers: Sequence[Verifier], before: date | None = None) -> _Found | None:
    """Return the last segment that a key of ours has signed, in the partitions before a day, or None where there is nothing.

    With it comes the key that signs what follows. Strays are passed over: should one of them be the true end, altered,
    then the next name after what is found here is taken, and nothing is lost or overwritten. Where there are only
    strays, raise what is wrong with the last of them.
    """
    strays: list[Exception] = []
    for day, folder in reversed(await listing.partitions()):
        if before is not None and day >= before:
            continue
        for name in reversed(await listing.names(folder)):
            try:
                return _resume(name, await listing.store.get(name), verifiers, listing.log)
            except (ChainBroken, KeyUnknown) as error:
                strays.append(error)
            except ObjectMissing:
                strays.append(ChainBroken(sequence(name), name, "is listed and cannot be read"))
            if len(strays) == STRAYS:
                raise strays[0]
    if strays:
        raise strays[0]
    return None


def _resume(name: str, stored: bytes, verifiers: Sequence[Verifier], log: str) -> _Found:
    """Open a segment that one of these keys has signed; return the key that signs what follows as well."""
    claimed = claimed_key(stored, origin(log))
    # Where it says nothing, or another key, it is opened with the newest, to hear what is wrong with it.
    verifier = next((known for known in verifiers if known.key_hash == claimed), verifiers[0])
    try:
        segment, head = resume(name, stored, verifier, log)
    except ChainBroken as error:
        if claimed is None or claimed == verifier.key_hash:
            raise
        raise KeyUnknown(_unknown(name, claimed, verifiers)) from error
    return segment, head, successor(segment, verifier)


def _unknown(name: str, claimed: bytes, verifiers: Sequence[Verifier]) -> str:
    ours = " and ".join(verifier.key_hash.hex() for verifier in verifiers)
    return (
        f"Segment {name} is signed with key {claimed.hex()}, and the settings name {ours}. If the key was exchanged, name "
        "the one before it in audit.previousKeyFile for three days; if it was not, put the former key back"
    )


async def _segments(listing: _Listing, chain: "_Chain", first_day: date) -> AsyncGenerator[tuple[Segment, Head], None]:
    """Yield what a chain goes on with until a name is missing: first what is listed since a day, then what came after."""
    listed = []
    for day, folder in await listing.partitions():
        if day >= first_day:
            listed += [name for name in await listing.names(folder) if sequence(name) > chain.seq]
    async with aclosing(_read_ahead(listing.store, listed)) as objects:
        async for name, stored in objects:
            # Another name is that of a stray, or comes after a gap.
            if name == chain.next_name and (followed := chain.follow(stored)) is not None:
                yield followed
    while True:
        try:
            stored = await listing.store.get(chain.next_name)
        except ObjectMissing:
            chain.end()
            return
        if (followed := chain.follow(stored)) is not None:
            yield followed


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


async def _read_ahead(store: ObjectStore, names: Sequence[str]) -> AsyncGenerator[tuple[str, bytes], None]:
    """Yield objects in the order of their names, some of them being fetched already. What is missing is left out."""
    waiting: deque[tuple[str, asyncio.Task[bytes]]] = deque()
    rest = iter(names)
    try:
        while True:
            while len(waiting) < AT_ONCE and (name := next(rest, None)) is not None:
                waiting.append((name, asyncio.ensure_future(store.get(name))))
            if not waiting:
                return
            name, task = waiting.popleft()
            try:
                yield name, await task
            except ObjectMissing:
                continue
    finally:
        for _, task in waiting:
            task.cancel()
        await asyncio.gather(*(task for _, task in waiting), return_exceptions=True)

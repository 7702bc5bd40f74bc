"""Looks for a segment that one of our keys has signed, among all objects in a log's folder.

Anybody who may write to the bucket can put any number of objects there, under any names, and nobody can remove them while
they are locked. So no name is trusted, and the search is bounded. Partitions are asked for by their day, from tomorrow back:
objects under later days or other names are never looked at. In each partition the newest names are tried, and some others
by lot, one object at a time. The log's first segment has a name that nothing else can take; it shows how old the log is.

Segments in a partition stay hidden only if it holds many times as many strays as segments. Then a segment in an earlier
partition is found, and more of the log is read from there.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from curfew.audit.checkpoint import Verifier
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, origin, partition, prefix, resume, sequence
from curfew.audit.unverified_seal import claimed_day, claimed_key
from curfew.ports import NamesUnreadable, ObjectMissing, ObjectStore
from curfew.trail.keys import KeyUnknown

NEWEST, BY_LOT = 8, 24
"""How many objects of a partition are looked at: those with the highest numbers, and some of the others."""

MOST_OBJECTS = 512
MOST_BYTES = 512 * 1024 * 1024
"""How many objects that are not our segments are looked at in all, and how many bytes of those objects."""

MOST_LISTED = 100_000
MOST_NAMES = 300_000
"""How many names are looked at: in one partition, and in all."""

ONE_REQUEST = 1000
"""How many names a bucket lists in one answer."""

LONGEST_SILENCE = timedelta(days=1000)
"""How far back to look if the first segment is missing and cannot show how old the log is."""

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Signed:
    """A segment that one of our keys has signed, in any partition."""

    segment: Segment
    after: Head
    following: Verifier  # the key that signs the next segment


class Search:
    """Looks for signed segments of one log, with a bounded number of requests and bytes, one object at a time."""

    def __init__(
        self,
        store: ObjectStore,
        log: str,
        verifiers: Sequence[Verifier],
        now: datetime,
        lot: Callable[[], float] = random.random,
    ) -> None:
        """`verifiers` are the keys that may have signed, the newest first. `now` is the clock's time, aware."""
        self._store = store
        self._log = log
        self._verifiers = verifiers
        self._lot = lot
        self._first = Head.genesis(log).next_name()
        self._latest_day = now.date() + DAY  # clocks differ a little
        self._names: dict[date, list[str]] = {}  # of each day that was listed
        self._objects_left, self._bytes_left, self._names_left = MOST_OBJECTS, MOST_BYTES, MOST_NAMES

    async def signed(self, before: date | None = None) -> Signed | None:
        """Return a signed segment near the end of the log, or near the end of its part before a day; None if there is no log.

        If there is a log but no signed segment is found, raise what is wrong: a `ChainBroken`, or a `KeyUnknown`.
        """
        last = self._latest_day if before is None else before - DAY
        begun = await self._first_day()
        if begun is None and before is None and not await self._is_anything_there():
            return None
        found, refusal = await self._signed_within(last, max(begun or date.min, last - LONGEST_SILENCE))
        if found is not None:
            return found
        try:
            return await self._open(self._first)
        except ObjectMissing:
            if refusal is None and before is None:
                refusal = ChainBroken(0, self._first, "is missing, and so is everything that was written recently")
        except (ChainBroken, KeyUnknown) as error:
            refusal = refusal or error
        if refusal is not None:
            raise refusal
        return None

    async def names_since(self, first: date, last: date) -> list[str]:
        """Return the listed names from a day up to another day, and the names of later days that were already listed."""
        day = first
        while day <= last:
            await self._listed(day)
            day += DAY
        return [name for day, names in self._names.items() if day >= first for name in names]

    async def is_any_signed_after(self, seq: int) -> bool:
        """Whether a signed segment with a higher number is among the listed names. If so, segments before it are missing.

        Strays can hide it. But a person who can both add strays and remove segments could also remove the last segments:
        only what is kept of the log elsewhere shows that these are missing.
        """
        self._objects_left, self._bytes_left = MOST_OBJECTS, MOST_BYTES
        for _, listed in sorted(self._names.items()):
            # The lowest first: the segments right after a lost one are still there.
            later = [name for name in reversed(listed) if sequence(name) > seq]
            if (await self._try(later))[0] is not None:
                return True
        return False

    async def _signed_within(self, last: date, first: date) -> tuple[Signed | None, Exception | None]:
        """Look from a day back to another day. Return what was found, and what was wrong with the first object that failed."""
        refusal: Exception | None = None
        day = last
        while day >= first and self._objects_left > 0 and self._bytes_left > 0 and self._names_left > 0:
            found, other = await self._try(await self._listed(day))
            if found is not None:
                return found, None
            refusal = refusal or other
            day -= DAY
        return None, refusal

    async def _try(self, names: Sequence[str]) -> tuple[Signed | None, Exception | None]:
        refusal: Exception | None = None
        for name in self._some(names):
            if self._objects_left <= 0 or self._bytes_left <= 0:
                break
            try:
                return await self._open(name), None
            except (ChainBroken, KeyUnknown) as error:
                refusal = refusal or error
            except ObjectMissing:
                refusal = refusal or ChainBroken(sequence(name), name, "is listed, but cannot be read")
        return None, refusal

    async def _first_day(self) -> date | None:
        """Return the day on which the log began, as its first segment shows, or None if that segment does not show it."""
        try:
            return claimed_day(await self._store.get(self._first))
        except ObjectMissing:
            return None

    async def _is_anything_there(self) -> bool:
        """Whether there is a segment, or too many other objects to see that in one request."""
        looked_at = 0

        def keep(name: str) -> bool:
            nonlocal looked_at
            looked_at += 1
            return sequence(name) >= 0

        try:
            found = await self._store.list(prefix(self._log), keep=keep, most=ONE_REQUEST)
        except NamesUnreadable:
            return True
        return bool(found) or looked_at >= ONE_REQUEST

    async def _listed(self, day: date) -> list[str]:
        """Return the names in a day's partition that could be those of segments, in the order of their numbers."""
        if day not in self._names:
            most = min(MOST_LISTED, max(self._names_left, 0))
            folder = partition(self._log, day)
            try:
                names = await self._store.list(folder, keep=lambda name: sequence(name) >= 0, most=most) if most else ()
            except NamesUnreadable:
                names = ()  # an earlier partition will do
            self._names_left -= len(names)
            self._names[day] = sorted(names, key=lambda name: (sequence(name), name))
        return self._names[day]

    def _some(self, names: Sequence[str]) -> Iterator[str]:
        """Yield the last of these names, and then some of the others by lot."""
        yield from reversed(names[-NEWEST:])
        rest = list(names[:-NEWEST])
        for _ in range(min(BY_LOT, len(rest))):
            place = int(self._lot() * len(rest))
            rest[place], rest[-1] = rest[-1], rest[place]
            yield rest.pop()

    async def _open(self, name: str) -> Signed:
        """Return the segment with this name. Raise `ObjectMissing`, `ChainBroken` or `KeyUnknown`."""
        self._objects_left -= 1
        stored = await self._store.get(name)
        self._bytes_left -= len(stored)
        claimed = claimed_key(stored, origin(self._log))
        # If it names no key, or another key, it is opened with the newest key, to find out what is wrong with it.
        verifier = next((known for known in self._verifiers if known.key_hash == claimed), self._verifiers[0])
        try:
            segment, after = resume(name, stored, verifier, self._log)
        except ChainBroken as error:
            if claimed is None or claimed == verifier.key_hash:
                raise
            raise KeyUnknown(self._unknown(name, claimed)) from error
        return Signed(segment, after, successor(segment, verifier))

    def _unknown(self, name: str, claimed: bytes) -> str:
        ours = " and ".join(verifier.key_hash.hex() for verifier in self._verifiers)
        return (
            f"Segment {name} is signed with key {claimed.hex()}, but the settings name {ours}. If the key was "
            "exchanged, set audit.previousKeyFile to the previous key for three days; if not, restore the former key"
        )

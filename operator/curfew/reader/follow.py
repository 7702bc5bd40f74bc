"""Follows a log as it is appended: from a verified place on, each segment is asked for by the only name that it can have.

`Follower` needs a place to begin. `find_start` finds one for a reader who wants the last part of a log: the last segment
that was sealed before that part, as the listing shows it. Everything after it is verified link by link.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from curfew.audit.checkpoint import Verifier
from curfew.audit.places import place
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, follow, partition, resume
from curfew.ports import ObjectMissing, ObjectStore
from curfew.reader.beginnings import find_claim, kept
from curfew.reader.source import announced, last_key, list_log, read

MOST_STRAYS = 10
"""How many objects that are not segments are passed over in the search for a place to begin."""


@dataclass(frozen=True, slots=True)
class Start:
    """A place in a log: the state there, the key that seals the next segment, and the listed names that come after."""

    head: Head
    verifier: Verifier
    names: Sequence[str] = ()
    segment: Segment | None = (
        None  # the segment that it was found in; None: the log, or what is kept of it, begins here
    )


class Follower:
    """Reads what is appended to a log, in order and verified. One reader at a time."""

    def __init__(
        self, store: ObjectStore, head: Head, verifier: Verifier, bad: Callable[[ChainBroken], None] = lambda _: None
    ) -> None:
        """Begin after `head`; `verifier` is the key that seals the next segment.

        `bad` is called for each object that has a segment's name and is none. It is passed over: the holder of the key
        may declare it void. Until the next segment does that, `doubt` holds it.
        """
        self._store = store
        self._head = head
        self._verifier = verifier
        self._bad = bad
        self.doubt: ChainBroken | None = None
        """The object that nothing has declared void yet. It may be an altered segment; then what follows is never found."""

    async def appended(self) -> AsyncIterator[Segment]:
        """Yield the segments from here to the end of the log as it is now.

        Raise a `StoreError` if the store cannot be read: what was yielded stays read, and the next call continues after it.
        """
        while True:
            try:
                stored = await self._store.get(self._head.next_name())
            except ObjectMissing:
                return
            if (segment := self.take(stored)) is not None:
                yield segment

    def take(self, stored: bytes) -> Segment | None:
        """Return the segment in the object that has the next name, or None if it holds none."""
        try:
            segment, head = follow(self._head, self._head.next_name(), stored, self._verifier)
            verifier = successor(segment, self._verifier)
        except ChainBroken as broken:
            self.doubt = self.doubt or broken
            self._bad(broken)
            self._head = self._head.voided(stored)
            return None
        self._head, self._verifier, self.doubt = head, verifier, None
        return segment

    async def listed(self, names: Sequence[str]) -> AsyncIterator[Segment]:
        """Yield the segments among these names that follow from here, reading many ahead; then everything appended since.

        Raise as `appended` does; a call with the same names continues.
        """
        rest = [name for name in names if place(self._head.log, name) > self._head.seq]
        async with aclosing(read(self._store, self._head.log, rest)) as objects:
            async for name, stored in objects:
                # A stray object has a name that does not follow.
                if name == self._head.next_name() and (segment := self.take(stored)) is not None:
                    yield segment
        async for segment in self.appended():
            yield segment


async def find_start(store: ObjectStore, log: str, given: Verifier | None, since: date) -> Start:
    """Return a place in a log before everything that was sealed on the day `since` or later.

    `given` is the key of the log's first segment, or of its stated beginning; without it, the key that the log announces
    is used. Raise `CannotRead` if there is no such log, `Unfounded` if it names no key, `ChainBroken` if the segments before
    that day are not signed by the log's keys, and a `StoreError` if the store cannot be read.
    """
    names = await list_log(store, log)
    claim = await find_claim(store, log, names)
    beginning = claim.beginning if claim is not None else None
    names = [name for name in kept(log, names, claim) if place(log, name) >= 0]
    first = given or await announced(store, log, names, beginning)
    # A segment lies in the partition of the day of the one before it: the last early one may be from that day.
    early = next((index for index, name in enumerate(names) if name >= partition(log, since)), len(names))
    broken: ChainBroken | None = None
    for index in range(early - 1, max(-1, early - 1 - MOST_STRAYS), -1):
        verifier = await last_key(store, log, names[:index], first) if index else first
        try:
            segment, head = resume(names[index], await store.get(names[index]), verifier, log)
            return Start(head, successor(segment, verifier), names[index + 1 :], segment)
        except ChainBroken as error:
            broken = broken or error
    if broken is not None:
        raise broken
    head = beginning.head if beginning is not None else Head.genesis(log)
    return Start(head, first, names)

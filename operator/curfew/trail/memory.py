"""What is known of the log's recent past: which records it holds, with their receipts, and which stories are open."""

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, record_id
from curfew.audit.segment import Head
from curfew.core.lately import Lately
from curfew.trail.open_stories import CLOSED, INTENDED, OpenStories

GENERATIONS = 4
"""Into how many parts the window is cut; the oldest is forgotten as a whole."""

REMEMBERED = timedelta(hours=25)
"""How much of the log's end is remembered, record by record. What an open story needs is kept for as long as it is open."""

SKEW = timedelta(hours=1)
"""By how much the API server's clock may differ from the log's where a request's age is compared with the log."""


@dataclass(slots=True)
class _Generation:
    """What was appended in one part of the window, packed: a few bytes more than an id and an index for each record."""

    since: datetime
    indexes: dict[bytes, int] = field(default_factory=dict)  # own records by their index, others by its complement
    sizes: list[int] = field(default_factory=list)  # of the log, after each segment with records, ascending
    roots: list[bytes] = field(default_factory=list)  # the same
    asked: dict[bytes, tuple[Receipt, bool]] = field(default_factory=dict)  # older ones that somebody still asks for


class Memory:
    """The last `window` of the log, measured from its newest segment and not from now: a long sleep forgets nothing.

    A record is forgotten when it is older than the window and nobody has asked for it in all that time, and its story is
    not open.
    """

    def __init__(self, log: str, window: timedelta = REMEMBERED) -> None:
        """Know nothing yet."""
        self._log = log
        self._window = window
        self._generations: deque[_Generation] = deque()
        self._forgotten_before: datetime | None = (
            None  # all that was sealed since then is remembered; None: all there is
        )
        self._newest: tuple[int, bytes] = (0, b"")  # size and root of the log after the last segment with records
        self.open = OpenStories()
        self.lately = Lately()

    def learn(self, records: Sequence[Record], after: Head, *, own: bool) -> None:
        """Take in a segment: its records, and the state after it."""
        generation = self._generation(after)
        first = after.range.size - len(records)
        if records:
            self._newest = after.range.size, after.range.root()
        for index, record in enumerate(records, first):
            generation.indexes.setdefault(_key(record.id), index if own else ~index)
            self.open.learn(record, index)
            self.lately.learn(record)
            if record.event == INTENDED:
                self.open.announced(record, Receipt(self._log, index, self._newest[0], self._newest[1].hex()))
        if records:
            generation.sizes.append(self._newest[0])
            generation.roots.append(self._newest[1])

    def receipt(self, id_: str) -> Receipt | None:
        """Return the receipt of a durable record, or None where it is not known to be durable."""
        found = self._find(id_)
        return found[0] if found is not None else None

    def is_own(self, id_: str) -> bool:
        """Whether this process appended the record."""
        found = self._find(id_)
        return found is not None and found[1]

    def is_told(self, record: Record) -> bool:
        """Whether the log holds a record that was to be told once, as far as can be known.

        A record that is so old that it would be forgotten is told, unless its story is open and all its records are known.
        One that was not told waits, and in time without a segment nothing is forgotten.
        """
        before = self._forgotten_before
        is_forgettable = before is not None and record.at < before + SKEW and not self.open.knows_all(record.subject)
        return is_forgettable or self.receipt(record.id) is not None

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log holds the story of a request closed that was created then, by the API server's clock.

        A request of which nothing is remembered is over if it is so old that its end would be forgotten, and not so old
        that an open story of that time may be unknown.
        """
        if uid in self.open:
            return False
        if self.receipt(record_id(uid, CLOSED)) is not None:
            return True
        since, before = self.open.since, self._forgotten_before
        return since is not None and before is not None and since + SKEW <= created <= before + SKEW

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since then is known."""
        before = self._forgotten_before
        return before is None or before <= since

    def __len__(self) -> int:
        """Return how many records are remembered."""
        return sum(len(generation.indexes) + len(generation.asked) for generation in self._generations)

    def _generation(self, after: Head) -> _Generation:
        """Return the part of the window that is being filled, and forget what lies before the window."""
        at = after.at
        if at is None:
            raise ValueError("a segment has a time")
        if not self._generations:
            self.open.begin(at, is_first=after.seq == 0)
            self._forgotten_before = None if after.seq == 0 else at
        if not self._generations or at - self._generations[-1].since >= self._window / GENERATIONS:
            self._generations.append(_Generation(at))
        # A part ends where the next begins.
        while len(self._generations) > 1 and self._generations[1].since <= at - self._window:
            self._generations.popleft()
            self._forgotten_before = self._generations[0].since
        return self._generations[-1]

    def _find(self, id_: str) -> tuple[Receipt, bool] | None:
        key = _key(id_)
        for generation in reversed(self._generations):
            found = generation.asked.get(key)
            if found is None and (index := generation.indexes.get(key)) is not None:
                found = self._receipt(generation, index), index >= 0
            if found is not None:
                if generation is not self._generations[-1]:
                    # Whoever asks may ask again, and offer the record again if told that it is not there.
                    self._generations[-1].asked[key] = found
                return found
        # A record of an open story is known for as long as that is open, its receipt as well if it announces the grant.
        receipt, index = self.open.receipt(id_), self.open.index(id_)
        if receipt is None and index is not None:
            receipt = Receipt(self._log, index, self._newest[0], self._newest[1].hex())
        return None if receipt is None else (receipt, False)

    def _receipt(self, generation: _Generation, index: int) -> Receipt:
        index = max(index, ~index)
        place = bisect_right(generation.sizes, index)
        return Receipt(self._log, index, generation.sizes[place], generation.roots[place].hex())


def _key(id_: str) -> bytes:
    """Return a record's id in 16 bytes; an id may be any string."""
    return hashlib.blake2b(id_.encode(), digest_size=16).digest()

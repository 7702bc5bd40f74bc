"""What is known of the log's recent past: which records it holds, with their receipts.

A process that has to know more of its log derives its own memory from this one: it learns more from each segment, and may
have the log carry forward what a start has to know.
"""

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import Head
from curfew.trail.lineage import LINEAGE_TOLD, Lineage

GENERATIONS = 4
"""Into how many parts the window is cut; the oldest is forgotten as a whole."""

REMEMBERED = timedelta(hours=25)
"""How much of the log's end is remembered, record by record."""


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

    A record is forgotten when it is older than the window and nobody has asked for it in all that time.
    """

    def __init__(self, log: str, window: timedelta = REMEMBERED) -> None:
        """Know nothing yet."""
        self._log = log
        self._window = window
        self._generations: deque[_Generation] = deque()
        self._newest: tuple[int, bytes] = (0, b"")  # size and root of the log after the last segment with records
        self.forgotten_before: datetime | None = None  # all that was sealed since then is known; None: all there is
        self.lineage = Lineage()

    # --- what a memory derived from this one may have besides -------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether all is known that a start has to know; if not, more of the log is read."""
        return True

    @property
    def is_carrying(self) -> bool:
        """Whether the log has begun to carry something forward, and not all of it is written."""
        return False

    def carry(self, at: datetime) -> Sequence[Record]:
        """Return what the segment that is sealed at this time has to begin with; it is written before anything else."""
        return ()

    def abandon(self) -> None:
        """Give up what is being carried forward: another writer's segment came first."""

    # --- learning ---------------------------------------------------------------------------------------------------

    def learn(self, records: Sequence[Record], after: Head, *, own: bool) -> None:
        """Take in a segment: its records, and the state after it."""
        generation = self._generation(after)
        first = after.range.size - len(records)
        if records:
            self._newest = after.range.size, after.range.root()
        for index, record in enumerate(records, first):
            generation.indexes.setdefault(_key(record.id), index if own else ~index)
            if record.event in LINEAGE_TOLD:
                self.lineage.learn(record)
        if records:
            generation.sizes.append(self._newest[0])
            generation.roots.append(self._newest[1])

    # --- what others ask --------------------------------------------------------------------------------------------

    def receipt(self, id_: str) -> Receipt | None:
        """Return the receipt of a durable record, or None where it is not known to be durable."""
        found = self._find(id_)
        return found[0] if found is not None else None

    def is_own(self, id_: str) -> bool:
        """Whether this process appended the record."""
        found = self._find(id_)
        return found is not None and found[1]

    def receipt_at(self, index: int) -> Receipt:
        """Return the receipt of the record at an index, of the log as it is now."""
        return Receipt(self._log, index, self._newest[0], self._newest[1].hex())

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since then is known."""
        return self.forgotten_before is None or self.forgotten_before <= since

    def __len__(self) -> int:
        """Return how many records are remembered."""
        return sum(len(generation.indexes) + len(generation.asked) for generation in self._generations)

    def _generation(self, after: Head) -> _Generation:
        """Return the part of the window that is being filled, and forget what lies before the window."""
        at = after.at
        if at is None:
            raise ValueError("a segment has a time")
        if not self._generations:
            self.forgotten_before = None if after.seq == 0 else at
        if not self._generations or at - self._generations[-1].since >= self._window / GENERATIONS:
            self._generations.append(_Generation(at))
        # A part ends where the next begins.
        while len(self._generations) > 1 and self._generations[1].since <= at - self._window:
            self._generations.popleft()
            self.forgotten_before = self._generations[0].since
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
        return None

    def _receipt(self, generation: _Generation, index: int) -> Receipt:
        index = max(index, ~index)
        place = bisect_right(generation.sizes, index)
        return Receipt(self._log, index, generation.sizes[place], generation.roots[place].hex())


def _key(id_: str) -> bytes:
    """Return a record's id in 16 bytes; an id may be any string."""
    return hashlib.blake2b(id_.encode(), digest_size=16).digest()

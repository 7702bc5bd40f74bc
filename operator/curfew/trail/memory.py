"""What is known about the log's recent past: which records it holds, with their receipts.

A process that needs to know more about its log derives its own memory from this one. That memory learns more from each
segment, and may have the log carry forward what a start needs to know.
"""

import hashlib
from bisect import bisect_right
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import Head
from curfew.trail.lineage import LINEAGE_TOLD, Lineage

GENERATIONS = 4
"""How many parts the window is cut into. The oldest part is forgotten as a whole."""

REMEMBERED = timedelta(hours=25)
"""How much of the log's end is remembered, record by record."""


@dataclass(slots=True)
class _Generation:
    """The records of one part of the window, packed: a few bytes more than an id and an index for each record."""

    since: datetime
    indexes: dict[bytes, int] = field(default_factory=dict)  # own records by their index, others by its complement
    sizes: list[int] = field(default_factory=list)  # of the log, after each segment with records, ascending
    roots: list[bytes] = field(default_factory=list)  # of the log, after the same segments
    asked: dict[bytes, tuple[Receipt, bool]] = field(default_factory=dict)  # older ones that somebody still asks for


class Memory:
    """The last `window` of the log, measured from its newest segment and not from now: nothing is forgotten in a long sleep.

    A record is forgotten when it is older than the window and nobody has asked for it during that time.
    """

    def __init__(self, log: str, window: timedelta = REMEMBERED) -> None:
        """Know nothing yet."""
        self._log = log
        self._window = window
        self._generations: deque[_Generation] = deque()
        self._newest: tuple[int, bytes] = (0, b"")  # size and root of the log after the last segment with records
        self.forgotten_before: datetime | None = None  # everything sealed since then is known; None: the whole log is
        self.lineage = Lineage()

    # --- what a memory derived from this one may add ----------------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether everything that a start needs is known. If not, more of the log is read."""
        return True

    @property
    def is_carrying(self) -> bool:
        """Whether the log has begun to carry something forward and has not written all parts yet."""
        return False

    def carry(self, at: datetime) -> Sequence[Record]:
        """Return what the segment that is sealed at this time must begin with. It is written before anything else."""
        return ()

    def abandon(self) -> None:
        """Give up what is being carried forward: another writer's segment came first."""

    # --- learning ---------------------------------------------------------------------------------------------------

    def learn(self, records: Sequence[Record], after: Head, *, own: bool) -> None:
        """Learn a segment: its records, and the state after it."""
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
        """Return the receipt of a durable record, or None if the record is not known to be durable."""
        found = self._find(id_)
        return found[0] if found is not None else None

    def is_settled(self, record: Record, on_the_way: Container[str] = ()) -> bool:
        """Whether there is no need to write a record: the log holds it. `on_the_way` has the ids of what is being written."""
        return self.receipt(record.id) is not None

    def is_own(self, id_: str) -> bool:
        """Whether this process appended the record."""
        found = self._find(id_)
        return found is not None and found[1]

    def receipt_at(self, index: int) -> Receipt:
        """Return the receipt of the record at an index, for the log as it is now."""
        return Receipt(self._log, index, self._newest[0], self._newest[1].hex())

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since `since` is known."""
        return self.forgotten_before is None or self.forgotten_before <= since

    def __len__(self) -> int:
        """Return how many records are remembered."""
        return sum(len(generation.indexes) + len(generation.asked) for generation in self._generations)

    def _generation(self, after: Head) -> _Generation:
        """Return the part of the window that is being filled, and forget the parts before the window."""
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
                    # The caller may ask again, and would offer the record again if the answer were that it is missing.
                    self._generations[-1].asked[key] = found
                return found
        return None

    def _receipt(self, generation: _Generation, index: int) -> Receipt:
        index = max(index, ~index)
        place = bisect_right(generation.sizes, index)
        return Receipt(self._log, index, generation.sizes[place], generation.roots[place].hex())


def _key(id_: str) -> bytes:
    """Return a record's id as 16 bytes; an id may be any string."""
    return hashlib.blake2b(id_.encode(), digest_size=16).digest()

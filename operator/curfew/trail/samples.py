"""Which stored segments are read back to check that they are as written: the newest, and one other chosen by lot."""

import hashlib
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from curfew.audit.segment import Head
from curfew.ports import ObjectMissing, ObjectStore

MOST = 1000
"""How many segments are remembered, spread evenly over the window."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A segment that was stored, and the SHA-256 of its bytes."""

    name: str
    digest: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A segment that does not read back as it was stored."""

    sample: Sample
    found: str | None  # the SHA-256 of what is there now, in hex; None if nothing is there

    @property
    def key(self) -> str:
        """A key that is the same each time the same discrepancy is found."""
        return f"{self.sample.name}/{self.found or 'missing'}"

    def __str__(self) -> str:
        """Return the discrepancy as a sentence for people."""
        found = "and is not there any more" if self.found is None else f"and reads back as other bytes ({self.found})"
        return (
            f"The segment {self.sample.name} was stored (SHA-256 {self.sample.digest.hex()}) {found}. "
            "The log was tampered with, or the store has lost it; run curfew audit verify."
        )


class Samples:
    """The segments of the last `window`: the newest, and one from each thousandth part of the window, chosen by lot."""

    def __init__(self, window: timedelta, lot: Callable[[], float] = random.random) -> None:
        """Start empty. `lot` returns a number from 0 to 1."""
        self._window = window
        self._lot = lot
        self._kept: deque[Sample] = deque()
        self._part_began: datetime | None = None
        self._in_part = 0
        self.newest: Sample | None = None

    def learn(self, name: str, after: Head) -> None:
        """Note a segment that was just stored, or read at the start: its name, and the state of the log after it."""
        if after.at is None:
            raise ValueError("a segment has a time")
        self.newest = Sample(name, after.object_hash, after.at)
        is_new_part = self._part_began is None or after.at - self._part_began >= self._window / MOST
        # The first one is not replaced by the second, so that there is always one to draw.
        if is_new_part or len(self._kept) == 1:
            self._part_began, self._in_part = after.at, 1
            self._kept.append(self.newest)
        else:
            self._in_part += 1
            # This way, each segment of a part has the same chance to be the one that is kept.
            if self._lot() * self._in_part < 1:
                self._kept[-1] = self.newest
        while self._kept[0].at < after.at - self._window:
            self._kept.popleft()

    def draw(self) -> Sample | None:
        """Return one of the segments before the newest, or None if there is none."""
        older = [sample for sample in self._kept if sample != self.newest]
        return older[min(int(self._lot() * len(older)), len(older) - 1)] if older else None

    def __len__(self) -> int:
        """Return how many segments are remembered."""
        return len(self._kept)


async def reread(store: ObjectStore, sample: Sample) -> Discrepancy | None:
    """Return how a segment differs from what was stored, or None. Raise `StoreUnavailable` if it cannot be read."""
    found = await _digest(store, sample.name)
    if found != sample.digest:
        found = await _digest(store, sample.name)  # no alarm from one read: the answer may have been cut off
    return None if found == sample.digest else Discrepancy(sample, found.hex() if found is not None else None)


async def _digest(store: ObjectStore, name: str) -> bytes | None:
    try:
        return hashlib.sha256(await store.get(name)).digest()
    except ObjectMissing:
        return None

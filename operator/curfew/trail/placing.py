"""Puts a segment under the only name that it can have, with the same bytes until the result is known.

A store gives each name once. So even if a process dies or comes late, or an answer is lost, there is one object at each
place of the log: our segment, another writer's segment, which is adopted, or rubbish, which the next segment skips.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from curfew.audit.checkpoint import SigningFailed
from curfew.audit.rotation import successor
from curfew.audit.segment import ChainBroken, Head, Segment, follow
from curfew.core.trail_state import TrailReason, TrailTrouble
from curfew.ports import ObjectExists, ObjectMissing, ObjectStore, StoreError, StoreUnavailable
from curfew.trail.health import HealthKeeper
from curfew.trail.keys import Keys
from curfew.trail.recovery import records_of

R = TypeVar("R")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
LASTING_PAUSE = 30.0
"""Seconds between two tries: at first, at most, and if the trouble does not pass by itself."""


@dataclass(frozen=True, slots=True)
class Void:
    """A place in the log that is left to the object there. The next segment commits to that object, and follows it."""

    stored: bytes


class _NotLeading(Exception):
    """Another process may be the one that appends now."""


class _SlotTaken(Exception):
    """The only name that the next segment can have is taken by an object that the log cannot continue from.

    `stored` is that object's bytes if it is not a segment, so that the place can be left to it.
    """

    def __init__(self, name: str, why: str, stored: bytes | None = None) -> None:
        super().__init__(f"The object {name} is in the place of the next segment, and {why}.")
        self.stored = stored


class Placer:
    """Tries until there is an answer. Until then, the health shows why nothing can be written, and who does not answer."""

    def __init__(
        self,
        store: ObjectStore,
        keys: Keys,
        keeper: HealthKeeper,
        jitter: Callable[[], float],
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """`jitter` returns a number from 0 to 1. Without `leads`, nothing is written: another process may append."""
        self._store = store
        self._keys = keys
        self._keeper = keeper
        self._jitter = jitter
        self._leads = leads

    def pauses(self) -> Iterator[float]:
        """Yield how long to wait before each further try: twice as long each time, with jitter."""
        pause = FIRST_PAUSE
        while True:
            yield pause * (0.5 + self._jitter() / 2)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def insist(
        self,
        call: Callable[[], Awaitable[R]],
        reason: TrailReason = TrailReason.STORE_UNAVAILABLE,
        who: str = "The store",
    ) -> R:
        """Call until it succeeds, and return the result. If `who` does not answer, that is trouble for this reason."""
        pauses = self.pauses()
        while True:
            self._keeper.trying(reason, who)
            try:
                return await call()
            except (StoreError, SigningFailed) as error:
                self._keeper.failed(TrailTrouble(reason, str(error)))
            await asyncio.sleep(next(pauses))

    async def put(self, head: Head, body: bytes, *, may_void: bool) -> tuple[Segment, Head] | Void | None:
        """Return None if these bytes are the next segment. Otherwise return another writer's segment, or what is in the way."""
        pauses = self.pauses()
        while True:
            self._keeper.trying()
            try:
                return await self._try(head, body)
            except _SlotTaken as taken:
                trouble = TrailTrouble(TrailReason.SLOT_TAKEN, str(taken), lasts=True)
                if may_void and taken.stored is not None:
                    self._keeper.failed(trouble)
                    return Void(taken.stored)
            except _NotLeading:
                trouble = TrailTrouble(TrailReason.NOT_LEADING, "This replica cannot show now that it leads.")
            except StoreError as error:
                trouble = TrailTrouble(TrailReason.STORE_UNAVAILABLE, str(error))
            self._keeper.failed(trouble)
            await asyncio.sleep(LASTING_PAUSE if trouble.lasts else next(pauses))

    async def _try(self, head: Head, body: bytes) -> tuple[Segment, Head] | None:
        name = head.next_name()
        if not self._leads():
            raise _NotLeading
        try:
            await self._store.create(name, body)
        except ObjectExists:
            pass
        else:
            return None
        try:
            stored = await self._store.get(name)
            if stored == body:
                return None  # an earlier try of ours had arrived
            segment, after = follow(head, name, stored, self._keys.verifier)
        except ObjectMissing as error:
            raise _SlotTaken(name, "cannot be read; it may have been deleted") from error
        except ChainBroken as error:
            # The next name would depend on these bytes for ever, so a single read is not enough.
            if await self._store.get(name) != stored:
                raise StoreUnavailable(f"{name} was read twice, with different results.") from error
            raise _SlotTaken(name, error.why, stored) from error
        try:
            records_of(segment)
            successor(segment, self._keys.verifier)
        except ChainBroken as error:
            raise _SlotTaken(name, error.why) from error
        return segment, after

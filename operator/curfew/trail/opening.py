"""Opens a log: reads it back until that succeeds. A process that stands by keeps up with the log that another one writes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Generic, TypeVar

from curfew.audit.checkpoint import SigningFailed
from curfew.audit.record import Record
from curfew.audit.segment import ChainBroken
from curfew.core.trail_state import TrailReason, TrailTrouble
from curfew.ports import Clock, ObjectStore, StoreError
from curfew.storage.people import People
from curfew.trail.health import HealthKeeper
from curfew.trail.keys import Keys, KeyUnknown
from curfew.trail.memory import Memory
from curfew.trail.placing import LASTING_PAUSE
from curfew.trail.recovery import Recovered, confirm, follow_on, recover

M = TypeVar("M", bound=Memory)

KEEP_UP_SECONDS = 5.0
"""How often a process that stands by reads what is new in the log."""


class Opening(Generic[M]):
    """Reads one log back, again for each time that this process becomes its writer."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        keys: Keys,
        *,
        log: str,
        window: timedelta,
        remember: Callable[[], M],
        people: People | None,
        prepare: Callable[[], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        """`prepare` is what must be done before the log is read. The others are as for an `Appender`."""
        self._store = store
        self._clock = clock
        self._keys = keys
        self._log = log
        self._window = window
        self._remember = remember
        self._people = people
        self._prepare = prepare
        self._jitter = jitter
        self._known: Recovered[M] | None = None  # the log as far as it was read while standing by
        self.problem: str | None = "The log has not been read yet."
        """Why this process could not take over the log now; None if it could. Kept only while it stands by."""

    async def open(self, keeper: HealthKeeper, pauses: Iterator[float]) -> Recovered[M]:
        """Return the log as it is now. This is tried until it succeeds; until then, the health shows what is wrong."""
        while True:
            try:
                return await self._open()
            except (StoreError, SigningFailed, KeyUnknown, ChainBroken) as error:
                trouble = self._trouble(error)
            keeper.failed(trouble)
            await asyncio.sleep(LASTING_PAUSE if trouble.lasts else next(pauses))

    async def keep_up(self) -> None:
        """Read the log, and then what is new in it again and again, until cancelled: then opening it takes little time."""
        while True:
            try:
                await self._prepare()
                known = await self._read_on()
                self._known, self.problem = known or await self._recover(), None
            except (StoreError, SigningFailed, KeyUnknown, ChainBroken) as error:
                self.problem = self._trouble(error).message
            await asyncio.sleep(KEEP_UP_SECONDS)

    def forget(self) -> None:
        """Forget the log: what was read of it has a new owner, or is old."""
        self._known, self.problem = None, "The log has not been read yet."

    async def _open(self) -> Recovered[M]:
        await self._prepare()
        known = await self._confirmed() or await self._recover()
        self._keys.use(known.verifier)
        self.forget()
        return known

    async def _confirmed(self) -> Recovered[M] | None:
        """Return what is known of the log, up to its end; None if the whole way has to be gone."""
        for _ in range(2):  # a segment may be written in between
            known = await self._read_on()
            if known is None:
                return None
            if await confirm(self._store, known, self._keys.verifiers, self._clock.now(), self._jitter):
                return known
        return None

    async def _recover(self) -> Recovered[M]:
        people = await self._people.by_pseudonym() if self._people is not None else {}
        return await recover(
            self._store,
            self._log,
            self._keys.verifiers,
            self._window,
            self._clock.now(),
            self._remember,
            people,
            self._jitter,
        )

    async def _read_on(self) -> Recovered[M] | None:
        """Return what is known of the log with what is new in it, or None if too little is known."""
        if self._known is None or self._known.samples.newest is None:
            return None
        try:
            async with aclosing(follow_on(self._store, self._known, self._revealed)) as news:
                async for found in news:
                    self._known = found
        except ChainBroken:
            self._known = None
        return self._known

    async def _revealed(self, records: Sequence[Record]) -> Sequence[Record]:
        return await self._people.reveal_often(records) if self._people is not None else records

    def _trouble(self, error: Exception) -> TrailTrouble:
        match error:
            case StoreError():
                return TrailTrouble(TrailReason.STORE_UNAVAILABLE, str(error))
            case SigningFailed():
                return TrailTrouble(TrailReason.SIGNING_FAILED, str(error))
            case KeyUnknown():
                return TrailTrouble(TrailReason.KEY_UNKNOWN, str(error), lasts=True)
        return TrailTrouble(
            TrailReason.CHAIN_BROKEN, f"The log at {self._store.url} is not whole: {error}.", lasts=True
        )

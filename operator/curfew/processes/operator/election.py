"""Elects the replica that grants and appends, by a Lease. Ending access waits for no election (promise P3).

What a Lease says about time is not believed, because clocks differ. A replica measures on its own clock, which nobody can
set and which runs while the process stands still, for how long it has not seen the Lease change (decision 0090).
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

import structlog

from curfew.ports import AlreadyExists, ClusterError, Conflict, Lease, Leases, NotFound, SteadyClock

log = structlog.get_logger("curfew")

DURATION: Final = timedelta(seconds=5)
"""For how long the others wait after the last change of the Lease that they saw, before one of them takes it."""

RENEWED_SECONDS: Final = 3.0
"""For how long a replica leads after it sent the last renewal that succeeded: less than `DURATION`, so there are never two."""

RETRY_SECONDS: Final = 1.0
"""How often the leader renews the Lease, and the others look at it."""

_LONGEST: Final = timedelta(seconds=60)  # what a Lease may state as its duration: more would be nobody's for too long


class ElectionObserver(Protocol):
    """Receives reports. Nothing here waits or fails."""

    def won(self, before: str) -> None:
        """Take note that this replica leads from now on. `before` led before it; empty: nobody, or it was given up."""
        ...

    def regained(self) -> None:
        """Take note that this replica can show again that it leads; for a while it could not."""
        ...

    def lost(self, now: str) -> None:
        """Take note that this replica leads no more. `now` does; empty: nobody."""
        ...


class Election:
    """Whether this replica leads: a candidate for the Lease until `give_up`."""

    def __init__(
        self,
        leases: Leases,
        clock: SteadyClock,
        observer: ElectionObserver,
        *,
        namespace: str,
        name: str,
        me: str,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`me` names this replica: no two that run at the same time may have the same name (decision 0090).

        `jitter` returns a number from 0 to 1.
        """
        self._leases = leases
        self._clock = clock
        self._observer = observer
        self._place = (namespace, name)
        self._me = me
        self._jitter = jitter
        self._held: Lease | None = None  # the Lease as this replica wrote it last, while it is in office
        self._sent = 0.0  # when the last renewal that succeeded was sent
        self._seen: Lease | None = None  # the Lease as it was read last, while another holds it
        self._seen_at: float | None = None  # when that version was seen first; None: no Lease was ever seen
        self._has_led = False
        self._is_over = False
        self._trouble = ""
        self._asking = asyncio.Lock()
        self._won = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def me(self) -> str:
        """The name of this replica."""
        return self._me

    @property
    def leads(self) -> bool:
        """Whether this replica leads at this moment. Ask immediately before each grant and each append."""
        return self._held is not None and self._clock.monotonic() < self._sent + RENEWED_SECONDS

    @property
    def is_in_office(self) -> bool:
        """Whether this replica has won and no other is known to have won since. Then its tasks run."""
        return self._held is not None

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as is known; empty: nobody."""
        if self._held is not None:
            return self._me
        return self._seen.holder if self._seen is not None else ""

    @property
    def is_held(self) -> bool:
        """Whether some replica leads, as far as is known: this one, or another whose Lease has not run out."""
        return self._held is not None or self._runs_out_in() > 0

    async def won(self) -> asyncio.Event:
        """Return when this replica is in office, with the event that is set when it no longer is.

        It may be in office and not lead: while the Lease cannot be renewed, and nobody else is known to have it.
        """
        await self._won.wait()
        return self._lost

    async def run(self) -> None:
        """Stand for election, until `give_up` or cancelled."""
        while not self._is_over:
            asked = self._clock.monotonic()
            try:
                async with self._asking:
                    await self._step()
                self._trouble = ""
            except ClusterError as error:
                self._complain(str(error))
            except Exception:  # if the election ended here, nobody would grant any more
                log.exception("the election failed", again_in=RETRY_SECONDS)
            await asyncio.sleep(self._pause(self._clock.monotonic() - asked))
        await asyncio.Event().wait()  # for ever: the process ends because others have ended

    async def give_up(self) -> None:
        """Let another replica lead at once. This one will not lead again."""
        self._is_over = True
        async with self._asking:
            held = self._held
            self._resign("")
            if held is None:
                return
            free = replace(held, holder="", renewed=self._clock.now())
            try:
                await self._leases.replace_lease(*self._place, free)
            except ClusterError as error:
                log.warning("the Lease was not given up; another replica leads when it runs out", problem=str(error))

    # --- one look at the Lease ----------------------------------------------------------------------------------------

    async def _step(self) -> None:
        if self._held is not None:
            await self._renew(self._held)
        if self._held is None and not self._is_over:
            await self._stand()

    async def _renew(self, held: Lease) -> None:
        """Write the Lease again, or find out who has it."""
        sent = self._clock.monotonic()
        try:
            stored = await self._leases.replace_lease(*self._place, replace(held, renewed=self._clock.now()))
        except (Conflict, NotFound):
            found = await self._leases.read_lease(*self._place)
            if found is not None and (found.holder, found.acquired) == (held.holder, held.acquired):
                self._held = found  # an answer was lost; the next renewal counts
                return
            self._see(found)
            self._resign(found.holder if found is not None else "")
        else:
            could_not = not self.leads
            self._held, self._sent = stored, sent
            if could_not:
                self._observer.regained()

    async def _stand(self) -> None:
        """Take the Lease if nobody has it, or whoever had it has not renewed it for long enough."""
        self._see(await self._leases.read_lease(*self._place))
        if self._runs_out_in() > 0:
            return
        seen, now, sent = self._seen, self._clock.now(), self._clock.monotonic()
        wanted = Lease(self._me, DURATION, acquired=now, renewed=now)
        try:
            if seen is None:
                stored = await self._leases.create_lease(*self._place, wanted)
            else:
                changes = seen.transitions + (seen.holder != self._me)
                wanted = replace(wanted, transitions=changes, version=seen.version, uid=seen.uid)
                stored = await self._leases.replace_lease(*self._place, wanted)
        except (AlreadyExists, Conflict, NotFound):
            return  # another was faster
        self._held, self._sent, self._has_led = stored, sent, True
        self._lost = asyncio.Event()
        self._observer.won(seen.holder if seen is not None and seen.holder != self._me else "")
        self._won.set()

    def _see(self, found: Lease | None) -> None:
        """Note the Lease as it is stored. A Lease that was deleted counts from its deletion: its holder may not know yet."""
        is_new = (found is None) != (self._seen is None) or (
            found is not None and self._seen is not None and found.version != self._seen.version
        )
        if is_new:
            self._seen_at = self._clock.monotonic()
        self._seen = found

    def _runs_out_in(self) -> float:
        """Return in how many seconds the Lease can be taken: zero or less if that is now."""
        seen, at = self._seen, self._seen_at
        if at is None or (seen is not None and not seen.holder):
            return 0.0
        if seen is not None and seen.holder == self._me and not self._has_led:
            return 0.0  # the process before this one in the same pod: it is dead
        lasts = DURATION if seen is None else max(DURATION, min(seen.duration, _LONGEST))
        return at + lasts.total_seconds() - self._clock.monotonic()

    def _resign(self, now: str) -> None:
        if self._held is None:
            return
        self._held = None
        self._won.clear()
        self._lost.set()
        self._observer.lost(now)

    def _pause(self, took: float) -> float:
        """Return how long to rest after a look that took so many seconds: a Lease is taken soon after it has run out."""
        if self._held is not None:
            return max(0.0, RETRY_SECONDS - took)
        pause, rest = RETRY_SECONDS * (0.75 + self._jitter() / 4), self._runs_out_in()
        return min(pause, rest) if rest > 0 else pause

    def _complain(self, problem: str) -> None:
        if not self._trouble:
            log.warning("cannot read or write the Lease; Curfew tries again", problem=problem)
        self._trouble = problem

"""When a replica that does not lead may end an access: after the leader had its chance, and not by a clock that is wrong.

Any replica may end any access, because a DELETE with a UID succeeds once. The pause only keeps the replicas from sending
every DELETE several times.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from curfew.core.facts import ClockState
from curfew.core.reasons import Reason
from curfew.core.steps import Remove
from curfew.processes.operator.known import Store

LEAST_SECONDS: Final = 0.1
MOST_SECONDS: Final = 0.25
"""How long a standby leaves an end to the leader: at least, and at most. By lot, so that not all standbys come together."""

AGAIN: Final = timedelta(seconds=1)
"""How soon the replica in office looks again at what it left alone because it could not show that it leads."""

WORKS_SECONDS: Final = 0.1
"""For how long after an end that another replica was faster with, that replica counts as at work."""

COUNT_SECONDS: Final = 0.01
"""How often to look whether another replica has ended any of the accesses that wait here, at most: there may be hundreds."""

PATIENCE_SECONDS: Final = 1.0
"""How long an end is left to a replica that is at work, at most: it may have hundreds to send."""

CLOCK_SECONDS: Final = 0.25
"""How soon to look again, if our clock is wrong and another replica leads."""


class Leading(Protocol):
    """Whether this replica leads."""

    @property
    def leads(self) -> bool:
        """Whether this replica leads at this moment."""
        ...

    @property
    def is_in_office(self) -> bool:
        """Whether this replica has won, and no other is known to have won since. It may be unable to show it now."""
        ...

    @property
    def is_held(self) -> bool:
        """Whether any replica leads, as far as is known."""
        ...


class Alone:
    """The only process of its kind: it always leads."""

    leads = True
    is_in_office = True
    is_held = True


class Courtesy:
    """Lets the leader end an access first."""

    def __init__(
        self,
        store: Store,
        leading: Leading,
        clock_state: Callable[[], ClockState],
        is_past: Callable[[datetime], bool] = lambda _: False,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`is_past` returns whether an instant has passed on the API server's clock. `jitter` returns a number from 0 to 1."""
        self._store = store
        self._leading = leading
        self._clock_state = clock_state
        self._is_past = is_past
        self._jitter = jitter
        self._waiting: dict[str, str] = {}  # the UIDs of the bindings whose ends are left to another replica, by key
        self._looked_at = float("-inf")
        self._others_worked_at = float("-inf")  # when one of them was last seen to be gone

    @property
    def is_in_office(self) -> bool:
        """Whether this replica is the one to tell of what cannot be ended."""
        return self._leading.is_in_office

    async def is_our_turn(self, key: str, removal: Remove) -> bool:
        """Wait for the turn of this replica, and return whether the binding with this key is still to be removed.

        The leader does not wait, and nobody waits if nobody leads (promise P3).
        """
        if self._leading.is_in_office or not self._leading.is_held:
            return True
        self._waiting[key] = removal.binding.uid
        try:
            return await self._wait(key, removal)
        finally:
            self._waiting.pop(key, None)

    async def _wait(self, key: str, removal: Remove) -> bool:
        loop = asyncio.get_running_loop()
        began, pause = loop.time(), LEAST_SECONDS + (MOST_SECONDS - LEAST_SECONDS) * self._jitter()
        while not self._leading.is_in_office and self._leading.is_held:
            await asyncio.sleep(pause)
            if self._is_gone(key, removal.binding.uid):
                if key in self._waiting:  # nobody has noticed it before: each is news once
                    self._others_worked_at = loop.time()
                return False
            if self._is_sure(removal):
                if not self._are_others_at_work(loop.time()) or loop.time() - began >= PATIENCE_SECONDS:
                    return True
                pause = LEAST_SECONDS / 2
            else:
                pause = CLOCK_SECONDS  # a fast clock must not cut access short that another clock keeps
        return True

    def _is_gone(self, key: str, uid: str) -> bool:
        known = self._store.binding(key)
        return known is None or known.uid != uid

    def _are_others_at_work(self, now: float) -> bool:
        """Whether another replica has ended one of the accesses that wait here a moment ago."""
        if now - self._looked_at >= COUNT_SECONDS:
            self._looked_at = now
            gone = [key for key, uid in self._waiting.items() if self._is_gone(key, uid)]
            for key in gone:
                del self._waiting[key]
            if gone:
                self._others_worked_at = now
        return now - self._others_worked_at < WORKS_SECONDS

    def _is_sure(self, removal: Remove) -> bool:
        """Whether an access is over even if our clock is wrong: then its end has to have passed for the API server too."""
        end = removal.binding.expires_at
        is_by_our_clock = removal.reason is Reason.DURATION_ELAPSED
        return not is_by_our_clock or self._clock_state().ok or (end is not None and self._is_past(end))

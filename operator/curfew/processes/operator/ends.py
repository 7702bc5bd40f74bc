"""Ends of access go first: while some of them wait for a connection, nothing else begins (promises P1 and P3)."""

import asyncio
from collections.abc import Callable
from typing import Final

SENT_AT_ONCE: Final = 16
"""How many ends hold nothing up: each of them has a connection that only ends use."""

LONGEST_HOLD: Final = 2.0
"""Longest time that everything else waits, in seconds. An API server that answers sends thousands of ends in it."""


class Ends:
    """Counts the ends that are under way, and for how long they hold everything else up."""

    def __init__(self, resume: Callable[[], None]) -> None:
        """`resume` is called when a hold took too long, so that everything else goes on. A hold that is over calls nothing."""
        self._resume = resume
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._took_too_long = False

    @property
    def are_under_way(self) -> bool:
        """Whether any end is under way that did not fail before."""
        return self._under_way > 0

    @property
    def wait(self) -> bool:
        """Whether ends wait for each other, so that nothing else may begin."""
        return self._under_way > SENT_AT_ONCE and not self._took_too_long

    def begin(self) -> None:
        """Note that an end is under way."""
        self._under_way += 1
        if self.wait and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_HOLD, self._give_up)

    def end(self) -> None:
        """Note that an end was sent and answered, or failed."""
        self._under_way -= 1
        if self._under_way <= SENT_AT_ONCE:
            self.close()

    def close(self) -> None:
        """End a hold."""
        self._took_too_long = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._took_too_long = True
        self._resume()

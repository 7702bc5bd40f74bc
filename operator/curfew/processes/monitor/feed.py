"""What is known about the feed of audit events: which sources were heard, and which events may be lost.

A batch that was not taken comes again, as the same bytes. Until it does, nothing that happened before can be answered for. If
it does not come within `GIVE_UP`, its sender has dropped it, and the coverage gets a hole.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from curfew.core.skew import TOO_FAR
from curfew.ports import Clock
from curfew.ports.intake import Batch

GIVE_UP = timedelta(minutes=5)
"""How long a batch or a test call is waited for. An API server repeats a batch for up to 4 minutes."""

BEFORE = GIVE_UP
"""How long before its first arrival the calls of a batch may have come: the API server answers each within a minute, collects
events for up to 30 s, and may have tried for more than a minute in vain."""

REPORT_EVERY = timedelta(minutes=1)
"""How often one reason for a loss is reported."""

LATE = timedelta(minutes=1)
"""How late an event may come that we did not refuse. If it is later, others may have been dropped meanwhile.

An API server gives up after 81 s at least (`--audit-webhook-initial-backoff=10s`), and writes an event every 10 s.
"""

MOST_SOURCES = 100
MOST_REFUSED = 1000

Lost = Callable[[datetime, datetime, str], None]
"""Called with a hole in the coverage: from, to, and why, as words that can follow "because"."""


class Feed:
    """The sources, the batches that are to come again, and what was lost."""

    def __init__(self, clock: Clock, lost: Lost) -> None:
        """Nothing was heard yet."""
        self._clock = clock
        self._lost = lost
        self._heard: dict[str, datetime] = {}
        self._refused: dict[bytes, datetime] = {}  # by digest, when it was first refused
        self._lost_since: dict[str, datetime] = {}  # by reason, what is still to be reported
        self._told: dict[str, datetime] = {}  # by reason, when it was last reported
        self._arrivals = 0  # batches since the start
        self._in_hand: dict[int, None] = {}  # the numbers of the batches that are not done, the oldest first

    # --- sources ----------------------------------------------------------------------------------------------------

    def knows(self, source: str) -> bool:
        """Whether a source was heard before, or there is room for it."""
        return source in self._heard or len(self._heard) < MOST_SOURCES

    def heard(self, source: str, at: datetime) -> None:
        """Note that a source has sent an event of this time."""
        now = self._clock.now()
        if at - now > TOO_FAR:
            self.lose(
                f"the clock of the API server {source} is ahead, so its calls may seem to come after the end of a grant"
            )
        if self.knows(source):
            # An event from the future must not make a source look alive for ever.
            at = min(at, now)
            self._heard[source] = max(self._heard.get(source, at), at)

    def heard_since(self, at: datetime) -> tuple[str, ...]:
        """Return the sources that have sent an event of this time or later."""
        return tuple(sorted(source for source, last in self._heard.items() if last >= at))

    # --- batches ----------------------------------------------------------------------------------------------------

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """Know that a batch has arrived, until its records are durable or it was refused."""
        self._arrivals += 1
        number = self._arrivals
        self._in_hand[number] = None
        try:
            yield
        finally:
            del self._in_hand[number]

    @property
    def arrivals(self) -> int:
        """How many batches have arrived since the start."""
        return self._arrivals

    def is_done(self, arrivals: int) -> bool:
        """Whether so many batches, the first ones since the start, are all done."""
        return next(iter(self._in_hand), arrivals + 1) > arrivals

    def refused(self, batch: Batch) -> None:
        """Note that a batch was not taken and is to come again."""
        if len(self._refused) < MOST_REFUSED:
            self._refused.setdefault(_digest(batch), self._clock.now())
        else:
            self.lose("too many batches of audit events were refused at once")

    def taken(self, batch: Batch) -> None:
        """Note that a batch was taken."""
        if self._refused:
            self._refused.pop(_digest(batch), None)

    def delivered(self, batch: Batch, oldest: datetime) -> None:
        """Note when the oldest event of a batch happened that an API server has just delivered. Comes before `taken`."""
        now = self._clock.now()
        if now - oldest > LATE and self._refused.get(_digest(batch), now) - oldest > LATE:
            self.lose(f"audit events of {batch.source} came so late that others may have been dropped")

    @property
    def is_waiting(self) -> bool:
        """Whether a batch is to come again, or a loss is still to be reported. Until then, nothing can be confirmed."""
        return bool(self._refused or self._lost_since)

    def give_up(self) -> None:
        """Give up the batches that did not come again in time, and report losses for which it is time."""
        for why in tuple(self._lost_since):
            self._report(why)
        now = self._clock.now()
        late = [digest for digest, since in self._refused.items() if now - since > GIVE_UP]
        if late:
            since = min(self._refused.pop(digest) for digest in late)
            self._lost(since - BEFORE, now, "a batch of audit events was refused and did not come again")

    # --- losses -----------------------------------------------------------------------------------------------------

    def lose(self, why: str) -> None:
        """Note that events that have just arrived are lost for good. One reason is reported once in a minute."""
        self._lost_since.setdefault(why, self._clock.now())
        self._report(why)

    def _report(self, why: str) -> None:
        now, told = self._clock.now(), self._told.get(why)
        if told is None or now - told >= REPORT_EVERY:
            self._told[why] = now
            self._lost(self._lost_since.pop(why) - BEFORE, now, why)


def _digest(batch: Batch) -> bytes:
    return hashlib.sha256(batch.source.encode() + b"\0" + batch.body).digest()

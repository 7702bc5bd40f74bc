"""What waits to be sent to one channel: in order, not too fast, together in a storm, and again until it is taken or too old."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from curfew.core.notifications.message import Message
from curfew.ports import Clock
from curfew.ports.notifier import Channel, Notifier, NotSent

log = structlog.get_logger("curfew")

KEEP = timedelta(hours=1)
"""How long a message is tried. What is older helps nobody, and hides what is new."""

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0

MOST_WAITING = 1000
"""Most messages that wait for a channel. For newer ones, the oldest of the least grave are given up, with their number."""

MOST_TOGETHER = 500
"""Most messages in a digest."""

STORM = 10
"""So many that wait are put together, and do not go out one by one."""


class Results(Protocol):
    """Takes what came of messages."""

    def sent(self, channel: Channel, messages: Sequence[Message], attempts: int, seconds: float) -> None:
        """Note that messages went out, so many seconds after the first of them was handed over."""
        ...

    def failed(self, channel: Channel) -> None:
        """Note a try that did not succeed."""
        ...

    def dropped(self, channel: Channel, messages: Sequence[Message], attempts: int, why: str) -> None:
        """Note that messages were given up."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    message: Message
    since: datetime


class Outgoing:
    """The queue of one channel."""

    def __init__(self, channel: Channel, notifier: Notifier, clock: Clock, results: Results) -> None:
        """Nothing waits yet."""
        self._channel = channel
        self._notifier = notifier
        self._clock = clock
        self._results = results
        self._waiting: deque[_Waiting] = deque()
        self._sending: list[_Waiting] = []
        self._lost: list[Message] = []  # there was no room for them
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tries = 0
        self._tokens = float(self._burst)
        self._filled_at = 0.0  # by the event loop's time

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._waiting) + len(self._sending)

    async def idle(self) -> None:
        """Return when nothing is on its way."""
        await self._idle.wait()

    def put(self, channel: Channel, message: Message) -> None:
        """Have a message sent. `channel` is the same place, as the newest version of the routes has it."""
        self._channel = channel
        self._waiting.append(_Waiting(message, self._clock.now()))
        if len(self._waiting) > MOST_WAITING:
            least = min(self._waiting, key=lambda one: one.message.severity)  # the first of them is the oldest
            self._waiting.remove(least)
            self._lost.append(least.message)
        self._wanted.set()

    async def run(self) -> None:
        """Send, for ever."""
        while True:
            self._give_up()
            if not self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            if (pause := self._until_allowed()) > 0:
                await asyncio.sleep(pause)
                continue
            self._sending = self._batch()
            self._idle.clear()
            try:
                pause = await self._send()
            finally:
                self._waiting.extendleft(reversed(self._sending))  # what did not go out comes first again
                self._sending = []
                self._idle.set()
            await asyncio.sleep(pause)

    async def _send(self) -> float:
        """Send what is in `_sending`, empty it if there is nothing more to do for it, and return for how long to pause."""
        messages = [one.message for one in self._sending]
        self._tries += 1
        self._tokens -= 1
        try:
            await self._notifier.send(self._channel, messages)
        except NotSent as error:
            self._results.failed(self._channel)
            if error.is_final:
                self._results.dropped(self._channel, messages, self._tries, str(error))
                self._sending, self._tries = [], 0
                return 0.0
            pause: float = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(self._tries - 1, 10))
            if self._tries == 1:
                log.warning("a notification did not go out", channel=str(self._channel), problem=str(error))
            return max(pause, min(error.retry_after or 0.0, KEEP.total_seconds()))
        seconds = (self._clock.now() - self._sending[0].since).total_seconds()
        self._results.sent(self._channel, messages, self._tries, seconds)
        self._sending, self._tries = [], 0
        return 0.0

    def _batch(self) -> list[_Waiting]:
        """Take what is sent next: one message, or all that wait if they are many or have waited for their turn."""
        first = self._waiting.popleft()
        if self._channel.is_personal or (len(self._waiting) + 1 < STORM and self._tokens >= 2):
            return [first]
        rest = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_TOGETHER - 1))]
        return [first, *rest]

    def _give_up(self) -> None:
        """Give up what is too old, and what there was no room for."""
        if self._lost:
            lost, self._lost = self._lost, []
            self._results.dropped(self._channel, lost, 0, f"More than {MOST_WAITING:,} messages waited.")
        now, old = self._clock.now(), []
        while self._waiting and now - self._waiting[0].since > KEEP:
            old.append(self._waiting.popleft().message)
        if old:
            self._results.dropped(self._channel, old, self._tries, "The receiver did not take it for an hour.")
            self._tries = 0

    # --- not too fast -----------------------------------------------------------------------------------------------

    @property
    def _burst(self) -> int:
        """How many messages may go out at once."""
        return max(1, min(10, self._channel.per_minute))

    def _until_allowed(self) -> float:
        """Return how many seconds it takes until the next message may go out."""
        now = asyncio.get_running_loop().time()
        each = 60.0 / self._channel.per_minute
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) / each)
        self._filled_at = now
        missing = 1.0 - self._tokens
        # Sums of fractions are not exact: without this, the last of the pauses may be too short for any clock.
        return missing * each if missing > 1e-6 else 0.0

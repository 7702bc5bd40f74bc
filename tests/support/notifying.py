"""Notifications at work: a receiver that answers as a test wants, and the log of what was told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

from curfew.audit.record import Record
from curfew.core.notifications.message import Message
from curfew.core.notifications.told import SettledMessages
from curfew.ports.notifier import Channel, NotSent
from curfew.processes.monitor.notifying import Notifying
from tests.support.builders import NOON
from tests.support.messages import a_told_record
from tests.support.trail import LoopClock

LOG = "main-activity"


@dataclass
class Receiver:
    """A channel that answers as the test wants, as a `Notifier` with one or several of them."""

    names: Sequence[str] = ("r",)
    per_minute: int = 600
    is_personal: bool = False
    trouble: str = ""
    is_new: bool = True
    got: list[tuple[float, str, list[str]]] = field(default_factory=list)
    """When, to which route, the UIDs of the requests."""
    tried: list[float] = field(default_factory=list)
    fails: dict[str, NotSent] = field(default_factory=dict)  # by route, for as long as it is there
    hangs: dict[str, asyncio.Event] = field(default_factory=dict)

    async def refresh(self) -> bool:
        """Return whether there are other routes now."""
        is_new, self.is_new = self.is_new and not self.trouble, False
        return is_new

    def channels(self, message: Message) -> Sequence[Channel]:
        """Return one for each name."""
        return [Channel(name, "JSON", per_minute=self.per_minute, is_personal=self.is_personal) for name in self.names]

    async def send(self, channel: Channel, messages: Sequence[Message]) -> None:
        """Take messages, or not."""
        now = asyncio.get_running_loop().time()
        self.tried.append(now)
        if channel.route in self.hangs:
            await self.hangs[channel.route].wait()
        if channel.route in self.fails:
            raise self.fails[channel.route]
        self.got.append((now, channel.route, [message.subject for message in messages]))

    @property
    def uids(self) -> list[str]:
        """Return the UIDs of all that arrived, in order."""
        return [uid for _, _, uids in self.got for uid in uids]


@dataclass
class Numbers:
    """Counts."""

    counts: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    ok: bool = False

    def notified(self, channel: str, outcome: str, number: int = 1) -> None:
        """Count messages."""
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def notified_after(self, seconds: float) -> None:
        """Look at nothing."""

    def set_notifications(self, waiting: int, *, ok: bool) -> None:
        """Keep the last."""
        self.waiting, self.ok = waiting, ok


class Desk:
    """Notifying, with its log."""

    def __init__(self, receiver: Receiver | None, log: list[Record] | None = None) -> None:
        self.clock = LoopClock(NOON)
        self.numbers = Numbers()
        self.log = log if log is not None else []
        self.told = SettledMessages()
        for record in self.log:
            self.told.learn(record)
        self.notifying = Notifying(
            receiver, self.clock, self.numbers, log_name=LOG, submit=self.log.append, told=lambda: self.told
        )

    def asks(self, uid: str, at: datetime | None = None) -> None:
        """Let the trail bring the record of a request."""
        self.notifying.learn(a_told_record(uid=uid, request=uid, at=at or self.clock.now()))

    def events(self, event: str) -> list[Record]:
        """Return the records of an event."""
        return [record for record in self.log if record.event == event]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run as long as the block."""
        task = asyncio.create_task(self.notifying.run())
        await asyncio.sleep(0.1)
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

"""Tells people what happened: hands each message to the channels that its routes name, and records what came of it.

Nothing ever waits for this. What the monitor's log does not show as settled is told again after a restart, if it is of the
last hour: so nothing is lost, and only what went out in the last moments before an end may come twice.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import structlog

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.core.notifications import records
from curfew.core.notifications.desk import Desk
from curfew.core.notifications.message import Message
from curfew.core.notifications.told import SettledMessages
from curfew.ports import Clock
from curfew.ports.notifier import Channel, Notifier
from curfew.processes.monitor.outgoing import KEEP, Outgoing

log = structlog.get_logger("curfew")

REFRESH_SECONDS = 3.0
"""How often the file of routes is looked at."""

LOOK_SECONDS = 1.0
"""How often it is looked whether a reminder is due."""

FINISH_SECONDS = 3.0
"""How long the end of the process waits for what is on its way: what was not confirmed is sent again after the start."""

MOST_EARLY = 10_000
"""Most messages that are kept until the logs are read, or until there are routes; the oldest are given up."""


class NotificationNumbers(Protocol):
    """Counts what is told."""

    def notified(self, channel: str, outcome: str, number: int = 1) -> None:
        """Count messages by what came of them: Sent, Dropped, or Failed for a try."""
        ...

    def notified_after(self, seconds: float) -> None:
        """Record how long a message took until it went out."""
        ...

    def set_notifications(self, waiting: int, *, ok: bool) -> None:
        """Set how many messages wait, and whether the routes in force are those in the file."""
        ...


class Notifying:
    """The messages, from the records that cause them to the channels. Whoever hands over a record waits for no message."""

    def __init__(
        self,
        notifier: Notifier | None,
        clock: Clock,
        numbers: NotificationNumbers,
        *,
        log_name: str,
        submit: Callable[[Record], None],
        told: Callable[[], SettledMessages],
    ) -> None:
        """Without a notifier, nobody is told anything. `told` returns what the monitor's log shows as settled."""
        self._notifier = notifier
        self._clock = clock
        self._numbers = numbers
        self._log_name = log_name
        self._submit = submit
        self._told = told
        self._desk = Desk()
        self._early: deque[Message] = deque(maxlen=MOST_EARLY)
        self._is_ready = False  # the logs are read, and there are routes
        self._queues: dict[str, Outgoing] = {}
        self._new: asyncio.Queue[Outgoing] = asyncio.Queue()

    @property
    def trouble(self) -> str:
        """Why messages may not arrive, as a sentence for people; empty if all is well, or if nobody is to be told anything."""
        return self._notifier.trouble if self._notifier is not None else ""

    # --- what is to be told -----------------------------------------------------------------------------------------

    def learn(self, record: Record) -> None:
        """Learn a record of the operator's log, in the log's order, also while the log is read back at the start."""
        if self._notifier is not None:
            self._offer(record, self._desk.learn)

    def alert(self, record: Record) -> None:
        """Have an alert told: a durable record of the monitor's log that raises one, and is not silenced.

        A second time for one record has no effect, so at a start it is called for each alert of the last hour.
        """
        if self._notifier is not None:
            self._offer(record, self._desk.alert)

    def _offer(self, record: Record, read: Callable[[Record], Sequence[Message]]) -> None:
        try:
            self._tell(read(record))
        except Exception:  # attribution and alerts are learnt from the same records, and wait for no message
            log.exception("a record cannot be told", record=record.id)

    def _tell(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self._is_ready:
                self._hand_over(message)
            elif self._clock.now() - message.at <= KEEP:
                self._early.append(message)

    def _hand_over(self, message: Message) -> None:
        assert self._notifier is not None  # noqa: S101  without one, nothing is learnt
        told = self._told()
        for channel in self._notifier.channels(message):
            name = str(channel)
            if told.has(message.key, name):
                continue
            told.add(message.key, name)
            queue = self._queues.get(name)
            if queue is None:
                queue = self._queues[name] = Outgoing(channel, self._notifier, self._clock, self)
                self._new.put_nowait(queue)
            queue.put(channel, message)

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Tell, for ever. Both logs were read back before."""
        if self._notifier is None:
            self._numbers.set_notifications(0, ok=True)
            await asyncio.Event().wait()
            return
        self._new = asyncio.Queue()  # all that there are begin below
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refresh(self._notifier))
            group.create_task(self._remind())
            for queue in self._queues.values():
                group.create_task(queue.run())
            while True:
                queue = await self._new.get()
                group.create_task(queue.run())

    async def close(self) -> None:
        """Wait a little for what is on its way, so that the log shows it as sent."""
        try:
            async with asyncio.timeout(FINISH_SECONDS):
                await asyncio.gather(*(queue.idle() for queue in self._queues.values()))
        except TimeoutError:
            return

    async def _refresh(self, notifier: Notifier) -> None:
        trouble = ""
        while True:
            is_new = await notifier.refresh()
            if is_new and not self._is_ready:
                self._is_ready = True
                early, self._early = tuple(self._early), deque(maxlen=MOST_EARLY)
                self._tell([message for message in early if self._clock.now() - message.at <= KEEP])
            if notifier.trouble and notifier.trouble != trouble:
                log.error("the routes of notifications cannot be used", problem=notifier.trouble)
            elif is_new:
                log.info("the routes of notifications are in force")
            trouble = notifier.trouble
            await asyncio.sleep(REFRESH_SECONDS)

    async def _remind(self) -> None:
        while True:
            now = self._clock.now()
            self._tell([message for message in self._desk.due(now) if now - message.at <= timedelta(minutes=5)])
            waiting = sum(len(queue) for queue in self._queues.values()) + len(self._early)
            self._numbers.set_notifications(waiting, ok=not self.trouble)
            await asyncio.sleep(LOOK_SECONDS)

    # --- what came of it --------------------------------------------------------------------------------------------

    def sent(self, channel: Channel, messages: Sequence[Message], attempts: int, seconds: float) -> None:
        """Count and record that messages went out."""
        self._numbers.notified(channel.family, "Sent", len(messages))
        self._numbers.notified_after(seconds)
        self._record(
            records.sent(
                self._log_name,
                messages,
                route=channel.route,
                number=channel.number,
                channel=channel.family,
                attempts=attempts,
                at=self._clock.now(),
            )
        )

    def failed(self, channel: Channel) -> None:
        """Count a try that did not succeed."""
        self._numbers.notified(channel.family, "Failed")

    def dropped(self, channel: Channel, messages: Sequence[Message], attempts: int, why: str) -> None:
        """Count and record that messages were given up, in records that name no more than fits."""
        self._numbers.notified(channel.family, "Dropped", len(messages))
        log.error("notifications were given up", channel=str(channel), number=len(messages), problem=why)
        for first in range(0, len(messages), records.MOST_NAMED):
            self._record(
                records.dropped(
                    self._log_name,
                    messages[first : first + records.MOST_NAMED],
                    route=channel.route,
                    number=channel.number,
                    channel=channel.family,
                    attempts=attempts,
                    why=why,
                    at=self._clock.now(),
                )
            )

    def _record(self, record: Record) -> None:
        try:
            self._submit(record)
        except NotCanonical as error:
            log.warning("a record cannot be written", record=record.event, problem=str(error))

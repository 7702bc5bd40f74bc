"""Folds records into messages, and knows which reminders are still due."""

import heapq
from collections import OrderedDict
from datetime import datetime

from curfew.audit.record import Record
from curfew.core.notifications.alerts import alert_message
from curfew.core.notifications.message import Message
from curfew.core.notifications.requests import ENDED, ending, messages

MOST_REMINDERS = 100_000
"""Most grants whose end is remembered. More are not active at once; the oldest would lose its reminder, and nothing else."""


class Desk:
    """What was learnt, as far as something is still to be told."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._reminders: OrderedDict[str, Message] = OrderedDict()  # by the UID of the request
        self._due: list[tuple[datetime, str]] = []

    def learn(self, record: Record) -> tuple[Message, ...]:
        """Learn a record of the operator's log, and return what is to be told now."""
        if record.event == "grant.activated" and (reminder := ending(record)) is not None:
            self._remind(record.subject, reminder)
        elif record.event in ENDED:
            self._reminders.pop(record.subject, None)
        return messages(record)

    def alert(self, record: Record) -> tuple[Message, ...]:
        """Return what is to be told about an alert."""
        message = alert_message(record)
        return (message,) if message is not None else ()

    def due(self, now: datetime) -> tuple[Message, ...]:
        """Return the reminders whose time has come, each once."""
        found = []
        while self._due and self._due[0][0] <= now:
            at, uid = heapq.heappop(self._due)
            reminder = self._reminders.get(uid)
            if reminder is not None and reminder.at == at:
                found.append(self._reminders.pop(uid))
        return tuple(found)

    @property
    def next(self) -> datetime | None:
        """When the next reminder may be due."""
        return self._due[0][0] if self._due else None

    def _remind(self, uid: str, reminder: Message) -> None:
        self._reminders[uid] = reminder
        heapq.heappush(self._due, (reminder.at, uid))
        while len(self._reminders) > MOST_REMINDERS:
            self._reminders.popitem(last=False)
        if len(self._due) > 2 * MOST_REMINDERS:
            self._due = sorted((one.at, uid) for uid, one in self._reminders.items())

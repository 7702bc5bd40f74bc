"""Folds records into messages, and knows which reminders are still due."""

from datetime import datetime

from curfew.audit.record import Record
from curfew.core.detectors.deadlines import Deadlines
from curfew.core.notifications.alerts import alert_message
from curfew.core.notifications.message import Message
from curfew.core.notifications.requests import ENDED, ending, messages

MOST_REMINDERS = 100_000
"""Most grants whose end is remembered. More are not active at once; the oldest would lose its reminder, and nothing else."""


class Desk:
    """What was learnt, as far as something is still to be told."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._reminders: Deadlines[str, Message] = Deadlines(MOST_REMINDERS)  # by the UID of the request

    def learn(self, record: Record) -> tuple[Message, ...]:
        """Learn a record of the operator's log, and return what is to be told now."""
        if record.event == "grant.activated" and (reminder := ending(record)) is not None:
            self._reminders.set(record.subject, reminder.at, reminder)
        elif record.event in ENDED:
            self._reminders.cancel(record.subject)
        return messages(record)

    def alert(self, record: Record) -> tuple[Message, ...]:
        """Return what is to be told about an alert."""
        message = alert_message(record)
        return (message,) if message is not None else ()

    def due(self, now: datetime) -> tuple[Message, ...]:
        """Return the reminders whose time has come, each once."""
        return tuple(reminder for _, _, reminder in self._reminders.due(now))

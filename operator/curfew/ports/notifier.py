"""Telling people: what the monitor's parts hand over, and what a channel answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curfew.audit.record import Record
from curfew.core.notifications.message import Message


class Notifications(Protocol):
    """Takes records that people may have to hear of. It returns at once: nobody ever waits for a message."""

    def learn(self, record: Record) -> None:
        """Learn a record of the operator's log, in the log's order, also while the log is read back at the start."""
        ...

    def alert(self, record: Record) -> None:
        """Have an alert told: a durable record of the monitor's log that raises one, and is not silenced.

        A second time for one record has no effect, so at a start it is called for each alert of the last hour.
        """
        ...


class NotSent(Exception):
    """A message did not go out. `str(error)` is a sentence for people, without the address and without secrets."""

    def __init__(self, why: str, *, retry_after: float | None = None, is_final: bool = False) -> None:
        """`retry_after` is how many seconds the receiver wants to be left alone. If it is final, no try will succeed."""
        super().__init__(why)
        self.retry_after = retry_after
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Channel:
    """One place that messages go to."""

    route: str  # the name of its route
    family: str  # Slack, Email and so on: how it is addressed, and no secret
    number: int = 0  # among the places of its route
    per_minute: int = 20  # how many messages it takes before they are put together
    is_personal: bool = False  # each message goes to the person it is for, so two of them are never put together

    def __str__(self) -> str:
        """Return what records, logs and metrics name it by."""
        return f"{self.route}/{self.number}"


class Notifier(Protocol):
    """Sends messages."""

    @property
    def trouble(self) -> str:
        """What is wrong with the routes, as a sentence for people without any address; empty if all is well."""
        ...

    async def refresh(self) -> bool:
        """Read the routes again if they have changed, and return whether there are others now."""
        ...

    def channels(self, message: Message) -> Sequence[Channel]:
        """Return the places that a message has to go to."""
        ...

    async def send(self, channel: Channel, messages: Sequence[Message]) -> None:
        """Send one message, or several as a digest. Raise `NotSent` if it did not go out, or it is not known whether it did."""
        ...

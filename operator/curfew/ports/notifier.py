"""Telling people: the channels that messages go to, and what a channel answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from curfew.core.notifications.message import Message


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

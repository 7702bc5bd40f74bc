"""A message for people: what has happened, what they can do, and the exact commands to do it.

Every text in it comes from a record, so from outside: it is data, and each channel has to show it as plain text.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from curfew.core.detectors.alert import Severity


class Occasion(StrEnum):
    """What a message is about. Routes choose by these words."""

    REQUEST_PENDING = "RequestPending"  # for those who can approve
    REQUEST_REVIEWED = "RequestReviewed"  # somebody has decided: for the others who could
    REQUEST_APPROVED = "RequestApproved"  # this one and the next four: for the requester
    REQUEST_CLOSED = "RequestClosed"  # denied, timed out, rejected, cancelled: it will give no access
    GRANT_ACTIVE = "GrantActive"
    GRANT_ENDING = "GrantEnding"  # five minutes before the end
    GRANT_ENDED = "GrantEnded"
    GLASS_BROKEN = "GlassBroken"  # this one and the next: for the owners of the namespace
    REVIEW_OVERDUE = "ReviewOverdue"
    ALERT = "Alert"  # for the security team


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message: what it is, and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command that can be pasted into a shell as it is, whatever the names in it are."""

    does: str  # a few words: what it does
    shell: str  # one line for a POSIX shell


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be told, to whoever a route names."""

    topic: Occasion
    record: str  # the id of the record that it tells
    at: datetime  # when it is due: aware, in UTC
    title: str  # a line
    text: str  # a sentence or two
    severity: Severity
    namespace: str = ""
    policy: str = ""
    detector: str = ""  # of an alert
    person: str = ""  # whom it is for, if it is for exactly one
    subject: str = ""  # the UID of the request that it is about, if it is about one
    request: str = ""  # its name
    facts: tuple[Fact, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from all others: the same record gives the same key, also after a restart."""
        return f"{self.topic}/{self.record}"

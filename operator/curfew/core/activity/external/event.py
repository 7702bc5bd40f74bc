"""One event of another system, as its mapping read it from a line."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ExternalOutcome(StrEnum):
    """How an event ended, if the line shows it."""

    SUCCESS = "Success"
    FAILURE = "Failure"


@dataclass(frozen=True, slots=True)
class ExternalEvent:
    """What a line says. All texts are bounded, and secrets in them are masked. The time is aware and in UTC."""

    system: str
    line: str  # SHA-256 of the line, in hex: the same line is the same event
    at: datetime
    person: str | None = None  # as the other system names them
    user: str | None = (
        None  # the same person as the API server knows them, if the mapping has the name; else as `person`
    )
    action: str | None = None
    object: str | None = None
    outcome: ExternalOutcome | None = None
    grant: str | None = None  # a request's UID, or the name of a binding
    ticket: str | None = None
    correlation: str | None = None
    address: str | None = None  # an IP address

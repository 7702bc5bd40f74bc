"""What a history shows of a promise: that it was broken, or that it cannot be told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JudgedPromise(StrEnum):
    """The promises that can be judged by a history, by their number in the threat model."""

    P1 = "P1"
    P2 = "P2"
    P7 = "P7"
    P10 = "P10"

    @property
    def meaning(self) -> str:
        """What is promised, as a sentence without its end."""
        return _MEANINGS[self]


_MEANINGS = {
    JudgedPromise.P1: "No binding outlives its end",
    JudgedPromise.P2: "No binding without a record before it",
    JudgedPromise.P7: "Each transition is in the log exactly once",
    JudgedPromise.P10: "Each request comes to its end once",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was broken for one request, with a sentence that shows how; or one of which that cannot be told."""

    promise: JudgedPromise
    at: datetime
    subject: str  # the UID of the request, or namespace/name if the UID is not known
    sentence: str
    is_certain: bool = True  # False: the sources do not show whether it was kept

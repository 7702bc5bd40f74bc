"""Where audit events go after they have arrived: what is handed over, and how it may fail.

IntakeError
├── Overloaded          too much waits already; the same batch is welcome later
├── IntakeUnavailable   nothing can be made durable now; the same batch is welcome later
└── BatchRefused        nothing in the batch can be used; the same batch would be refused again
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from curfew.core.activity.formats.forms import Form


class IntakeRefusal(StrEnum):
    """Why something that arrived was not handed over, or was handed over in vain."""

    NOT_AUTHENTICATED = "NotAuthenticated"
    NOT_ALLOWED = "NotAllowed"  # the token or certificate is for something else
    NO_HANDSHAKE = "NoHandshake"  # not TLS, or a certificate of another authority, or silence
    CROWDED = "Crowded"  # too many connections
    MALFORMED = "Malformed"  # not HTTP, or not what is taken at that address
    DISCONNECTED = "Disconnected"  # the sender was gone before the end of the body
    TOO_SLOW = "TooSlow"
    OVERLOADED = "Overloaded"
    UNAVAILABLE = "Unavailable"
    TOO_LARGE = "TooLarge"
    COMPRESSED = "Compressed"
    USELESS = "Useless"  # the sink refused the whole batch
    LINE_TOO_LONG = "LineTooLong"
    FILE_GONE = "FileGone"  # a file that was not read to its end is gone, or was cut

    @property
    def loses(self) -> bool:
        """Whether events may be lost for good: the sender will not bring them, or they would be refused again.

        For such a source, coverage has a hole.
        """
        return self in _LOSSES


_LOSSES = frozenset(
    {
        IntakeRefusal.TOO_LARGE,
        IntakeRefusal.COMPRESSED,
        IntakeRefusal.USELESS,
        IntakeRefusal.LINE_TOO_LONG,
        IntakeRefusal.FILE_GONE,
    }
)


class IntakeError(Exception):
    """A batch was not taken. `str(error)` is a sentence for people, without anything from the batch."""

    reason: IntakeRefusal


class Overloaded(IntakeError):
    """Too much waits already. The same batch is welcome after `retry_after` seconds."""

    reason = IntakeRefusal.OVERLOADED

    def __init__(self, retry_after: float, why: str = "Too many audit events wait already.") -> None:
        """`retry_after` is in seconds; `why` is a sentence for people."""
        super().__init__(why)
        self.retry_after = retry_after


class IntakeUnavailable(IntakeError):
    """Nothing can be made durable now. The same batch is welcome later; the batch may or may not have been taken."""

    reason = IntakeRefusal.UNAVAILABLE


class BatchRefused(IntakeError):
    """Nothing in the batch can be used, and it would be refused again. One bad event in it is no reason for this."""

    reason = IntakeRefusal.USELESS


@dataclass(frozen=True, slots=True)
class Batch:
    """Audit events that arrived together, as bytes. Their number of bytes is bounded by who received them.

    If `is_lines`, each line is one event (a file, standard input, /lines); else the body is one
    audit.k8s.io/v1 EventList. The last line may lack its newline. With a `mapping`, the lines are those of another system,
    which the mapping of that name reads, and the form means nothing.
    """

    source: str  # a DNS label: the name under which coverage is counted
    form: Form
    body: bytes
    is_lines: bool
    mapping: str | None = None


class BatchSink(Protocol):
    """Takes batches. Many may be under way at once, and their order means nothing across sources."""

    async def take(self, batch: Batch) -> None:
        """Return when everything good in it is durable or belongs to nobody. Raise an `IntakeError` if not.

        The sender repeats a batch that was not taken, and may repeat one that was: the same event twice is no error.
        It may be cancelled: then it took too long, and the sender repeats the batch.
        """
        ...


class IntakeObserver(Protocol):
    """Counts what arrives. It is given no names but those of sources."""

    def taken(self, source: str, size: int, seconds: float) -> None:
        """Count a batch that the sink has taken: its bytes, and how long the sink needed."""
        ...

    def refused(self, reason: IntakeRefusal, source: str = "") -> None:
        """Count a refusal. Without a source, the sender has no right to one, or it is another system."""
        ...

    def holding(self, size: int) -> None:
        """Show how many bytes the server holds of bodies that have no answer yet."""
        ...

    def connected(self, number: int) -> None:
        """Show how many connections are open."""
        ...

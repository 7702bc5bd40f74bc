"""What the webhook server and the follower of a file need to know."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from curfew.core.activity.formats.forms import Form

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where to listen, who may send, and how much. The files are read again when they change."""

    host: str
    port: int  # 0: any that is free
    certificate: Path  # PEM, with the chain
    key: Path  # PEM
    client_ca: Path | None = None  # PEM; a certificate that it signed identifies a sender
    common_names: frozenset[str] = frozenset()  # those that are accepted; empty: every one
    tokens: Path | None = None  # a bearer token a line; each of them identifies a sender of audit events
    lines_tokens: Path | None = None  # the same for lines of other systems, and for nothing else
    systems: frozenset[str] = frozenset()  # other systems whose lines can be read: ?mapping=SYSTEM
    most_body: int = 8 * MIB  # bytes of one request, with its long strings cut if it has more
    most_sent: int = 512 * MIB  # bytes of one request as it is sent
    most_held: int = 64 * MIB  # bytes of all bodies that have no answer yet; one source may hold half of it
    most_connections: int = 256
    hello_seconds: float = 10.0  # from a connection to the end of its first request's headers
    body_seconds: float = 20.0
    # The API server gives up after 30 s and sends the batch again; so the answer has to be there before that.
    take_seconds: float = 25.0
    idle_seconds: float = 180.0  # from the beginning of one request to that of the next; the API server waits 90 s
    look_seconds: float = 2.0  # between two looks at the files


class Begin(StrEnum):
    """Where to begin in a file that was never read."""

    BEGINNING = "Beginning"
    END = "End"


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """Which file to follow, and where to begin."""

    path: Path
    source: str
    form: Form
    position: Path | None = None  # where to keep how far the file was read; without it, each start is the first
    begin: Begin = Begin.END
    rotated: int = 0  # with Beginning: how many rotated files to read before, the newest
    look_seconds: float = 0.25  # between two looks at a file that has nothing new

"""The result of verifying a log: its faults, and its good part."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Checkpoint, Verifier
from curfew.audit.receipt import Receipt
from curfew.audit.segment import ChainBroken, Head
from curfew.audit.succession import Tenure


class Kind(StrEnum):
    """The kinds of faults that a log can have."""

    MISSING = "missing"  # a place in the chain is empty
    ALTERED = "altered"  # an object is not as it was signed, or not for this place
    MISPLACED = "misplaced"  # a segment has another name than its own
    FORKED = "forked"  # two signed segments claim one place
    FOREIGN = "foreign"  # an object does not belong to the log
    CUT_OFF = "cut off"  # an anchor covers more records than there are
    UNSTATED = "unstated"  # the log does not begin as logs do, and does not state that it may
    REWRITTEN = "rewritten"  # an anchor covers other records than there are
    REPEATED = "repeated"  # one thing is recorded twice
    OTHER_KEY = "other key"  # the trusted key has sealed no part of the log
    UNCOMPARED = "uncompared"  # an anchor covers a part of the log that is not whole


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: its place, and a sentence about it."""

    kind: Kind
    what: str  # the subject of the sentence
    why: str
    seq: int = -1  # the place in the chain, or -1 if it has none
    name: str = ""  # the object, if there is or should be one
    records: range | None = None  # the indexes of the records at fault; None if they are not known

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.what} {self.why}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A statement of a log's size and root, kept where the keeper of the log cannot change it."""

    size: int
    root: bytes
    source: str  # a name for people, for example the name of its file

    @classmethod
    def of_receipt(cls, receipt: Receipt, source: str) -> "Anchor":
        """Return a receipt as an anchor."""
        return cls(receipt.size, bytes.fromhex(receipt.root), source)

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, source: str) -> "Anchor":
        """Return a checkpoint as an anchor."""
        return cls(checkpoint.size, checkpoint.root, source)


@dataclass(frozen=True, slots=True)
class Silence:
    """Two segments that follow each other, and the times of their seals: nothing was written between them."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasted."""
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class Verified:
    """The good part of a log, as far as it was read."""

    log: str
    segments: int
    records: int
    head: Head  # after the last good segment
    first_at: datetime | None  # when the first segment was sealed; None for a log without segments
    last_at: datetime | None
    heartbeats: int  # segments without records: they show that the writer was there
    longest_silence: Silence | None  # between two good segments that follow each other; None if there are none
    anchors: int  # how many anchors agree
    voided: tuple[str, ...]  # objects in the place of a segment, which the log itself declares void
    unread: tuple[int, ...]  # indexes of signed lines that this version cannot read as records
    keys: tuple[Tenure, ...]  # which key has sealed which part
    following: Verifier  # the key that must have sealed the next segment
    newest: str | None  # the name of the last good segment; None if there is none
    note: str | None  # the signed checkpoint in its seal
    before: int  # how many of the segments were verified earlier, and not read now
    beginning: Beginning | None = None  # where the log begins, if not with its very first segment
    stated: Beginning | None = None  # where the log may begin, by the newest of its own statements
    anchors_before: int = 0  # how many anchors cover less than the part before its beginning

    @property
    def first(self) -> int:
        """The index of the first record that is there."""
        return self.beginning.record if self.beginning is not None else 0


@dataclass(frozen=True, slots=True)
class Examined:
    """All faults of a log, in the order of its segments, and its good part."""

    findings: tuple[Finding, ...]
    verified: Verified


class LogRefused(ChainBroken):
    """A log that does not verify. `examined` has all the findings; the message is the first finding's."""

    def __init__(self, examined: Examined) -> None:
        self.examined = examined
        self.finding = examined.findings[0]
        super().__init__(self.finding.seq, self.finding.name, self.finding.why, self.finding.records or range(0))

    def __str__(self) -> str:
        """Return the first finding."""
        return str(self.finding)

"""What comes out of verifying a log: what is wrong with it, and what is good."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.audit.beginning import Beginning
from curfew.audit.checkpoint import Checkpoint, Verifier
from curfew.audit.receipt import Receipt
from curfew.audit.segment import ChainBroken, Head
from curfew.audit.succession import Tenure


class Kind(StrEnum):
    """What can be wrong with a log."""

    MISSING = "missing"  # a place in the chain is empty
    ALTERED = "altered"  # an object is not what was signed, or not for this place
    MISPLACED = "misplaced"  # a segment lies under another name than its own
    FORKED = "forked"  # two signed segments claim one place
    FOREIGN = "foreign"  # an object does not belong to the log
    CUT_OFF = "cut off"  # an anchor has seen more records than there are
    UNSTATED = "unstated"  # the log does not begin where logs do, and does not say that it may
    REWRITTEN = "rewritten"  # an anchor has seen other records than there are
    REPEATED = "repeated"  # one thing is recorded twice
    OTHER_KEY = "other key"  # the key that is trusted has sealed no part of the log
    UNCOMPARED = "uncompared"  # an anchor speaks of a part of the log that is not whole


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, and what, in one sentence."""

    kind: Kind
    what: str  # what the sentence is about
    why: str
    seq: int = -1  # the place in the chain, or -1 where it has none
    name: str = ""  # the object, where there is or should be one
    records: range | None = None  # the indexes of the records at fault; None where that cannot be told

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.what} {self.why}"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A word on what the log was, kept where whoever keeps the log cannot change it."""

    size: int
    root: bytes
    source: str  # what people call it, such as the name of its file

    @classmethod
    def of_receipt(cls, receipt: Receipt, source: str) -> "Anchor":
        """Return what a receipt says of the log."""
        return cls(receipt.size, bytes.fromhex(receipt.root), source)

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, source: str) -> "Anchor":
        """Return what a checkpoint says of the log."""
        return cls(checkpoint.size, checkpoint.root, source)


@dataclass(frozen=True, slots=True)
class Silence:
    """Two segments that follow each other, and when they were sealed: nothing was written in between."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How long it lasted."""
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class Verified:
    """What was read of a log and found good."""

    log: str
    segments: int
    records: int
    head: Head  # after the last segment that is good
    first_at: datetime | None  # when the first segment was sealed; None for a log without segments
    last_at: datetime | None
    heartbeats: int  # segments without records: they show that the writer was there
    longest_silence: Silence | None  # between two good segments that follow each other; None where there are none
    anchors: int  # how many anchors agree
    voided: tuple[str, ...]  # objects that lie in the log's way, and are void by its own word
    unread: tuple[int, ...]  # indexes of signed lines that this version cannot read as records
    keys: tuple[Tenure, ...]  # which key has sealed which part
    following: Verifier  # the key that has to have sealed what comes next
    newest: str | None  # the name of the last segment that is good; None where there is none
    note: str | None  # the signed checkpoint in its seal
    before: int  # how many of the segments were verified before, and not read now
    beginning: Beginning | None = None  # where it begins, if not with its very first segment
    stated: Beginning | None = None  # where it may begin, by the newest of its own statements
    anchors_before: int = 0  # how many anchors speak of less than what is before its beginning

    @property
    def first(self) -> int:
        """The index of the first record that is there."""
        return self.beginning.record if self.beginning is not None else 0


@dataclass(frozen=True, slots=True)
class Examined:
    """Everything that is wrong with a log, in the order of its segments, and what is good."""

    findings: tuple[Finding, ...]
    verified: Verified


class LogRefused(ChainBroken):
    """A log that does not verify. `examined` says all of it; the sentence is the first finding's."""

    def __init__(self, examined: Examined) -> None:
        self.examined = examined
        self.finding = examined.findings[0]
        super().__init__(self.finding.seq, self.finding.name, self.finding.why, self.finding.records or range(0))

    def __str__(self) -> str:
        """Return the first finding."""
        return str(self.finding)

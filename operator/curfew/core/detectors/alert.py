"""What detectors read and what they find: a record with its place, an alert, and the end of an alert."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from functools import cached_property

from curfew.audit.record import Record, Story


class Severity(IntEnum):
    """How much an alert matters, in OCSF's numbers (`severity_id`)."""

    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


class WhichLog(StrEnum):
    """The log that a record is in."""

    TRAIL = "trail"  # of the operator
    ACTIVITY = "activity"  # of the monitor


@dataclass(frozen=True)
class Seen:
    """A record, and where it is."""

    record: Record
    log: WhichLog
    index: int  # of the record in its log
    sealed_at: datetime | None = None  # when its segment was sealed, if that is known

    @cached_property
    def at(self) -> datetime:
        """When it happened, aware and in UTC. A record may reach its log much later, if the bucket was away.

        Never later than its segment was sealed: by a clock that is ahead, nothing is blinded to what comes after.
        """
        return self.record.at if self.sealed_at is None else min(self.record.at, self.sealed_at)

    @cached_property
    def story(self) -> Story:
        """The story of the request that it is about, read once for all detectors. Raise `RecordRefused` if it has none."""
        return Story.of(self.record)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record that an alert is based on."""

    log: WhichLog
    index: int
    record: str  # its id

    @classmethod
    def of(cls, seen: Seen) -> "Evidence":
        """Return the place of a record."""
        return cls(seen.log, seen.index, seen.record.id)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that looks wrong. The same records give an equal alert each time, whenever they are read."""

    detector: str  # the detector's name, such as ManyRequests
    key: str
    """What the alert is about, within its detector. While one is open, no other with its key is raised, unless it is graver."""
    at: datetime
    """When its cause was complete: the time of the last record, or the deadline that has passed. Never the time of reading."""
    severity: Severity
    title: str  # a few words, the same for all alerts of a detector; no names
    message: str  # one or two sentences: who, what, how many; names the thing
    trigger: Seen | None  # the record that completed it; None: time did
    evidence: tuple[Evidence, ...] = ()
    people: tuple[str, ...] = ()  # whom it is about, the first one above all: silences and locks go by it
    namespace: str = ""
    policy: str = ""  # its name in that namespace
    story: Story | None = None  # of the request, if it is about exactly one
    values: Mapping[str, int | str] = field(default_factory=dict)  # what was counted, and the limits
    quiet: timedelta | None = None
    """After this time, another with its key is raised although nothing has ended this one; None: only after its end."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The facts have ended what an alert was about. It has no effect if no such alert is open."""

    detector: str
    key: str
    at: datetime
    why: str  # a sentence
    trigger: Seen | None = None

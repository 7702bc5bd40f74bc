"""Whether records become durable, judged by what was found out about the log. Grants wait for this one answer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.core.facts import TrailState


class TrailReason(StrEnum):
    """The words for the trail's health: in conditions, Events, metrics and logs."""

    WRITING = "Writing"  # records become durable
    NOT_LEADING = "NotLeading"  # another replica appends, or nobody knows whether this one may
    OPENING = "Opening"  # the log is being read
    STORE_UNAVAILABLE = "StoreUnavailable"  # the store does not answer, or refuses
    SLOT_TAKEN = "SlotTaken"  # something that is not a segment has the only name that the next segment can have
    SIGNING_FAILED = "SigningFailed"  # the holder of the key does not answer, or refuses
    KEY_UNKNOWN = "KeyUnknown"  # the log is signed with a key that we do not have
    CHAIN_BROKEN = "ChainBroken"  # the stored segments are not a whole log of ours
    VERIFICATION_FAILED = "VerificationFailed"  # a segment does not read back as it was stored
    NOT_YET_PROVED = "NotYetProved"  # the test whether the store is write-once is still running
    NOT_WRITE_ONCE = "NotWriteOnce"  # the store is not write-once, and it must be
    STOPPED = "Stopped"  # the writer has ended


@dataclass(frozen=True, slots=True)
class TrailTrouble:
    """Why nothing can be read or written."""

    reason: TrailReason
    message: str
    lasts: bool = False  # the trouble does not pass by itself, so waiting is useless


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing could be written."""

    since: datetime
    until: datetime
    trouble: TrailTrouble


@dataclass(frozen=True, slots=True)
class TrailFindings:
    """What was found out about a log so far. Each message is a sentence for people."""

    needs_proof: bool  # that the store is write-once
    is_open: bool = False  # the log was read
    is_standing_by: bool = False  # another process may append
    stopped: str | None = None  # why nothing will be written any more
    trouble: TrailTrouble | None = None  # only trouble that should be reported
    discrepancy: str | None = None  # what does not read back as it was stored
    not_asked: str | None = None  # why the store could not be asked for proof
    is_proved: bool | None = None  # whether the store is proved to be write-once; None: the store has not answered yet
    shortcomings: str = ""  # what is missing from the proof


def silence(reason: TrailReason, who: str, *, after: timedelta) -> TrailTrouble:
    """Return the trouble that somebody has not answered for some time."""
    return TrailTrouble(reason, f"{who} has not answered for {after.total_seconds():g} s.")


def is_worth_a_word(trouble: TrailTrouble, *, is_first: bool) -> bool:
    """Whether a failed call is reported at once. The first failure is not reported if it may pass."""
    return trouble.lasts or not is_first


def judge_trail(found: TrailFindings, before: TrailState | None, *, now: datetime) -> TrailState:
    """Return what the findings mean for grants. The result keeps the `since` of the state before if the reason is the same."""
    reason, message = _first_obstacle(found) or (TrailReason.WRITING, "Records become durable.")
    since = before.since if before is not None and before.reason == reason else now
    is_well = reason is TrailReason.WRITING
    return TrailState(ok=is_well, reason=reason, message=message, since=since, is_open=found.is_open)


def _first_obstacle(found: TrailFindings) -> tuple[TrailReason, str] | None:
    if found.stopped is not None:
        return TrailReason.STOPPED, found.stopped
    if found.is_standing_by:
        return TrailReason.NOT_LEADING, "This replica does not lead: another one appends to the log."
    if found.trouble is not None:
        return found.trouble.reason, found.trouble.message
    if not found.is_open:
        return TrailReason.OPENING, "The log is being read."
    if found.discrepancy is not None:
        return TrailReason.VERIFICATION_FAILED, found.discrepancy
    if found.needs_proof and found.is_proved is None:
        return TrailReason.NOT_YET_PROVED, found.not_asked or "Curfew is still checking that the store is write-once."
    if found.needs_proof and not found.is_proved:
        return TrailReason.NOT_WRITE_ONCE, found.shortcomings
    return None

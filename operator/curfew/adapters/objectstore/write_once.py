"""The proof that a store keeps what is written to it: the observations, the attempts, and the result. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from curfew.adapters.objectstore.errors import capitalised
from curfew.ports import Attestation, LockEvidence

COMPLIANCE = "COMPLIANCE"
GOVERNANCE = "GOVERNANCE"

ENABLED = "Enabled"
UNREAD = "Unread"
"""It may not be read; the missing right is in `Seen.unread`."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock's mode, and how long it holds from the moment an object is written."""

    mode: str
    holds: timedelta


@dataclass(frozen=True, slots=True)
class LockSettings:
    """How a bucket is set up, as far as it could be read."""

    versioning: str = ""  # Enabled, Suspended, "" if it never was, or Unread
    locking: str = ""  # the same for Object Lock
    default: Lock | None = None  # the lock that the bucket puts on new objects
    stamped: Lock | None = None  # the lock on the sample object
    unread: tuple[str, ...] = ()  # sentences: what could not be read, and which right is missing


class Undone(StrEnum):
    """What could be done to a canary: an object that is stored only to see that it stays."""

    SHORTENED = "unlocked ahead of its time"
    DELETED = "deleted"


# The date of a lock may have been cut to whole seconds, or taken a moment before the object was stored.
ROUNDING = timedelta(minutes=1)


def judge(
    seen: LockSettings | None, *, refused: bool, undone: Undone | None, where: str, at: datetime, retention: timedelta
) -> Attestation:
    """Return what the observations and the attempts prove.

    `seen` is None if the store cannot report its setup. `refused`: a second create of the same name was refused.
    `undone`: what could be done to the canary. The proof is sufficient only if each name can be created only once,
    objects are locked for at least `retention`, and nothing could be undone.
    """
    evidence = _evidence(seen, refused, undone, retention)
    return Attestation(
        at=at,
        evidence=evidence,
        sufficient=refused and evidence in (LockEvidence.STAMPED, LockEvidence.DEFAULT),
        findings=tuple(map(capitalised, _findings(seen, refused, undone, where, retention))),
    )


def _evidence(seen: LockSettings | None, refused: bool, undone: Undone | None, retention: timedelta) -> LockEvidence:
    # Whatever locks are shown: an object that could be changed was not locked.
    if seen is not None and undone is None:
        # A lock on the object itself is enough, even if the bucket's setup may not be read. But if the bucket has no
        # lock, that counts: the next object would not be locked like this one.
        is_kept = _holds(seen.default, retention) if seen.locking != UNREAD else None
        if _holds(seen.stamped, retention) and seen.versioning in (ENABLED, UNREAD) and is_kept is not False:
            return LockEvidence.STAMPED
        if not seen.stamped and seen.versioning == ENABLED and seen.locking == ENABLED and is_kept:
            return LockEvidence.DEFAULT
    return LockEvidence.REFUSED if refused else LockEvidence.NONE


def _holds(lock: Lock | None, retention: timedelta) -> bool:
    return lock is not None and lock.mode in (COMPLIANCE, GOVERNANCE) and lock.holds >= retention - ROUNDING


def _findings(
    seen: LockSettings | None, refused: bool, undone: Undone | None, where: str, retention: timedelta
) -> Iterator[str]:
    """Yield what is missing or weaker than it could be: the present state, and what would be right."""
    if not refused:
        yield f"An object in {where} could be created twice, so two writers would lose records. Use another store."
    if undone is not None:
        yield f"An object in {where} could be {undone}: what is written there can be removed."
    if seen is None:
        yield f"How {where} locks its objects cannot be read; Curfew can read that only from S3 and Azure."
        return
    yield from seen.unread
    if seen.versioning not in (ENABLED, UNREAD):
        yield f"{where} keeps no versions ({seen.versioning or 'never enabled'}). Enable versioning."
    if seen.locking not in (ENABLED, UNREAD):
        yield f"{where} has no Object Lock. Enable it, with a default retention of {_days(retention)} or more."
    elif seen.locking == ENABLED and seen.default is None:
        yield f"{where} has Object Lock but no default retention: nothing is locked; set {_days(retention)} or more."
    shortest = min((lock for lock in (seen.default, seen.stamped) if lock), key=lambda lock: lock.holds, default=None)
    if shortest and not _holds(shortest, retention):
        yield f"Objects in {where} are locked for {_days(shortest.holds)}; the settings require at least {_days(retention)}."
    if shortest and shortest.mode == GOVERNANCE:
        yield f"Locks in {where} have mode GOVERNANCE, which s3:BypassGovernanceRetention lifts. Use mode COMPLIANCE."
    if seen.default and not seen.stamped:
        yield f"{where} does not show locks on the objects themselves, so Curfew can judge only its default retention."


def _days(duration: timedelta) -> str:
    days = duration / timedelta(days=1)
    return f"{round(days, 1):g} {'day' if days == 1 else 'days'}"

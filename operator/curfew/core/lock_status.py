"""What a lock's status shows: whether it holds, since when, and how many grants it has ended."""

from datetime import datetime
from typing import Any, Final

from curfew.api.access_lock import AccessLock
from curfew.api.names import API_VERSION
from curfew.api.times import format_time
from curfew.core import conditions, locks
from curfew.core.conditions import Observation
from curfew.core.notices import Notice, Regarding

IN_FORCE: Final = "InForce"

EVENTS_IN: Final = "default"
"""The namespace that Kubernetes keeps the Events about cluster-scoped objects in."""


def shown(lock: AccessLock, *, ended: int, now: datetime) -> dict[str, Any] | None:
    """Return what to change in a lock's status, or None if it shows everything. `ended`: grants ended that are not in it."""
    said, generation = lock.status, lock.metadata.generation
    observed = _observed(lock, now)
    changes: dict[str, Any] = {}
    if not conditions.is_said(said.conditions, observed):
        changes["conditions"] = conditions.update(said.conditions, (observed,), now=now, generation=generation)
    if said.in_force_since is None and observed.status:
        changes["inForceSince"] = format_time(now)
    if ended or said.grants_ended is None:
        changes["grantsEnded"] = (said.grants_ended or 0) + ended
    if said.observed_generation != generation:
        changes["observedGeneration"] = generation
    return changes or None


def notice(lock: AccessLock, now: datetime) -> Notice | None:
    """Return the Event that a lock holds, or holds no more; None if its status shows that already."""
    observed, meta = _observed(lock, now), lock.metadata
    said = next((one for one in lock.status.conditions if one.type == IN_FORCE), None)
    if said is not None and (said.status == "True") == observed.status:
        return None
    regarding = Regarding(API_VERSION, "AccessLock", meta.name, "", meta.uid)
    note = locks.sentence(lock) if observed.status else observed.message
    return Notice(
        EVENTS_IN,
        regarding,
        "Warning" if observed.status else "Normal",
        "Locked" if observed.status else "LockEnded",
        "Lock",
        note[:1024],
        f"{meta.uid}/{observed.reason}",
    )


def _observed(lock: AccessLock, now: datetime) -> Observation:
    if locks.is_over(lock, now):
        return Observation(IN_FORCE, False, "Ended", "the lock has ended; it can be deleted")
    what = f"{locks.in_words(lock.spec.target)} is locked: its grants are ended, and new ones are refused"
    return Observation(IN_FORCE, True, "Locked", what)

"""The records of a lock: that it was made, that its end was brought closer, and that it holds no more.

As with policies, the log is the memory: what it shows about a lock is compared with what is there, across restarts and
outages. The id of each record prevents duplicates until it is durable.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from curfew.api.access_lock import AccessLock
from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Entity, Record, make_record
from curfew.core import locks

CREATED: Final = "lock.created"
CHANGED: Final = "lock.changed"
LIFTED: Final = "lock.lifted"


def told(lock: AccessLock, last: Record | None, *, now: datetime, grants_ended: int) -> tuple[Record, ...]:
    """Return the records that the log lacks about a lock that exists. `last` is the lock's last record, until it is lifted.

    A lock that has ended by itself is lifted. If the log shows nothing about it, both its records are returned; the
    caller leaves out those that the log may have forgotten.
    """
    if locks.is_over(lock, now):
        lifted = _lifted(lock, at=lock.spec.ends_at or now, why="its end has come", ended=grants_ended)
        return (lifted,) if last is not None else (_created(lock, now), lifted)
    if last is None:
        return (_created(lock, now),)
    return () if _end_in(last) == _end(lock) else (_changed(lock, last, now=now),)


def deleted(lock: AccessLock, last: Record | None, *, now: datetime, grants_ended: int) -> tuple[Record, ...]:
    """Return the records of a lock that was deleted, as it was last seen."""
    lifted = _lifted(lock, at=now, why="it was deleted", ended=grants_ended)
    if locks.is_over(lock, now):
        lifted = _lifted(lock, at=lock.spec.ends_at or now, why="its end has come", ended=grants_ended)
    return (lifted,) if last is not None else (_created(lock, now), lifted)


def deleted_unseen(last: Record, *, now: datetime) -> Record | None:
    """Return the record of a lock that was deleted unseen, from its last record; None if that is not a lock's."""
    detail = last.block.get("detail")
    if not last.event.startswith("lock.") or not isinstance(detail, Mapping):
        return None
    name = str(detail.get("lock", ""))
    kept = {key: value for key, value in detail.items() if key not in ("previous_end", "grants_ended")}
    return make_record(
        LIFTED,
        at=now,
        actor=CURFEW,
        message=f"AccessLock {name} is no longer in force: it was deleted while Curfew was not watching",
        entity=Entity(name, "AccessLock", last.subject),
        detail=kept,
    )


def is_about_lock(record: Record) -> bool:
    """Whether a record is a lock's."""
    return record.event in (CREATED, CHANGED, LIFTED)


def _created(lock: AccessLock, now: datetime) -> Record:
    return make_record(
        CREATED,
        at=lock.metadata.creation_timestamp or now,
        actor=lock.spec.submitted_by,
        message=locks.sentence(lock),
        entity=_entity(lock),
        detail=_detail(lock),
    )


def _changed(lock: AccessLock, last: Record, *, now: datetime) -> Record:
    """Return the record of an end that was brought closer. Kubernetes does not show by whom."""
    before, end = _end_in(last), _end(lock)
    return make_record(
        CHANGED,
        at=now,
        actor=CURFEW,
        message=f"AccessLock {lock.metadata.name} ends at {end or 'no time'}; before, it was to end at {before or 'no time'}",
        entity=_entity(lock),
        # After a restore of etcd, the same change may come again: the id also holds the record before.
        qualifier=f"{end}/{last.id}",
        detail=_detail(lock) | ({"previous_end": before} if before else {}),
    )


def _lifted(lock: AccessLock, *, at: datetime, why: str, ended: int) -> Record:
    return make_record(
        LIFTED,
        at=at,
        actor=CURFEW,
        message=f"AccessLock {lock.metadata.name} is no longer in force: {why}",
        entity=_entity(lock),
        detail=_detail(lock) | {"grants_ended": ended},
    )


def _entity(lock: AccessLock) -> Entity:
    return Entity(lock.metadata.name, "AccessLock", lock.metadata.uid)


def _detail(lock: AccessLock) -> dict[str, Any]:
    spec, target = lock.spec, lock.spec.target
    namespace, _, policy = (target.policy or "").partition("/")
    found = {
        "lock": lock.metadata.name,
        "scope": str(locks.target_of(lock)[0]),
        "person": target.person,
        "namespace": namespace or target.namespace,
        "policy": policy,
        "reason": spec.reason,
        "submitted_by": spec.submitted_by,
        "ends_at": _end(lock),
    }
    return {key: value for key, value in found.items() if value}


def _end(lock: AccessLock) -> str:
    return format_time(lock.spec.ends_at) if lock.spec.ends_at is not None else ""


def _end_in(record: Record) -> str:
    detail = record.block.get("detail")
    return str(detail.get("ends_at", "")) if isinstance(detail, Mapping) else ""

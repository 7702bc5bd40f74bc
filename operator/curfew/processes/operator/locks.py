"""Locks: each is recorded in the log, and its status shows whether it holds. Ending access waits for neither."""

from datetime import datetime

from curfew.audit.record import Record
from curfew.core import lock_records, lock_status, locks
from curfew.core.keys import LockKey
from curfew.ports import Clock, Conflict, LockStatuses, NotFound
from curfew.processes.operator.known_locks import KnownLocks
from curfew.processes.operator.ports import Reporter, TrailPort


class LockReconciler:
    """Records what the log does not have yet about locks, and writes what they have done into their status."""

    def __init__(
        self, known: KnownLocks, cluster: LockStatuses, trail: TrailPort, clock: Clock, reporter: Reporter
    ) -> None:
        self._known = known
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter

    async def reconcile(self, key: LockKey) -> datetime | None:
        """Record a lock, and bring its status up to date. Return when to look again, or None. Raise a `ClusterError`."""
        self._tell_of_deleted(key.uid)
        lock, now = self._known.get(key.uid), self._clock.now()
        if lock is None:
            return None
        meta, ended = lock.metadata, self._known.unseen_ends(key.uid)
        if self._trail.health.is_open:  # otherwise nobody knows what was recorded about the lock
            last = self._trail.open_locks().get(key.uid)
            records = lock_records.told(lock, last, now=now, grants_ended=ended + (lock.status.grants_ended or 0))
            self._submit(records, is_known=last is not None)
        status = lock_status.shown(lock, ended=ended, now=now)
        if status is not None:
            try:
                patched = await self._cluster.patch_lock_status(meta.name, meta.uid, meta.resource_version, status)
            except (Conflict, NotFound):
                return None  # it was changed or deleted in the meantime; the watch brings it back
            if "grantsEnded" in status:
                self._known.counted(key.uid, ended)
            notice = lock_status.notice(lock, now)
            if notice is not None:
                self._reporter.notice(notice)
            self._known.see(patched)
        return None if locks.is_over(lock, now) else lock.spec.ends_at

    def tell_deleted(self) -> None:
        """Record the ends of the locks that the log remembers and the cluster no longer has, once both are known."""
        if not self._trail.health.is_open or not self._known.is_listed:
            return
        for uid, last in self._trail.open_locks().items():
            record = lock_records.deleted_unseen(last, now=self._clock.now()) if not self._known.knows(uid) else None
            if record is not None:
                self._trail.submit((record,))

    def _tell_of_deleted(self, uid: str) -> None:
        """Record the end of a lock that was deleted, until the record is durable."""
        lock = self._known.gone(uid)
        if lock is None or not self._trail.health.is_open:
            return
        last, ended = self._trail.open_locks().get(uid), self._known.unseen_ends(uid) + (lock.status.grants_ended or 0)
        records = lock_records.deleted(lock, last, now=self._clock.now(), grants_ended=ended)
        if self._trail.receipt(records[-1].id) is not None or not self._submit(records, is_known=last is not None):
            self._known.forget(uid)

    def _submit(self, records: tuple[Record, ...], *, is_known: bool) -> bool:
        """Hand over records. Return whether there was anything to hand over.

        If the log shows nothing open about the lock, its records may be so old that the log has forgotten them.
        """
        new = tuple(record for record in records if is_known or not self._trail.is_told(record))
        if new:
            self._trail.submit(new)
        return bool(new)

"""The locks that there are, the deleted ones until their ends are recorded, and whether all of them are known."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from curfew.api.access_lock import AccessLock
from curfew.api.access_request import AccessRequest
from curfew.core import locks
from curfew.core.bindings import Binding
from curfew.core.facts import LocksState
from curfew.core.keys import LockKey
from curfew.processes.operator.unreadable import Unreadable
from curfew.processes.operator.versions import Versions

KIND = "lock"


class KnownLocks:
    """All locks, by their UIDs. What they cover is looked up, however many there are."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._book = locks.LockBook()
        self._gone: dict[str, AccessLock] = {}  # deleted, and not yet known to be recorded
        self._unreadable: dict[str, Unreadable] = {}  # by UID
        self._ended: Counter[str] = Counter()  # grants ended that the status of their lock does not show
        self.state: LocksState = locks.not_yet_listed(datetime.fromtimestamp(0, UTC))
        self.is_listed = False  # whether they were listed at least once

    # --- what was seen ----------------------------------------------------------------------------------------------

    def see(self, body: Mapping[str, Any]) -> LockKey | None:
        """Store a lock and return its key; None if a newer version is known. Raise `Unreadable`."""
        if not self._versions.is_news(KIND, body):
            return None
        uid = str(body["metadata"]["uid"])
        try:
            lock = AccessLock.model_validate(body)
        except ValidationError as error:
            # What it covered before, it still covers.
            self._unreadable[uid] = Unreadable("AccessLock", body, error)
            raise self._unreadable[uid] from None
        self._unreadable.pop(uid, None)
        self._book.put(lock)
        return LockKey(uid)

    def see_deleted(self, uid: str) -> LockKey | None:
        """Note that a lock is gone, and return its key, or None if nothing was known about it."""
        self._versions.bury(uid)
        was_unreadable = self._unreadable.pop(uid, None) is not None
        lock = self._book.remove(uid)
        if lock is not None:
            self._gone[uid] = lock
        return LockKey(uid) if lock is not None or was_unreadable else None

    def missing_from(self, listed: Iterable[str]) -> tuple[str, ...]:
        """Return the UIDs of the known locks that a complete list does not contain."""
        there = set(listed)
        known = (*(lock.metadata.uid for lock in self._book.all()), *self._unreadable)
        return tuple(uid for uid in known if uid not in there)

    def ended(self, uid: str) -> LockKey:
        """Count a grant that was ended because of a lock, and return the lock's key."""
        self._ended[uid] += 1
        return LockKey(uid)

    def counted(self, uid: str, number: int) -> None:
        """Note that the status of a lock now shows this many more ended grants."""
        self._ended[uid] -= number
        if not self._ended[uid]:
            del self._ended[uid]

    def forget(self, uid: str) -> None:
        """Forget a deleted lock after its end was recorded."""
        self._gone.pop(uid, None)
        self._ended.pop(uid, None)

    def leave(self) -> None:
        """Forget all deleted locks: another process records their ends."""
        for uid in tuple(self._gone):
            self.forget(uid)

    # --- what is known ----------------------------------------------------------------------------------------------

    def get(self, uid: str) -> AccessLock | None:
        """Return a lock, or None."""
        return self._book.get(uid)

    def gone(self, uid: str) -> AccessLock | None:
        """Return a deleted lock as it was last seen, until it is forgotten."""
        return self._gone.get(uid)

    def knows(self, uid: str) -> bool:
        """Whether a lock is known: it still exists, or its end is still to be recorded."""
        return self._versions.has(KIND, uid) or uid in self._gone

    def unseen_ends(self, uid: str) -> int:
        """Return how many ended grants the status of a lock does not show yet."""
        return self._ended.get(uid, 0)

    def unreadable(self) -> Unreadable | None:
        """Return a lock that cannot be read, or None."""
        return next(iter(self._unreadable.values()), None)

    def all(self) -> Iterable[AccessLock]:
        """Return all locks that exist and can be read."""
        return self._book.all()

    def over_binding(self, binding: Binding, now: datetime) -> AccessLock | None:
        """Return a lock in force that covers a binding, judged by the binding alone; or None."""
        return self._book.covering(locks.covers_binding(binding), now)

    def over_request(self, request: AccessRequest, now: datetime) -> AccessLock | None:
        """Return a lock in force that covers a request, or None."""
        return self._book.covering(locks.covers_request(request), now)

    def over_deciders(self, request: AccessRequest, now: datetime) -> Mapping[str, AccessLock]:
        """Return the locks in force on people who decided about a request, by `person`."""
        return self._book.on_people((decision.by for decision in request.status.decisions), now)

    def all_keys(self) -> Iterable[LockKey]:
        """Return the keys of all locks that exist, and of the deleted ones whose ends are still to be recorded."""
        return tuple(map(LockKey, (*(lock.metadata.uid for lock in self._book.all()), *self._gone)))

    def in_force(self, now: datetime) -> Mapping[str, int]:
        """Return how many locks are in force, by what they name; all kinds of targets are there."""
        held = Counter(str(locks.target_of(lock)[0]) for lock in self._book.all() if not locks.is_over(lock, now))
        return {str(scope): held[str(scope)] for scope in locks.Scope}

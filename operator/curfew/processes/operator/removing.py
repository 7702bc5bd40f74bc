"""Removes bindings: the only way that access ends. Nothing may come before that (promise P3)."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from curfew.api.access_request import AccessRequest
from curfew.core import stories
from curfew.core.bindings import Binding
from curfew.core.facts import Removal
from curfew.core.keys import Key
from curfew.core.notices import about_orphan, about_stuck
from curfew.core.reasons import Reason
from curfew.core.steps import Remove
from curfew.core.unclaimed import refuses_another, was_no_grant
from curfew.ports import Clock, Cluster, ClusterError
from curfew.processes.operator.gathering import Gatherer
from curfew.processes.operator.known import Store
from curfew.processes.operator.ports import Reporter, TrailPort
from curfew.processes.operator.standby import Courtesy

REMOVAL_PATIENCE = timedelta(seconds=5)
"""How long a binding may resist removal before the log records it. A moment without an answer is not recorded."""


class Remover:
    """Removes bindings. Records those that were not a grant, and those that cannot be removed."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        trail: TrailPort,
        clock: Clock,
        reporter: Reporter,
        gatherer: Gatherer,
        *,
        wake: Callable[[Key], None],
        courtesy: Courtesy,
    ) -> None:
        """`wake` gives a turn to a lock that has ended a grant, so that its status shows it."""
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._gatherer = gatherer
        self._wake = wake
        self._courtesy = courtesy
        self._removals = asyncio.Semaphore(64)  # removals wait for nothing but each other (promise P3)

    async def remove(self, uid: str, removal: Remove) -> None:
        """Delete the binding with the key `uid`. Raise a `ClusterError` if the binding may still exist."""
        binding = removal.binding
        if not await self._courtesy.is_our_turn(uid, removal):
            return
        async with self._removals:
            try:
                removed_by_us = await self._cluster.delete_binding(binding.namespace, binding.name, binding.uid)
            except ClusterError as error:
                self._tell_of_stuck(uid, removal, str(error))
                raise
        at = self._clock.now()
        self._store.memories.unstuck(uid)
        self._store.lose_binding(binding)
        if removed_by_us:
            self._store.memories.removed(uid, Removal(at=at, reason=removal.reason, detail=removal.detail))
            self._reporter.removed(binding, at, removal.reason)
        request = self._store.request(uid)
        if removed_by_us and removal.reason is Reason.LOCKED:
            self._count(binding, request, at)
        is_story_closed = request is not None and self._gatherer.is_story_closed(request)
        if was_no_grant(removal, request, is_story_closed=is_story_closed):
            self._disown(uid, removal, at)

    def _count(self, binding: Binding, request: AccessRequest | None, at: datetime) -> None:
        """Count a grant that was ended because of a lock, for the status of that lock."""
        locks = self._store.locks
        lock = locks.over_request(request, at) if request is not None else None
        lock = lock or locks.over_binding(binding, at)
        if lock is not None:
            self._wake(locks.ended(lock.metadata.uid))

    def _disown(self, uid: str, removal: Remove, at: datetime) -> None:
        """Record a binding that was not ours to adopt. A binding that was tampered with is not made again."""
        self._store.memories.disowned(uid, refuses_another(removal))
        self.tell_of_orphan(removal.binding, removal.detail, at)

    def tell_of_orphan(self, binding: Binding, why: str, at: datetime) -> None:
        """Record a binding that was removed because it had no right to exist."""
        self._trail.submit((stories.orphan_removed(binding, at=at, why=why),))
        self._reporter.notice(about_orphan(binding, why))

    def _tell_of_stuck(self, uid: str, removal: Remove, problem: str) -> None:
        """Record a binding that must be removed and cannot be, once it has resisted for a while. Removal is still tried."""
        now = self._clock.now()
        since = self._store.memories.stuck(uid, now)
        if now - since < REMOVAL_PATIENCE or not self._courtesy.is_in_office:
            return
        request = self._store.request(uid)
        told = stories.of_binding(removal.binding)
        if request is not None:
            told = stories.story(self._gatherer.facts(request))
        record = stories.removal_failed(told, removal.binding, removal.reason, since=since, at=now, problem=problem)
        self._trail.submit((record,))
        self._reporter.notice(about_stuck(removal.binding, record.message))

"""Handles what is left of requests that no longer exist: ends their bindings, and closes their stories."""

import contextlib
from datetime import datetime

from curfew.audit.record import RecordRefused, Story
from curfew.core import ending, stories, unclaimed
from curfew.core.bindings import Binding
from curfew.core.notices import about_deleted
from curfew.core.steps import Remove
from curfew.ports import Clock, Cluster
from curfew.processes.operator.known import Store, is_closed
from curfew.processes.operator.ports import Reporter, TrailPort
from curfew.processes.operator.removing import Remover
from curfew.processes.operator.unreadable import Unreadable


class DeletedRequests:
    """Ends the bindings and closes the stories of requests that no longer exist."""

    def __init__(
        self, store: Store, cluster: Cluster, trail: TrailPort, clock: Clock, reporter: Reporter, remover: Remover
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._remover = remover
        self._told: set[str] = set()  # requests that are gone, with stories that this process closed
        self._doubts: list[tuple[Binding, str, datetime]] = []  # bindings that were removed before the trail was read

    def start_over(self) -> None:
        """Forget which stories were closed: the log shows it. What was removed before the log was read stays to be told."""
        self._told.clear()

    async def end_binding(self, uid: str, binding: Binding) -> datetime | None:
        """End a binding if nothing is known about its request. The binding carries its end; until then, look for the request.

        Return when to look again, or None. Raise a `ClusterError`.
        """
        if not self._store.is_synced:
            return binding.expires_at
        now = self._clock.now()
        found = await self._cluster.get_request(binding.namespace, binding.request) if binding.request else None
        if found is not None and found["metadata"]["uid"] == uid and not is_closed(found):
            with contextlib.suppress(Unreadable):  # then the next turn finds it unreadable
                self._store.see_request(found)  # the watch had not reported it yet
            return now
        is_explained = uid in self._told or uid in self._trail.open_stories()
        is_log_read = self._trail.health.is_open
        verdict = unclaimed.judge(uid, binding, found, is_explained=is_explained, is_log_read=is_log_read)
        if verdict.doubt:
            self._doubts.append((binding, verdict.doubt, now))
        await self._remover.remove(uid, verdict.removal)
        self._store.forget_orphan(uid)
        return None

    async def end_locked(self, uid: str, binding: Binding, cause: ending.Cause) -> None:
        """End a binding that a lock covers, if nothing is known about its request, without looking for the request.

        A binding that the log does not announce was no grant, and is recorded as that. Raise a `ClusterError`.
        """
        await self._remover.remove(uid, Remove(binding, *cause))
        is_unknown = self._store.is_synced and self._store.request(uid) is None
        if is_unknown and self._trail.health.is_open and self._trail.intent(uid) is None:
            self._remover.tell_of_orphan(binding, f"the log does not announce it, and {cause[1]}", self._clock.now())

    async def close_stories(self) -> None:
        """Close, as deleted, the stories that are open in the trail and have no request in the cluster any more.

        A binding that was removed before the trail was read is an orphan if the trail knows nothing about it. Raise
        `RecordRefused` if a story cannot be read, after all other stories were closed.
        """
        refused: RecordRefused | None = None
        for uid, record in self._trail.open_stories().items():
            if self._store.request(uid) is not None:
                continue
            try:
                told = Story.of(record)
            except RecordRefused as error:
                refused = error
                continue
            body = await self._cluster.get_request(told.namespace, told.request)
            if body is not None and body["metadata"]["uid"] == uid:
                continue
            was_granted = record.event in stories.GRANTED
            self._trail.submit(stories.gone(told, at=self._clock.now(), was_granted=was_granted))
            self._told.add(uid)
            if was_granted:
                self._reporter.notice(about_deleted(told))
        for binding, why, at in self._doubts:
            if binding.claim not in self._told:
                self._remover.tell_of_orphan(binding, why, at)
        self._doubts.clear()
        if refused is not None:
            raise refused

"""Takes finished requests out of the watch, and answers requests that cannot be read before it does so."""

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from curfew.api.times import parse_time
from curfew.core import stories, unreadable
from curfew.core.counting import TallyKey, counted_key
from curfew.core.facts import Facts
from curfew.core.outbox import is_counted
from curfew.ports import Clock, ClosedRequest, Cluster, Conflict, NotFound
from curfew.processes.operator.counting import Counting
from curfew.processes.operator.known import Store
from curfew.processes.operator.ports import Reporter, TrailPort

UNREADABLE_PAUSE = timedelta(seconds=2)
"""How often to check, for a request that cannot be read, whether the log was read and shows its story as closed."""


class Closing:
    """Labels requests closed. The store forgets them."""

    def __init__(
        self,
        store: Store,
        cluster: Cluster,
        trail: TrailPort,
        clock: Clock,
        reporter: Reporter,
        *,
        counting: Counting,
        closed: Callable[[ClosedRequest], None],
    ) -> None:
        """`closed` is called with each request that was labelled closed."""
        self._store = store
        self._cluster = cluster
        self._trail = trail
        self._clock = clock
        self._reporter = reporter
        self._counting = counting
        self._closed = closed

    async def close(self, facts: Facts) -> None:
        """Close a request if everything about it is recorded, or if it is counted from now on (decision 0049)."""
        request, key = facts.request, counted_key(facts.request) if is_counted(facts) else None
        if key is not None:
            self._counting.closing(request)
        meta = request.metadata
        await self._close(meta.uid, meta.namespace, meta.name, key)
        if key is not None:
            self._counting.count(request)

    async def answer_unreadable(self, uid: str) -> datetime | None:
        """Tell the requester that the request cannot be read, and close it and its story (promises P7 and P11).

        Return when to look again, or None.
        """
        found = self._store.unreadable(uid)
        if found is None:
            return None
        if "phase" in (found.body.get("status") or {}) and not self._trail.health.is_open:
            return self._clock.now() + UNREADABLE_PAUSE  # only the log shows which story has to be closed
        story = self._trail.open_stories().get(uid)
        end = stories.unreadable(story, at=self._clock.now()) if story is not None else ()
        self._trail.submit(end)
        namespace, name, version = (found.body["metadata"][key] for key in ("namespace", "name", "resourceVersion"))
        answered = unreadable.answer(found.body, found.problems, now=self._clock.now())
        if answered is not None:
            status, notice = answered
            try:
                await self._cluster.patch_request_status(namespace, name, uid, version, status)
            except (Conflict, NotFound):
                return None  # it was changed or deleted in the meantime; the watch brings it back
            self._reporter.notice(notice)
        if any(self._trail.receipt(record.id) is None for record in end):
            return self._clock.now() + UNREADABLE_PAUSE  # the request is closed once the log shows its story as closed
        await self._close(uid, namespace, name)
        return None

    async def _close(self, uid: str, namespace: str, name: str, key: TallyKey | None = None) -> None:
        counted_in = f"{key.hour:%Y-%m-%dT%H}" if key is not None else ""
        with contextlib.suppress(Conflict, NotFound):  # it is gone, or another has its name: nothing is left to close
            meta = (await self._cluster.label_closed(namespace, name, uid, counted_in))["metadata"]
            self._closed(ClosedRequest(namespace, name, uid, parse_time(meta["creationTimestamp"])))
        self._store.forget(uid)

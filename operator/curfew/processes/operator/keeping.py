"""Records decisions to keep what a grant has left behind, also on requests that are closed (decision 0078).

A closed request is out of the operator's watch, and its story in the log is over. People find out only then what is left. So
closed requests are read here once at the start, page by page, and watched after that. Nothing else waits for any of this.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from pydantic import ValidationError

from curfew.api.access_request import AccessRequest, DecisionKind
from curfew.core.afterwards import new_keeps
from curfew.core.facts import Facts
from curfew.core.reviews import NewReviews, review_notices, reviews_patch, submitted
from curfew.ports import Cluster, ClusterError, Conflict, FinishedRequests, Forbidden, Invalid, NotFound
from curfew.processes.operator.ports import Reporter, TrailPort

log = structlog.get_logger("curfew")

PACE_SECONDS: Final = 0.05
"""How long to rest after each page: at most a thousand requests are read in a second."""

DURABLE_SECONDS: Final = 0.2
"""How often to check whether the log has taken a record."""

_FIRST_DELAY: Final = 0.1
_LAST_DELAY: Final = 30.0  # seconds


class Keeping:
    """Finds and records the decisions Keep on closed requests."""

    def __init__(
        self,
        finished: FinishedRequests,
        cluster: Cluster,
        trail: TrailPort,
        reporter: Reporter,
        facts: Callable[[AccessRequest], Facts],
    ) -> None:
        """`facts` returns what is known about a request now."""
        self._finished = finished
        self._cluster = cluster
        self._trail = trail
        self._reporter = reporter
        self._facts = facts

    async def run(self) -> None:
        """Read and watch, for ever; begin again after each failure, with a pause so that it does not spin."""
        delay = _FIRST_DELAY
        while True:
            try:
                version = await self._read_all()
                delay = _FIRST_DELAY
                while True:
                    async for seen, body in self._finished.watch(version):
                        await self._see(body)
                        version = seen
            except ClusterError as error:
                if not isinstance(error, Conflict):  # a version that is not kept any more need not be reported
                    log.warning("cannot watch finished requests", problem=str(error), again_in=delay)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  jitter is no secret
            delay = min(_LAST_DELAY, delay * 2)

    async def _read_all(self) -> str:
        """Look at all closed requests, and return a version since which each change is to be watched."""
        version = str(await self._cluster.revision())
        async for page in self._finished.pages():
            for body in page:
                await self._see(body)
            await asyncio.sleep(PACE_SECONDS)
        return version

    async def _see(self, body: Mapping[str, Any] | None) -> None:
        """Record the decisions Keep that a closed request has and does not show as seen."""
        request = _read(body) if body is not None and _may_be_kept(body) else None
        if request is None:
            return
        facts = self._facts(request)
        new = new_keeps(facts)
        if not new:
            return
        try:
            await self._record(facts, new)
        except (Forbidden, Invalid) as error:  # the others must not wait for this one
            log.warning("a decision is recorded and cannot be shown as seen", problem=str(error))

    async def _record(self, facts: Facts, new: NewReviews) -> None:
        """Append the records of decisions, and show them as seen once the log has them.

        After a crash in between, the same records are submitted again, and the log has them already.
        """
        records = submitted(facts, new)
        self._trail.submit(records)
        while any(self._trail.receipt(record.id) is None for record in records):  # noqa: ASYNC110  the trail tells nobody here
            await asyncio.sleep(DURABLE_SECONDS)
        now: Facts | None = facts
        while now is not None and not await self._show(now, new):
            now = await self._reread(now)
        for notice in review_notices(facts, new):
            self._reporter.notice(notice)

    async def _show(self, facts: Facts, new: NewReviews) -> bool:
        """Write what was made of the decisions into the status. Return False if another version is stored by now."""
        meta, patch = facts.request.metadata, reviews_patch(facts, new)
        try:
            await self._cluster.patch_request_status(meta.namespace, meta.name, meta.uid, meta.resource_version, patch)
        except NotFound:
            return True  # the log has them
        except Conflict:
            return False
        return True

    async def _reread(self, facts: Facts) -> Facts | None:
        """Return what is known about a request that somebody changed meanwhile; None if it is gone."""
        meta = facts.request.metadata
        body = await self._cluster.get_request(meta.namespace, meta.name)
        if body is None or body["metadata"]["uid"] != meta.uid:
            return None
        request = _read(body)
        return replace(facts, request=request) if request is not None else None


def _read(body: Mapping[str, Any]) -> AccessRequest | None:
    """Return a request, or None if nobody can know what it is."""
    try:
        return AccessRequest.model_validate(body)
    except ValidationError:
        return None


def _may_be_kept(body: Mapping[str, Any]) -> bool:
    """Whether a request holds a decision Keep: few do, and the others need not be read any further."""
    decisions = (body.get("status") or {}).get("decisions") or ()
    return any(isinstance(one, Mapping) and one.get("decision") == DecisionKind.KEEP for one in decisions)

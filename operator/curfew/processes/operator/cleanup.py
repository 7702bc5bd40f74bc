"""Deletes finished requests when they are old enough, one at a time, in the background.

It does not hold up anything else: it makes one call at a time, rests after each, and a failure only delays its own next try.
Everything it knows may be forgotten: at a start, the requests that are labelled closed are listed once, metadata only.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from pydantic import ValidationError

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.core.cleanup import deletable_from
from curfew.core.facts import TrailState
from curfew.core.keys import PolicyKey
from curfew.ports import Clock, ClosedRequest, ClosedRequests, ClusterError, Conflict, Forbidden, NotFound

log = structlog.get_logger("curfew")

PACE_SECONDS: Final = 0.1
"""How long to rest after each request that was looked at: at most ten are deleted in a second."""

LOOK_SECONDS: Final = 2.0
"""How often to check whether a request is due."""

AGAIN: Final = timedelta(minutes=1)
"""When to look again at a request that could not be deleted now, and how long to rest if the API server did not answer."""

MUCH_LATER: Final = timedelta(hours=1)
"""The same for a request with a story that is not closed in the log, and for a namespace where Curfew may not delete."""

TOMORROW: Final = timedelta(days=1)
"""The same for a request that must stay because of its own state or its policy's."""

MOST_KNOWN: Final = 4_000
"""How many requests are remembered: those that are due first. When the others are due, all are listed again."""


class Log(Protocol):
    """What cleanup needs from the trail."""

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the trail shows the story of a request created at `created` as closed; False while the trail is not open."""
        ...

    @property
    def health(self) -> TrailState:
        """Whether records become durable now."""
        ...


class CleanupObserver(Protocol):
    """Receives reports about the cleanup."""

    def deleted(self, request: ClosedRequest) -> None:
        """A finished request was deleted."""
        ...

    def may_not_delete(self, namespace: str, problem: str) -> None:
        """The API server refuses to delete finished requests in a namespace. Reported once, until one is deleted there."""
        ...


@dataclass(order=True, frozen=True, slots=True)
class _Due:
    at: datetime
    uid: str
    request: ClosedRequest = field(compare=False)


class Cleanup:
    """Knows which requests are closed. Deletes each when it is due and the log shows its story as closed."""

    def __init__(
        self,
        requests: ClosedRequests,
        trail: Log,
        clock: Clock,
        observer: CleanupObserver,
        *,
        keep_for: timedelta,
        policy: Callable[[PolicyKey], AccessPolicy | None],
        is_settled: Callable[[AccessRequest], bool],
        most: int = MOST_KNOWN,
    ) -> None:
        """With a `keep_for` of zero, nothing is remembered or deleted. `most`: how many requests are remembered.

        `is_settled`: for a request without records of its own, whether the count that it is in is in the log.
        """
        self._requests = requests
        self._trail = trail
        self._clock = clock
        self._observer = observer
        self._keep_for = keep_for
        self._policy = policy
        self._is_settled = is_settled
        self._most = most
        self._heap: list[_Due] = []
        self._left_out: datetime | None = None  # when the first of the requests that were too many to remember is due
        self._is_listed = False
        self._refused: dict[str, datetime] = {}  # until when no deletion is tried in a namespace
        self._is_away = False

    def closed(self, request: ClosedRequest) -> None:
        """Note that a request was labelled closed just now."""
        if not self._keep_for:
            return
        # The request ended earlier, perhaps much earlier: the first look at it reads when it is due.
        due = _Due(request.created + self._keep_for, request.uid, request)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, due)
        else:
            self._leave_out(due.at)

    def start_over(self) -> None:
        """Forget everything, and find out again what there is: another process may have deleted requests meanwhile."""
        self._heap, self._left_out, self._is_listed = [], None, False
        self._refused, self._is_away = {}, False

    def list_again(self) -> None:
        """Note that any deleted request may be back: the API server's state went back."""
        self._is_listed = False

    async def run(self) -> None:
        """Delete requests that are due, until cancelled."""
        while True:
            rest = await self._step()
            await asyncio.sleep(rest)

    async def _step(self) -> float:
        """Look at one request, or list them, and return how many seconds to rest."""
        if not self._keep_for or not self._trail.health.ok:
            return LOOK_SECONDS  # without the log, only the request shows what happened
        try:
            if not self._is_listed:
                await self._list()
                return PACE_SECONDS
            now = self._clock.now()
            if not self._heap or self._heap[0].at > now:
                self._is_listed = self._left_out is None or self._left_out > now
                return LOOK_SECONDS
            return await self._look_at(heapq.heappop(self._heap), now)
        except ClusterError as error:
            if not self._is_away:
                log.warning("finished requests cannot be deleted now; Curfew tries again", problem=str(error))
            self._is_away = True
            return AGAIN.total_seconds()

    async def _list(self) -> None:
        found: list[_Due] = []
        self._left_out = None
        async for request in self._requests.closed_requests():
            due = request.created + self._keep_for
            found.append(_Due(max(due, self._refused.get(request.namespace, due)), request.uid, request))
            if len(found) >= 2 * self._most:
                found = self._first_of(found)
        uids = {due.uid for due in found}
        self._heap = self._first_of([*found, *(due for due in self._heap if due.uid not in uids)])
        self._is_listed, self._is_away = True, False

    def _first_of(self, found: list[_Due]) -> list[_Due]:
        """Return, in order, those that are due first: as many as are remembered."""
        found.sort()
        if len(found) > self._most:
            self._leave_out(found[self._most].at)
        return found[: self._most]

    def _leave_out(self, at: datetime) -> None:
        self._left_out = min(at, self._left_out or at)

    async def _look_at(self, due: _Due, now: datetime) -> float:
        """Delete a request if it may be deleted, or remember it for later. Return how many seconds to rest."""
        request = due.request
        until = self._refused.get(request.namespace, now)
        if until <= now and not self._trail.is_over(request.uid, request.created):
            until = now + MUCH_LATER
        if until > now:
            self._later(due, until)
            return 0.0
        try:
            again = await self._delete(request)
        except NotFound:
            again = None
        except Conflict:
            again = now + AGAIN  # somebody is writing to it
        except Forbidden as error:
            again = now + MUCH_LATER
            if request.namespace not in self._refused:
                self._observer.may_not_delete(request.namespace, str(error))
            self._refused[request.namespace] = again
        except ClusterError:
            self._later(due, now + AGAIN)
            raise
        if again is not None:
            self._later(due, again)
        self._is_away = False
        return PACE_SECONDS

    def _later(self, due: _Due, at: datetime) -> None:
        heapq.heappush(self._heap, _Due(at, due.uid, due.request))

    async def _delete(self, request: ClosedRequest) -> datetime | None:
        """Delete a request if its current state allows that, and return None; or return when to look again."""
        body = await self._requests.get_request(request.namespace, request.name)
        if body is None or body["metadata"]["uid"] != request.uid:
            return None
        try:
            found = AccessRequest.model_validate(body)
        except ValidationError:
            return None  # nobody can know what it is; a person may delete it
        now, policy = self._clock.now(), self._policy(PolicyKey.named_by(found))
        is_over = (
            self._trail.health.ok and self._trail.is_over(request.uid, request.created) and self._is_settled(found)
        )
        at = deletable_from(found, policy, is_over=is_over, keep_for=self._keep_for)
        if at is None or at > now:
            return at or now + TOMORROW
        await self._requests.delete_request(
            request.namespace, request.name, request.uid, found.metadata.resource_version
        )
        self._refused.pop(request.namespace, None)
        self._observer.deleted(request)
        return None

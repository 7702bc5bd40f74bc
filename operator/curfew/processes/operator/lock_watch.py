"""Watches the locks, and wakes what a new lock covers. Until it is known which locks there are, nothing is granted.

The watch is not Kopf's: it has to be known at each moment whether it works. What covers a grant is found in the same way,
whether one lock was made or ten thousand: one look at each grant for all that came together.
"""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Final

import structlog

from curfew.core import locks
from curfew.core.facts import LocksState
from curfew.core.keys import Key, RequestKey
from curfew.ports import Clock, ClusterError, Conflict, LockSource, Unavailable
from curfew.processes.operator.known import Store
from curfew.processes.operator.unreadable import Unreadable

log = structlog.get_logger("curfew")

_FIRST_DELAY: Final = 0.1
_LAST_DELAY: Final = 2.0  # seconds
_SHORT: Final = 1.0
_IN_VAIN: Final = 3
"""So many watches in a row that end within a second and show nothing are none: a lock could be made unseen."""

_AT_ONCE: Final = 1000  # grants or requests that are looked at before others have their turn


class LockWatch:
    """Keeps the known locks up to date."""

    def __init__(
        self,
        source: LockSource,
        store: Store,
        clock: Clock,
        enqueue: Callable[[Key], None],
        *,
        changed: Callable[[LocksState], None],
        complain: Callable[[Unreadable], None],
        listed: Callable[[], None],
    ) -> None:
        """`changed` is called when it is known, or not known any more, which locks there are; `listed` after each list."""
        self._source = source
        self._store = store
        self._locks = store.locks
        self._clock = clock
        self._enqueue = enqueue
        self._changed = changed
        self._complain = complain
        self._listed = listed
        self._following: asyncio.Task[None] | None = None
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_waking())
            group.create_task(self._keep_following())

    def start_over(self) -> None:
        """List and watch anew: the API server's state went back. Until then, it is not known which locks there are."""
        self._tell(locks.not_yet_listed(self._clock.now()))
        if self._following is not None:
            self._following.cancel()

    # --- list and watch ---------------------------------------------------------------------------------------------

    async def _keep_following(self) -> None:
        while True:
            self._following = asyncio.create_task(self._follow())
            try:
                await asyncio.wait({self._following})
            finally:
                self._following.cancel()
            if not self._following.cancelled() and (error := self._following.exception()) is not None:
                raise error

    async def _follow(self) -> None:
        """List and watch; begin again after each failure, with a pause so that it does not spin."""
        delay = _FIRST_DELAY
        while True:
            try:
                version = await self._list()
                delay = _FIRST_DELAY
                in_vain = 0
                while in_vain < _IN_VAIN:
                    began, before = asyncio.get_running_loop().time(), version
                    async for type_, body in self._source.watch_locks(version):
                        self._see(type_, body)
                        version = str(body["metadata"]["resourceVersion"])
                    is_short = asyncio.get_running_loop().time() - began < _SHORT
                    in_vain = in_vain + 1 if is_short and version == before else 0
                raise Unavailable("the API server ends each watch of AccessLocks at once, and shows nothing")
            except Conflict:  # the version is not kept any more: they are listed again at once
                self._tell(locks.not_yet_listed(self._clock.now()))
                delay = _FIRST_DELAY
            except ClusterError as error:
                log.warning("cannot watch locks", problem=str(error), again_in=delay)
                self._tell(locks.not_listed(str(error), self._clock.now()))
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311  jitter is no secret
            delay = min(_LAST_DELAY, delay * 2)

    async def _list(self) -> str:
        """List all locks, find those that were deleted unseen, and return the version at which they were listed."""
        bodies, version = await self._source.list_locks()
        for body in bodies:
            self._take(body)
        for uid in self._locks.missing_from(str(body["metadata"]["uid"]) for body in bodies):
            self._lose(uid)
        self._locks.is_listed = True
        self._judge()
        self._has_news.set()
        self._listed()
        return version

    def _see(self, type_: str, body: dict[str, object]) -> None:
        """Take in one change. Anything that is not a change of a lock, such as a bookmark, only shows that the watch works."""
        if type_ in ("ADDED", "MODIFIED"):
            self._take(body)
        elif type_ == "DELETED":
            self._lose(_uid(body))
        self._judge()

    def _take(self, body: dict[str, object]) -> None:
        try:
            key = self._locks.see(body)
        except Unreadable as error:
            self._complain(error)
            return
        if key is not None:
            self._enqueue(key)
            self._has_news.set()

    def _lose(self, uid: str) -> None:
        key = self._locks.see_deleted(uid)
        if key is not None:
            self._enqueue(key)

    def _judge(self) -> None:
        """Decide whether all locks are known, now that the watch works."""
        broken, now = self._locks.unreadable(), self._clock.now()
        if broken is not None:
            self._tell(locks.unreadable(broken.name, broken.problems, now))
        else:
            self._tell(locks.known(now))

    def _tell(self, state: LocksState) -> None:
        before = self._locks.state
        if (state.reason, state.message) == (before.reason, before.message):
            return
        self._locks.state = state
        if state.ok != before.ok or not state.is_starting:
            self._changed(state)

    # --- what a new lock covers -------------------------------------------------------------------------------------

    async def _keep_waking(self) -> None:
        """Give a turn to all that is covered: grants first. Locks that come while others are looked at share one more look."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            grants, requests = self._store.bindings(), map(RequestKey.of, self._store.requests())
            for count, key in enumerate(itertools.chain(grants, requests), 1):
                if self._store.is_locked(key, self._clock.now()):
                    self._enqueue(key)
                if count % _AT_ONCE == 0:
                    await asyncio.sleep(0)


def _uid(body: dict[str, object]) -> str:
    meta = body.get("metadata")
    return str(meta.get("uid", "")) if isinstance(meta, dict) else ""

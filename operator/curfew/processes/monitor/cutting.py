"""Deletes the pods that a grant's end has to delete, one at a time, and never anything else (decision 0078).

What is deleted follows from the two logs (`core.activity.cutting`), so a start goes on where the last one stopped. Answers
do not wait for any of this.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from curfew.audit.record import Record
from curfew.core.activity import records
from curfew.core.activity.cutting import MOST_PODS, OpenPod, open_pods
from curfew.core.activity.session import Session
from curfew.core.activity.tally import SessionTally
from curfew.ports import Clock, ClusterError, Forbidden, NotFound, PodDeleter

log = structlog.get_logger("curfew")

PAUSE_SECONDS: Final = 0.1
"""Between two deletions: ten a second do not burden an API server."""

FIRST_RETRY_SECONDS: Final = 1.0
LONGEST_RETRY_SECONDS: Final = 300.0

ALERT_AFTER: Final = 4
"""After how many tries there is an alert if the API server does not answer. A refusal is one at once."""

RIGHT: Final = (
    "give the monitor the right to delete pods there: add the namespace to monitor.deletePods in the chart's values"
)
TOO_MANY: Final = (
    f"{MOST_PODS} pods were deleted for this request already, and no more than that are; delete it yourself"
)


@dataclass(slots=True)
class _Cut:
    """A pod that has to be deleted."""

    session: Session
    pod: OpenPod
    tries: int = 0
    due: float = 0.0  # by the event loop's time
    is_done: bool = False


class Cutting:
    """The pods that have to be deleted, by the UID of the request and their name."""

    def __init__(self, cluster: PodDeleter, clock: Clock, submit: Callable[[Record], None]) -> None:
        """`submit` appends to the log."""
        self._cluster = cluster
        self._clock = clock
        self._submit = submit
        self._cuts: dict[str, dict[str, _Cut]] = {}
        self._wanted = asyncio.Event()

    def want(self, session: Session, tally: SessionTally) -> None:
        """Have the pods of a session that is over deleted, if its policy says so. This replaces what was wanted before."""
        known = self._cuts.pop(session.uid, {})
        wanted = {name: cut for name, cut in known.items() if cut.is_done}
        for pod in open_pods(session, tally):
            if pod.name in wanted:
                continue
            if len(tally.deleted_pods | wanted.keys()) < MOST_PODS:
                wanted[pod.name] = known.get(pod.name) or _Cut(session, pod)
            else:
                self._submit(records.pod_not_deleted(session, pod, problem=TOO_MANY, at=self._clock.now()))
                break
        if wanted:
            self._cuts[session.uid] = wanted
            self._wanted.set()

    def forget(self, uid: str) -> None:
        """Forget a session."""
        self._cuts.pop(uid, None)

    async def run(self) -> None:
        """Delete, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._wanted.clear()
            waiting = [cut for cuts in self._cuts.values() for cut in cuts.values() if not cut.is_done]
            cut = min(waiting, key=lambda one: one.due, default=None)
            if cut is not None and cut.due <= loop.time():
                await self._delete(cut)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(cut.due if cut is not None else None):
                    await self._wanted.wait()

    async def _delete(self, cut: _Cut) -> None:
        pod = cut.pod
        try:
            uid = await self._cluster.delete_pod(pod.namespace, pod.name)
        except NotFound:
            cut.is_done = True  # with it, the connection has gone
        except Forbidden as error:
            self._again(cut, f"{error} To have it deleted, {RIGHT}.", is_refused=True)
        except ClusterError as error:
            self._again(cut, str(error))
        else:
            cut.is_done = True
            self._submit(records.pod_deleted(cut.session, pod, uid=uid, at=self._clock.now()))
            log.info("a pod was deleted", namespace=pod.namespace, pod=pod.name, request=cut.session.request, by=pod.by)

    def _again(self, cut: _Cut, problem: str, *, is_refused: bool = False) -> None:
        pause = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(cut.tries, 20))
        cut.tries += 1
        cut.due = asyncio.get_running_loop().time() + (LONGEST_RETRY_SECONDS if is_refused else pause)
        if is_refused or cut.tries >= ALERT_AFTER:
            self._submit(records.pod_not_deleted(cut.session, cut.pod, problem=problem, at=self._clock.now()))

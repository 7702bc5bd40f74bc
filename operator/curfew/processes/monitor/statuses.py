"""Writes the answers to the requests: `status.activity`, and nothing else.

The newest answer for a request replaces one that waits. The log holds each answer too, so one that cannot be written, because
the request is gone, is no loss.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from curfew.api.activity import Activity
from curfew.core.activity.session import Session
from curfew.ports import ClusterError, Invalid, MonitoredCluster, NotFound

log = structlog.get_logger("curfew")

PAUSE_SECONDS = 0.1
"""Between two writes: ten a second do not burden an API server."""

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    session: Session
    activity: Activity
    tries: int = 0
    due: float = 0.0  # by the event loop's time


class Statuses:
    """The answers that wait to be written, by the UID of their requests."""

    def __init__(self, cluster: MonitoredCluster, dropped: Callable[[str], None]) -> None:
        """`dropped` is called with Gone or Refused for an answer that will never be written."""
        self._cluster = cluster
        self._dropped = dropped
        self._waiting: dict[str, _Waiting] = {}  # the oldest first
        self._wanted = asyncio.Event()

    def __len__(self) -> int:
        """Return how many answers wait."""
        return len(self._waiting)

    def write(self, session: Session, activity: Activity) -> None:
        """Have an answer written. It takes the place of an older one for the same request, and of its turn."""
        before = self._waiting.get(session.uid)
        self._waiting[session.uid] = (
            _Waiting(session, activity) if before is None else replace(before, session=session, activity=activity)
        )
        self._wanted.set()

    async def run(self) -> None:
        """Write, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._wanted.clear()
            now = loop.time()
            uid = next((uid for uid, one in self._waiting.items() if one.due <= now), None)
            if uid is not None:
                await self._write(uid)
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            due = min((one.due for one in self._waiting.values()), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wanted.wait()

    async def _write(self, uid: str) -> None:
        one = self._waiting[uid]
        session = one.session
        body = one.activity.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            await self._cluster.write_activity(session.namespace, session.request, uid, body)
        except NotFound:
            self._dropped("Gone")
        except Invalid as error:
            # Another request has the name by now, or the API server knows an older form of the status.
            log.warning("cannot write what was done with a request", request=session.request, problem=str(error))
            self._dropped("Refused")
        except ClusterError as error:
            self._again(uid, error)
            return
        if self._waiting[uid] is one:  # no newer answer has come meanwhile
            del self._waiting[uid]

    def _again(self, uid: str, error: ClusterError) -> None:
        one = self._waiting[uid]
        pause = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(one.tries, 10))
        if one.tries == 0:
            log.warning("cannot write what was done with a request yet", problem=str(error), again_in=pause)
        due = asyncio.get_running_loop().time() + pause
        self._waiting[uid] = replace(one, tries=one.tries + 1, due=due)

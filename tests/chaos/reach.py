"""When at least one replica could reach the API server, and when none could: only the first counts for lateness."""

import asyncio
import http.client
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import aiohttp

from curfew.evidence.history.terms import UnreachableTime
from tests.chaos.replica import Replica
from tests.integration.operator.people import Person
from tools.servers.ports import LOOPBACK

EVERY_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 1.0
"""An API server that takes longer for an answer is not there."""

LISTED: Final = "everything is listed and watched"


class Reachability:
    """Asks again and again, and remembers the times in which nobody could have ended access."""

    def __init__(self, admin: Person, path: str, replicas: Sequence[Replica]) -> None:
        """Ask nothing yet. `path` is something to GET."""
        self._admin = admin
        self._path = path
        self._replicas = replicas
        self._last_good = datetime.now(UTC)
        self._was_good = True
        self.unreachable: list[UnreachableTime] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin."""
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._look_at_replicas())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            begun = datetime.now(UTC)
            could = any(replica.can_reach for replica in self._replicas)
            if await self._answers() and could and any(replica.can_reach for replica in self._replicas):
                if not self._was_good:
                    self.unreachable.append(UnreachableTime(self._last_good, datetime.now(UTC)))
                self._last_good, self._was_good = begun, True
            else:
                self._was_good = False
            await asyncio.sleep(EVERY_SECONDS)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return (await self._admin.get(self._path)).status < 500
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False

    async def _look_at_replicas(self) -> None:
        while True:
            for replica in self._replicas:
                if not replica.is_known and replica.operator.is_running and not replica.is_paused:
                    replica.is_known = await asyncio.to_thread(_has_listed, replica.operator.port)
            await asyncio.sleep(EVERY_SECONDS)


def _has_listed(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=1)) as connection:
            connection.request("GET", "/readyz")
            return bool(json.loads(connection.getresponse().read())["parts"]["cluster"] == LISTED)
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False

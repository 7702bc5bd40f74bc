"""How slow the machine is at the moment: how long a write of a few bytes takes until a watch shows it.

What is promised within a second is promised on a machine that has time for it, and tests run beside other work. So a limit
in seconds is on top of what the API server, a watch and the test's own process need at that time for the least there is.
"""

import asyncio
import itertools
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import aiohttp

from tests.integration.operator.people import Person
from tests.integration.operator.watching import Watch

EVERY_SECONDS: Final = 0.25

STEPS: Final = 4
"""What lies between a decision and its effect takes about as long as so many writes: status, record, receipt, binding."""

CONFIG_MAPS: Final = "/api/v1/namespaces/default/configmaps"


class Pulse:
    """Writes to a ConfigMap again and again, and sees how long each write takes until a watch shows it."""

    def __init__(self, admin: Person) -> None:
        """Begin nothing yet."""
        self._admin = admin
        self._name = f"pulse-{uuid.uuid4().hex[:10]}"
        self._watch = Watch(admin, CONFIG_MAPS, f"fieldSelector=metadata.name%3D{self._name}")
        self._written: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to write and to watch."""
        await self._watch.__aenter__()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop, and leave nothing behind."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._watch.__aexit__(kind, error, at)
        with suppress(aiohttp.ClientError, TimeoutError):  # the API server may be gone already
            await self._admin.delete(f"{CONFIG_MAPS}/{self._name}")

    def within(self, limit: timedelta, begin: datetime, end: datetime) -> timedelta:
        """Return the limit, and what this machine needed on top of it between two times."""
        return limit + STEPS * self.slowest(begin, end)

    def slowest(self, begin: datetime, end: datetime) -> timedelta:
        """Return the longest time that a write took until it was seen, of those under way between two times.

        A write while the API server was away is none of them: nobody promises anything for that time.
        """
        assert self._task is not None, "nothing was written: whoever judges times asks for the pulse"
        took = [timedelta(0)]
        for history in self._watch.history.values():
            for sight in history:
                written = self._written.get(sight.body.get("data", {}).get("beat", ""))
                if written is not None and written <= end and sight.at >= begin:
                    took.append(sight.at - written)
        return max(took)

    async def _run(self) -> None:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": self._name}, "data": {}}
        for number in itertools.count():
            beat = f"{number}"
            with suppress(aiohttp.ClientError, TimeoutError, ValueError):
                written = datetime.now(UTC)
                operations = [{"op": "add", "path": "/data", "value": {"beat": beat}}]
                answer = await self._admin.patch(f"{CONFIG_MAPS}/{self._name}", operations)
                if answer.is_ok:
                    self._written[beat] = written
                elif answer.status == 404:
                    await self._admin.post(CONFIG_MAPS, body)
            await asyncio.sleep(EVERY_SECONDS)

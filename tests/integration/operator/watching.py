"""Watching the API server as the admin, and noting when each change was seen: what the tests measure by."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp

from tests.integration.operator.people import Body, Person

T = TypeVar("T")

AWAY_SECONDS: Final = 0.1
"""Between two tries to reach an API server that is away."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One change, and when it was seen."""

    at: datetime
    type: str  # ADDED, MODIFIED or DELETED
    body: Body


class Watch:
    """All objects of one kind, as they are and as they came to be. It survives an API server that goes away."""

    def __init__(self, person: Person, path: str, query: str = "") -> None:
        """Take who watches, and what."""
        self._person = person
        self._path = path
        self._query = query
        self.objects: dict[str, Body] = {}
        self.history: defaultdict[str, list[Sight]] = defaultdict(list)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """List, and begin to watch."""
        version = await self._list()
        self._task = asyncio.create_task(self._run(version))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def until(self, told: Callable[[], T | None], what: str, seconds: float) -> T:
        """Return what `told` returns as soon as that is neither None nor False; it is asked after each change."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._news.clear()
                    found = told()
                    if found is not None and found is not False:
                        return found
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not seen within {seconds:g} s: {what}") from None

    async def gone(self, uid: str, seconds: float) -> datetime:
        """Return when an object was seen to be deleted."""
        return await self.until(lambda: self.deleted_at(uid), f"the end of {uid}", seconds)

    def deleted_at(self, uid: str) -> datetime | None:
        """Return when an object was seen to be deleted, or None."""
        return next((sight.at for sight in self.history[uid] if sight.type == "DELETED"), None)

    async def _list(self) -> str:
        answer = (await self._person.get(f"{self._path}?{self._query}")).done()
        there = {item["metadata"]["uid"]: item for item in answer["items"]}
        for uid in [uid for uid in self.objects if uid not in there]:
            self._see("DELETED", self.objects[uid])
        for uid, body in there.items():
            known = self.objects.get(uid)
            if known is None or known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
                self._see("MODIFIED" if known else "ADDED", body)
        return str(answer["metadata"]["resourceVersion"])

    async def _run(self, version: str) -> None:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError, AssertionError, ValueError):
                await self._follow(version)
            while True:
                await asyncio.sleep(AWAY_SECONDS)
                with suppress(aiohttp.ClientError, TimeoutError, AssertionError, ValueError):
                    version = await self._list()
                    break

    async def _follow(self, version: str) -> None:
        path = f"{self._path}?{self._query}&watch=1&resourceVersion={version}"
        async with self._person.stream(path) as response:
            async for line in response.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._see(event["type"], event["object"])

    def _see(self, type_: str, body: Body) -> None:
        uid = body["metadata"]["uid"]
        self.history[uid].append(Sight(datetime.now(UTC), type_, body))
        if type_ == "DELETED":
            self.objects.pop(uid, None)
        else:
            self.objects[uid] = body
        self._news.set()

"""People at work while everything fails: they ask, decide, delete and lock, and try again if nobody answers."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import aiohttp

from curfew.api.times import format_time
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import GROUP, Answer, Body, Person
from tests.integration.operator.place import FINAL, Asked, Place, now

LOCKS: Final = f"{GROUP}/accesslocks"
AGAIN_SECONDS: Final = 0.5

SHORTEST: Final = 5.0
PATIENCE: Final = 45.0
"""Seconds after which people give up what nobody answers."""

MAKING_SECONDS: Final = 60.0
"""Within which the first grant is made, also on a machine that is busy."""

WAYS: Final = {"runs": 10, "automatic": 4, "revoked": 4, "given back": 2, "denied": 1, "cancelled": 1, "deleted": 2}
"""What becomes of requests, and how often."""


@dataclass
class ChaosLoad:
    """Requests at a rate, each with somebody who sees to it."""

    place: Place
    chance: random.Random
    rate: float  # requests a second
    longest: float  # seconds that a grant lasts at most, from when it was asked for
    asked: list[Asked] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  # UIDs of those that somebody deleted
    unmade: int = 0  # that nobody could ask for in time
    ways: Counter[str] = field(default_factory=Counter)

    async def first(self) -> None:
        """Return when one grant was made, before anything fails. `run` has it given back."""
        ends_at = (now() + timedelta(seconds=MAKING_SECONDS)).replace(microsecond=0)
        by = self.place.people.alice
        asked = Asked(
            self.place,
            (await by.post(self.place.path, self.place.request(by, "automatic", notAfter=format_time(ends_at)))).done(),
        )
        self.asked.append(asked)
        await asked.phase("Active", seconds=MAKING_SECONDS)

    async def run(self, seconds: float) -> None:
        """Work for so long; return when everybody has done what they had to."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lock_now_and_then(until))
            if self.asked:
                group.create_task(self._give_back(self.asked[0], seconds / 2))
            while (left := until - loop.time()) > 0:
                way = self.chance.choices(list(WAYS), list(WAYS.values()))[0]
                group.create_task(self._live(way, random.Random(self.chance.random())))  # noqa: S311  to be had again
                await asyncio.sleep(min(left, self.chance.expovariate(self.rate)))

    async def _give_back(self, asked: Asked, after: float) -> None:
        await asyncio.sleep(after)
        await self._insist(lambda: asked.decide(self.place.people.alice, "Cancel"))

    async def _live(self, way: str, chance: random.Random) -> None:
        people = self.place.people
        by = chance.choice([people.alice, people.carol])
        lasts = timedelta(seconds=chance.uniform(SHORTEST, self.longest))
        body = self.place.request(
            by,
            "automatic" if way == "automatic" else "debug",
            notAfter=format_time((now() + lasts).replace(microsecond=0)),
        )
        made = await self._made(by, body)
        if made is None:
            self.unmade += 1
            return
        self.ways[way] += 1
        asked = Asked(self.place, made)
        self.asked.append(asked)
        with suppress(AssertionError, TimeoutError):  # it was over before anybody could decide: that is an end too
            await self._decide(way, asked, by, chance)

    async def _decide(self, way: str, asked: Asked, by: Person, chance: random.Random) -> None:
        bob = self.place.people.bob
        if way == "automatic":
            return
        await asked.phase("Pending", *FINAL, seconds=PATIENCE)
        await asyncio.sleep(chance.uniform(0, 1))
        if way in ("denied", "cancelled"):
            decision, who = ("Deny", bob) if way == "denied" else ("Cancel", by)
            await self._insist(lambda: asked.decide(who, decision))
            return
        await self._insist(lambda: asked.decide(bob))
        if way == "runs":
            return
        await asked.phase("Active", *FINAL, seconds=PATIENCE)
        await asyncio.sleep(chance.uniform(0, 2))
        if way == "deleted":
            self.gone.add(asked.uid)
            await self._insist(lambda: by.delete(asked.path))
        else:
            decision, who = ("Revoke", bob) if way == "revoked" else ("Cancel", by)
            await self._insist(lambda: asked.decide(who, decision))

    async def _made(self, by: Person, body: Body) -> Body | None:
        """Make a request. If an answer was lost, it may be there already."""
        answer = await self._insist(lambda: by.post(self.place.path, body))
        if answer is not None and answer.status == 409:
            answer = await self._insist(lambda: by.get(f"{self.place.path}/{body['metadata']['name']}"))
        return answer.body if answer is not None and answer.is_ok else None

    async def _insist(self, call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Make a call until somebody answers it; None if nobody does for as long as a grant can last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    with suppress(aiohttp.ClientError, ValueError, TimeoutError):
                        async with asyncio.timeout(5):
                            answer = await call()
                        if answer.status < 500 and answer.status != 429:
                            return answer
                    await asyncio.sleep(AGAIN_SECONDS)
        return None

    async def _lock_now_and_then(self, until: float) -> None:
        """Lock carol out for a moment, again and again."""
        admin, loop = self.place.people.admin, asyncio.get_running_loop()
        name = f"{self.place.namespace}-lock"
        lock = {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessLock",
            "metadata": {"name": name},
            "spec": {
                "target": {"person": self.place.people.carol.name},
                "reason": "a drill",
                "submittedBy": admin.name,
            },
        }
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, self.chance.uniform(10, 40)))
            await self._insist(lambda: admin.post(LOCKS, lock))
            await asyncio.sleep(self.chance.uniform(1, 4))
            await self._insist(lambda: admin.delete(f"{LOCKS}/{name}"))

    def open(self) -> list[Asked]:
        """Return the requests whose stories do not show as over."""
        return [one for one in self.asked if not self._is_over(one)]

    def untold(self, evidence: Evidence) -> list[Asked]:
        """Return the requests whose stories the log does not tell to their one end."""
        return [one for one in self.asked if not self._is_told(one, evidence.story(one.uid))]

    def _is_told(self, asked: Asked, told: list[str]) -> bool:
        if not told:  # nobody saw it before it was deleted, or it is counted among many refusals
            return asked.uid in self.gone or "countedIn" in asked.status
        return told.count("request.closed") == 1

    def _is_over(self, asked: Asked) -> bool:
        history = self.place.sights.requests.history[asked.uid]
        if history and history[-1].type == "DELETED":
            return True
        is_closed = asked.is_closed or bool(asked.status.get("closed"))
        return asked.status.get("phase") in FINAL and is_closed

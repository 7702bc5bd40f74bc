"""People who ask and approve, and somebody who sees bindings come and go: a contender is measured from outside."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bench.lives.client import JSON_PATCH, ApiClient
from bench.lives.contender import Body, Contender, Order
from bench.process import Failed
from curfew.adapters.clock import SystemClock

AT_ONCE: Final = 16
"""How many calls are under way when people do something as fast as it goes."""

BATCH: Final = "bench"
"""The label that tells one batch of requests from the others."""

PATIENCE: Final = 120.0
"""Seconds in which something must go on, or the contender has failed."""


@dataclass(slots=True)
class Life:
    """One request, with the instants at which something was sent or seen."""

    order: Order
    approved: datetime | None = None  # the approving call was sent
    came: datetime | None = None  # the binding was seen
    went: datetime | None = None  # the binding was seen to be gone


@dataclass
class Crowd:
    """All who have to do with one contender's requests."""

    contender: Contender
    admin: ApiClient
    approver: ApiClient
    clock: SystemClock = field(default_factory=SystemClock)
    lives: dict[str, Life] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look at no binding yet."""
        self._bindings: dict[str, str] = {}  # the names of requests, by those of bindings
        self._seen = asyncio.Event()

    async def look_on(self, is_looking: asyncio.Event) -> None:
        """See bindings come and go until cancelled; say when it begins."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.contender.namespace}/rolebindings"
        async for event, body in self.admin.watch(path):
            now = self.clock.now()
            if event == "BOOKMARK":
                is_looking.set()
                continue
            life = self.lives.get(self.contender.asked_by(body) or "")
            if life is not None and event == "ADDED":
                life.came = life.came or now
            elif life is not None and event == "DELETED":
                life.went = life.went or now
            self._seen.set()

    async def ask(self, orders: Sequence[Order]) -> Sequence[Life]:
        """Have people ask, as fast as it goes, and return when all requests can be approved."""
        asked = [Life(order) for order in orders]
        self.lives |= {life.order.name: life for life in asked}
        await _each(asked, self._ask)
        await self.until_all(asked, self.contender.is_waiting, "can be approved")
        return asked

    async def approve_all(self, lives: Sequence[Life]) -> None:
        """Have them approved as fast as the API server takes it."""
        await _each(lives, self._approve)

    async def approve_each(self, lives: Sequence[Life], rate: float) -> None:
        """Have them approved at an even pace, whether the contender keeps up or not."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as under_way:
            for number, life in enumerate(lives):
                await asyncio.sleep(began + number / rate - loop.time())
                under_way.create_task(self._approve(life))

    async def until_all(self, lives: Sequence[Life], is_so: Callable[[Body], bool], what: str) -> None:
        """Return when something is so of all requests of one batch; raise `Failed` when nothing happens any more."""
        if not lives:
            return
        left = {life.order.name for life in lives}
        events = self.admin.watch(self.contender.requests, labelSelector=f"{BATCH}={lives[0].order.batch}")
        async with aclosing(events):
            while left:
                try:
                    async with asyncio.timeout(PATIENCE):
                        _, body = await anext(events)
                except TimeoutError:
                    why = f"of {len(lives)} requests, {len(left)} are not so that they {what}"
                    raise Failed(f"{self.contender.title} has stopped: {why}") from None
                if body and is_so(body):
                    left.discard(body["metadata"]["name"])

    async def until_seen(self, lives: Sequence[Life], is_seen: Callable[[Life], bool], what: str) -> None:
        """Return when something was seen of all lives; raise `Failed` when nothing is seen any more."""
        while not all(map(is_seen, lives)):
            self._seen.clear()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._seen.wait()
            except TimeoutError:
                left = sum(not is_seen(life) for life in lives)
                raise Failed(
                    f"{self.contender.title} has stopped: of {len(lives)} bindings, {left} have not {what}"
                ) from None

    async def until_came(self, lives: Sequence[Life]) -> None:
        """Return when all bindings were seen."""
        await self.until_seen(lives, lambda life: life.came is not None, "come")

    async def until_went(self, lives: Sequence[Life]) -> None:
        """Return when all bindings were seen to be gone."""
        await self.until_seen(lives, lambda life: life.went is not None, "gone")

    async def until(self, instant: datetime) -> None:
        """Return at an instant."""
        await asyncio.sleep(max(0.0, (instant - self.clock.now()).total_seconds()))

    async def _ask(self, life: Life) -> None:
        person = life.order.person
        manifest = dict(self.contender.manifest(life.order))
        manifest["metadata"] = {**manifest["metadata"], "labels": {BATCH: life.order.batch}}
        await self.admin.ask("POST", self.contender.requests, manifest, person=person)

    async def _approve(self, life: Life) -> None:
        path = f"{self.contender.requests}/{life.order.name}/status"
        life.approved = self.clock.now()
        await self.approver.ask("PATCH", path, self.contender.approval(life.order.name), kind=JSON_PATCH)


async def _each(lives: Sequence[Life], act: Callable[[Life], Awaitable[None]]) -> None:
    """Act on each, some at once, in their order."""
    left = deque(lives)

    async def work() -> None:
        while left:
            await act(left.popleft())

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())

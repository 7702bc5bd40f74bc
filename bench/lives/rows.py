"""The rows of the table: what one contender is put through, and what was seen of it."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bench.lives.contender import Order
from bench.lives.crowd import Crowd, Life
from bench.lives.statistics import spread
from bench.lives.usage import Mark, calls_since, held_by, mark

SLOW, FAST = 5.0, 50.0
"""Approvals a second."""

BURST: Final = 500
WARM: Final = 20
PEOPLE: Final = 100
SECURE: Final = 2.0
"""How many times longer than those before them took, requests are given: what begins and ends is asked for beforehand."""

AT_REST: Final = 0.04
"""The share of a core below which nothing goes on."""

SLOWLY, EVEN, AT_ONCE, WAVE, APART = "slow", "even", "burst", "wave", "apart"
ROWS: Final = (SLOWLY, EVEN, AT_ONCE, WAVE, APART)
FULL: Final = (EVEN, AT_ONCE, WAVE, APART)
"""All of the table: the first row is in the second."""


@dataclass
class Trial:
    """One contender, on servers that it has for itself."""

    crowd: Crowd
    apiserver: int  # its process
    audit_log: Path
    seconds: float  # how long a rate is kept up
    many: int = BURST
    values: dict[str, float] = field(default_factory=dict)
    calls: Mapping[str, float] = field(default_factory=dict)
    margin: timedelta = timedelta(seconds=4)  # what each instant that lies ahead is put off by
    warmed_up: Callable[[], object] = bool  # told when the rows begin

    def __post_init__(self) -> None:
        """Nothing is known of its pace."""
        self._lives = 0
        self._quiet = self.crowd.clock.now()  # from then on, nothing ends that was asked for before
        self._asking = self._granting = 0.0  # seconds for a request

    async def run(self, rows: Collection[str]) -> None:
        """Put it through some rows, each request to its end, and note what they took altogether."""
        since = self._mark()
        await self._warm_up("cold")
        await self._warm_up("warm")
        self.warmed_up()
        if SLOWLY in rows:
            await self._slowly()
        if AT_ONCE in rows:
            await self._burst()
        if EVEN in rows:
            await self._even()
        self.values["memory_mb"] = held_by(self.crowd.contender.pids()) / 1e6
        self.values["memory_requests"] = self._lives
        if WAVE in rows:
            await self._wave()
        await self.crowd.until_went(list(self.crowd.lives.values()))
        await self._until_rest()
        self._note_usage(since, self._lives)

    # --- the rows ---------------------------------------------------------------------------------------------------------

    async def _slowly(self) -> None:
        """Approve and end at a slow pace, with nothing else to do."""
        number, apart = round(SLOW * self.seconds), timedelta(seconds=1 / SLOW)
        ends = self._after(number, number) + timedelta(seconds=self.seconds) + self.margin
        lives = await self._asked("slow", [ends + apart * n for n in range(number)])
        await self.crowd.approve_each(lives, SLOW)
        await self.crowd.until_went(lives)
        self._note("slow", "ms", [_ms(life.came, life.approved) for life in lives])
        self._note("alone_late", "ms", [_ms(life.went, life.order.ends) for life in lives])

    async def _even(self) -> None:
        """Approve at an even pace, slowly and fast. Ends come at an even pace too, first alone and then beside approvals.

        With nothing else to do, half of the time is enough.
        """
        number, many = round(SLOW * self.seconds), round(FAST * self.seconds)
        apart, span = timedelta(seconds=1 / SLOW), timedelta(seconds=self.seconds)
        few, short = number // 2, span / 2
        begin = max(self._after(few + number + many, number), self._quiet + self.margin)
        alone = begin + short + self.margin
        loaded = alone + short + self.margin
        at_last = loaded + span + self.margin + self._backlog(many, span)
        slow = await self._asked("slow", [alone + apart * n for n in range(few)])
        beside = await self._asked("beside", [loaded + apart * n for n in range(number)])
        fast = await self._asked("fast", [at_last + span * n / many for n in range(many)])
        await self.crowd.approve_all(beside)
        await self.crowd.until_came(beside)
        await self.crowd.until(begin)
        await self.crowd.approve_each(slow, SLOW)
        await self.crowd.until(loaded)
        await self.crowd.approve_each(fast, FAST)
        await self.crowd.until_came(fast)
        await self.crowd.until_went([*slow, *beside, *fast])
        for name, lives in (("slow", slow), ("fast", fast)):
            self._note(f"{name}", "ms", [_ms(life.came, life.approved) for life in lives])
        for name, lives in (("alone", slow), ("beside", beside), ("ends", fast)):
            self._note(f"{name}_late", "ms", [_ms(life.went, life.order.ends) for life in lives])

    async def _burst(self) -> None:
        """Approve many as fast as it goes."""
        self._quiet = end = self._after(self.many, self.many)
        lives = await self._asked("burst", [end] * self.many)
        await self.crowd.approve_all(lives)
        await self.crowd.until_came(lives)
        first = min(life.approved for life in lives if life.approved is not None)
        took = (max(map(_came, lives)) - first).total_seconds()
        self.values["burst_per_s"] = self.many / took
        self._granting = took / self.many

    async def _wave(self) -> None:
        """Let many begin at one instant, and end at another."""
        begin = self._after(self.many, self.many)
        end = begin + self.margin + self._backlog(self.many)
        lives = await self._asked("wave", [end] * self.many, begin)
        await self.crowd.approve_all(lives)
        await self.crowd.until_all(lives, self.crowd.contender.is_due, "wait for their time")
        await self.crowd.until_came(lives)
        await self.crowd.until_went(lives)
        self._note("begins", "s", [_ms(life.came, begin) / 1000 for life in lives])
        self._note("gone", "s", [_ms(life.went, end) / 1000 for life in lives])

    # --- how they are asked for -------------------------------------------------------------------------------------------

    async def _asked(self, batch: str, ends: Sequence[datetime], begins: datetime | None = None) -> Sequence[Life]:
        person = self.crowd.contender.person
        orders = [Order(batch, n, person.format((self._lives + n) % PEOPLE), end, begins) for n, end in enumerate(ends)]
        self._lives += len(orders)
        began = self.crowd.clock.now()
        lives = await self.crowd.ask(orders)
        self._asking = (self.crowd.clock.now() - began).total_seconds() / len(orders)
        return lives

    async def _warm_up(self, batch: str) -> None:
        """Have a few requests granted, for connections to be there, and see how long they take."""
        self._quiet = self.crowd.clock.now() + 5 * self.margin
        lives = await self._asked(batch, [self._quiet] * WARM)
        began = self.crowd.clock.now()
        await self.crowd.approve_all(lives)
        await self.crowd.until_came(lives)
        self._granting = (self.crowd.clock.now() - began).total_seconds() / WARM

    def _after(self, asked: int, granted: int) -> datetime:
        """Return an instant by which so many requests will be there, and so many granted."""
        secure = SECURE * (asked * self._asking + granted * self._granting)
        return (self.crowd.clock.now() + self.margin + timedelta(seconds=secure)).replace(microsecond=0)

    def _backlog(self, granted: int, since: timedelta = timedelta()) -> timedelta:
        """Return how long it takes at most to grant so many, some time after it has begun."""
        return SECURE * max(timedelta(seconds=granted * self._granting) - since, timedelta())

    # --- what was seen ----------------------------------------------------------------------------------------------------

    def _note(self, name: str, unit: str, values: Sequence[float]) -> None:
        self.values |= {f"{name}_{part}_{unit}": value for part, value in spread(values).items()}

    def _mark(self) -> Mark:
        return mark(self.crowd.contender.pids(), self.apiserver, self.audit_log)

    def _note_usage(self, since: Mark, lives: int) -> None:
        now, contender = self._mark(), self.crowd.contender
        self.values["processor_ms"] = 1000 * (now.processor - since.processor) / lives
        self.values["server_ms"] = 1000 * (now.servers - since.servers) / lives
        counted = calls_since(self.audit_log, since.log_size, contender.user, contender.namespace)
        self.calls = {kind: number / lives for kind, number in sorted(counted.items())}
        self.values["calls"] = sum(self.calls.values())

    async def _until_rest(self) -> None:
        """Return when the contender has nothing to do any more, as far as it can be seen from outside."""
        before = self._mark().processor
        while True:
            await asyncio.sleep(1)
            now = self._mark().processor
            if now - before < AT_REST:
                return
            before = now


def _came(life: Life) -> datetime:
    assert life.came is not None
    return life.came


def _ms(later: datetime | None, earlier: datetime | None) -> float:
    assert later is not None
    assert earlier is not None
    return (later - earlier) / timedelta(milliseconds=1)

"""A cluster that has had Curfew for a month: many requests that are over, and many grants that are active.

How soon an operator that starts there ends what is due, what it holds in memory, and what it takes when nothing happens.
The grants are real. The finished requests are written as they are, with admission taken away: only the log does not have
them, so what the operator remembers of the records of its last 25 hours comes on top.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from bench.lives.admission import Admission
from bench.lives.client import ApiClient, open_client
from bench.lives.contender import Order
from bench.lives.crowd import Crowd
from bench.lives.servers import BenchServers, bench_servers
from bench.lives.subject import Curfew
from bench.lives.usage import held_by
from bench.process import most_held_by, taken_by
from curfew.adapters.clock import SystemClock
from curfew.api.names import LABEL_CLOSED

FINISHED, ACTIVE = 50_000, 1_000
AT_ONCE: Final = 24
"""Connections over which finished requests are written."""

IDLE_SECONDS: Final = 30.0
"""How long it is looked at when nothing happens."""

AT_REST: Final = 0.03
"""The share of a core below which it is at rest. After its start it reads the names of the finished requests, page by page."""

RESTED_SECONDS: Final = 10.0
"""How long that has to hold: it looks at everything every few seconds."""

LIFE: Final = timedelta(hours=1)
DUE: Final = timedelta(seconds=2)
"""How long the operator is down before the first grant is due to end."""

Tell = Callable[[str], object]


def measure_age(finished: int, active: int, tell: Tell) -> Mapping[str, float]:
    """Return what was seen."""
    tell("starting servers")
    with bench_servers(durable=False) as servers:
        contender = Curfew(servers)
        try:
            contender.start()
            return asyncio.run(_measure(servers, contender, finished, active, tell))
        finally:
            contender.stop()


async def _measure(
    servers: BenchServers, contender: Curfew, finished: int, active: int, tell: Tell
) -> Mapping[str, float]:
    async with (
        open_client(servers.cluster, servers.folder, "admin") as admin,
        open_client(servers.cluster, servers.folder, contender.approver) as approver,
    ):
        crowd = Crowd(contender, admin, approver)
        is_looking = asyncio.Event()
        looking = asyncio.create_task(crowd.look_on(is_looking))
        try:
            await is_looking.wait()
            tell(f"granting {active:,} requests")
            end = crowd.clock.now() + LIFE
            await _granted(crowd, [end] * (active - 1), "active")
            due = crowd.clock.now() + _soon(crowd)
            (first,) = await _granted(crowd, [due], "due")
            await asyncio.to_thread(contender.stop)
            tell(f"writing {finished:,} finished requests")
            admission = Admission(admin, contender)
            await admission.drop_policies()
            await admission.drop_rules(status_at_once=True)
            await _write_finished(admin, contender, admission, finished)
            await admission.restore()
            await crowd.until(due)
            assert first.went is None, "the operator was stopped too late: it has ended the first grant already"
            tell("starting the operator again")
            started = crowd.clock.now()
            await asyncio.to_thread(contender.run)
            await crowd.until_went([first])
            assert first.went is not None
            seconds = (first.went - started).total_seconds()
            tell("looking at it while nothing happens")
            return {"finished": finished, "active": active, "first_end_s": seconds, **await _at_rest(contender)}
        finally:
            looking.cancel()


def _soon(crowd: Crowd) -> timedelta:
    """Return how long a grant is given that is to outlast the operator, by the time that the others took."""
    took = max((life.came - life.approved for life in crowd.lives.values() if life.came and life.approved), default=DUE)
    return 3 * took + 5 * DUE


async def _granted(crowd: Crowd, ends: list[datetime], batch: str) -> Any:
    people = crowd.contender.person
    lives = await crowd.ask([Order(batch, n, people.format(n % 100), end) for n, end in enumerate(ends)])
    await crowd.approve_all(lives)
    await crowd.until_came(lives)
    return lives


async def _write_finished(admin: ApiClient, contender: Curfew, admission: Admission, finished: int) -> None:
    """Write requests that were refused an hour ago and are labelled closed."""
    now = SystemClock().now()
    left = iter(range(finished))

    async def write() -> None:
        for number in left:
            order = Order("finished", number, contender.person.format(number % 100), now + LIFE)
            manifest = admission.manifest(order)
            manifest["metadata"] = {**manifest["metadata"], "labels": {LABEL_CLOSED: "true"}}
            status = {"phase": "Failed", "observedGeneration": 1, "endReason": "PolicyNotFound", "outbox": []}
            await admin.ask("POST", contender.requests, manifest | {"status": status})

    async with asyncio.TaskGroup() as writers:
        for _ in range(AT_ONCE):
            writers.create_task(write())


async def _at_rest(contender: Curfew) -> Mapping[str, float]:
    (pid,) = contender.pids()
    while True:
        before = taken_by(pid)
        await asyncio.sleep(RESTED_SECONDS)
        if taken_by(pid) - before < AT_REST * RESTED_SECONDS:
            break
    before = taken_by(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (taken_by(pid) - before) / IDLE_SECONDS
    return {"idle_percent": 100 * idle, "aged_mb": held_by([pid]) / 1e6, "aged_peak_mb": most_held_by(pid) / 1e6}

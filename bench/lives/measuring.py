"""Starts the servers and one contender after another, and puts each through the rows."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from bench.lives.apart import measure_apart
from bench.lives.client import open_client
from bench.lives.contender import Contender
from bench.lives.crowd import Crowd
from bench.lives.floor import Floor
from bench.lives.rows import APART, BURST, FULL, Trial
from bench.lives.servers import BenchServers, bench_servers
from bench.lives.subject import Curfew
from bench.process import Failed

CONTENDERS: Final[Mapping[str, Callable[[BenchServers], Contender]]] = {"floor": Floor, "curfew": Curfew}
"""Who can be measured, in the order in which it is done. The floor is first, before any admission policy is installed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be measured."""

    seconds: float
    contenders: Collection[str] = tuple(CONTENDERS)
    rows: Collection[str] = FULL
    many: int = BURST
    durable: bool = True
    margin: float = 4.0  # seconds that each instant that lies ahead is put off by
    samples: Path | None = None  # where it is written down where Curfew's time goes


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one contender."""

    values: Mapping[str, float]
    calls: Mapping[str, float]


def measure(choice: Choice, tell: Callable[[str], object]) -> Mapping[str, Seen]:
    """Return what was seen of each contender."""
    seen: dict[str, Seen] = {}
    tell("starting servers")
    with bench_servers(durable=choice.durable) as servers:
        for name, made in CONTENDERS.items():
            if name not in choice.contenders:
                continue
            contender = made(servers)
            if isinstance(contender, Curfew):
                contender.samples = choice.samples
            tell(f"starting {contender.title}")
            try:
                contender.start()
                tell(f"measuring {contender.title}")
                try:
                    seen[name] = asyncio.run(_measure(servers, contender, choice))
                    if isinstance(contender, Curfew):
                        contender.write_samples()
                except* Failed as failures:
                    raise Failed("; ".join(map(str, failures.exceptions))) from failures
            finally:
                contender.stop()
            if isinstance(contender, Curfew) and APART in choice.rows:
                tell("measuring admission policies and rules apart")
                more = asyncio.run(measure_apart(servers, contender, _apiserver(servers)))
                seen[name] = replace(seen[name], values={**seen[name].values, **more})
    return seen


async def _measure(servers: BenchServers, contender: Contender, choice: Choice) -> Seen:
    async with (
        open_client(servers.cluster, servers.folder, "admin") as admin,
        open_client(servers.cluster, servers.folder, contender.approver) as approver,
    ):
        crowd = Crowd(contender, admin, approver)
        trial = Trial(crowd, _apiserver(servers), servers.cluster.audit_log, choice.seconds, choice.many)
        trial.margin = timedelta(seconds=choice.margin)
        if isinstance(contender, Curfew):
            trial.warmed_up = contender.forget_samples
        is_looking = asyncio.Event()
        looking = asyncio.create_task(crowd.look_on(is_looking))
        running = asyncio.create_task(_run(trial, is_looking, choice))
        try:
            await asyncio.wait([looking, running], return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
            await running
        finally:
            looking.cancel()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await looking
    return Seen(trial.values, trial.calls)


async def _run(trial: Trial, is_looking: asyncio.Event, choice: Choice) -> None:
    await is_looking.wait()
    await trial.run(choice.rows)


def _apiserver(servers: BenchServers) -> int:
    return next(server.pid for server in servers.cluster.servers if server.name == "kube-apiserver")

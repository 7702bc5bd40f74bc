"""Runs a schedule in virtual time, and judges what happened."""

import asyncio
import logging
import random
from dataclasses import dataclass, field
from types import SimpleNamespace

import looptime
import pytest
import structlog

from curfew.processes.operator import app
from curfew.settings.operator import Settings
from tests.simulation.judging import is_settled, judge
from tests.simulation.line import CallCounter
from tests.simulation.process import make_task
from tests.simulation.replica import BEGIN, SimulatedReplica, WorldClock, settings
from tests.simulation.schedule import REPLICAS, PersonActs, SimulatedSchedule, TroubleComes
from tests.simulation.servers import ModelApiServer
from tests.support.builders import ALICE, BOB, a_policy, a_request, a_role
from tests.support.leases import FakeLeases
from tests.support.stores import MemoryStore

LONGEST = 720.0
"""How long the world may take to come to rest after the last trouble, in seconds: deletions unseen wait for the next list."""


@dataclass
class SimulatedWorld:
    """The servers, the replicas, and what is known of them afterwards."""

    schedule: SimulatedSchedule
    counter: CallCounter = field(default_factory=CallCounter)
    api: ModelApiServer = field(init=False)
    store: MemoryStore = field(default_factory=MemoryStore)
    replicas: dict[str, SimulatedReplica] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    async def run(self, given: Settings) -> None:
        """Play everything, and judge."""
        self.api = ModelApiServer(WorldClock())
        self.api.apply(a_role())
        self.api.apply(a_policy(created=BEGIN))
        leases = FakeLeases()
        for name in REPLICAS:
            mine = [one for one in self.schedule.troubles if one.replica == name]
            lot = random.Random(f"{self.schedule.seed} {name}")  # noqa: S311  to be had again
            self.replicas[name] = SimulatedReplica(name, self.api, leases, self.store, mine, lot, self.counter, given)
        self.counter.died = self._dies
        for replica in self.replicas.values():
            replica.start()
        async with asyncio.TaskGroup() as group:
            for act in self.schedule.people:
                group.create_task(self._act(act))
            for trouble in self.schedule.troubles:
                group.create_task(self._come(trouble))
        until = asyncio.get_running_loop().time() + LONGEST
        while not is_settled(self) and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(2.0)
        await asyncio.sleep(2.0)
        self.broken = [found for one in self.replicas.values() for found in one.ended_by_itself] + judge(self)
        for replica in self.replicas.values():
            await replica.end()

    async def _act(self, act: PersonActs) -> None:
        await _until(act.at)
        if act.what == "ask":
            created = WorldClock().now().replace(microsecond=0)
            self.api.ask(a_request(act.request, created=created, duration=f"{act.seconds}s"))
        elif act.what == "delete":
            self.api.delete_as_person(act.request)
        else:
            while not self.api.decide_as(ALICE if act.what == "Cancel" else BOB, act.what, act.request):  # noqa: ASYNC110
                await asyncio.sleep(0.5)  # the request does not wait for that yet

    async def _come(self, trouble: TroubleComes) -> None:
        if trouble.kind not in ("kill", "stop", "suspend"):
            return
        await _until(trouble.at)
        replica = self.replicas[trouble.replica]
        process = replica.process
        if trouble.kind == "suspend":
            process.suspend()
            await asyncio.sleep(trouble.lasts)
            process.resume()
            return
        if trouble.kind == "stop" and not process.is_suspended:
            replica.stop()
            if replica.task is not None:
                await asyncio.wait({replica.task}, timeout=30)
        await process.kill()
        await asyncio.sleep(trouble.lasts)
        if replica.process is process:
            replica.start()

    def _dies(self, pod: str) -> None:
        """Kill a replica in the middle of a call, and start another soon."""
        replica = next(one for one in self.replicas.values() if one.process.name == pod)
        replica.process.is_dead = True

        async def bury() -> None:
            await replica.end()
            await asyncio.sleep(1.0)
            replica.start()

        self._burying = asyncio.get_running_loop().create_task(bury())


async def _until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - asyncio.get_running_loop().time()))


def run(schedule: SimulatedSchedule, counter: CallCounter | None = None) -> SimulatedWorld:
    """Run a schedule and return its world. `broken` says which promises did not hold."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    random.seed(schedule.seed)
    world = SimulatedWorld(schedule, counter or CallCounter())
    loop = looptime.new_event_loop(start=0.0, noop_cycles=1)
    try:
        loop.set_task_factory(make_task)
        loop.set_exception_handler(lambda *_: None)  # the dead do not look at the answers to their calls
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                app, "gc", SimpleNamespace(collect=lambda: 0, freeze=lambda: None, set_threshold=lambda *_: None)
            )
            loop.run_until_complete(world.run(settings()))
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return world

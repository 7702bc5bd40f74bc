"""Many ends or grants at the same instant: the order in which the API server is called, whatever it is that takes time."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import pytest

from curfew.adapters.kube import cluster
from curfew.api.times import format_time
from curfew.core.keys import Key
from curfew.processes.operator.ends import LONGEST_HOLD, SENT_AT_ONCE
from curfew.processes.operator.queue import WorkQueue
from curfew.processes.operator.turns import AT_ONCE, SHOWS_ONCE_IN
from tests.support.builders import CAROL, NOON, a_decision, a_policy, a_request
from tests.support.stage import Stage
from tests.support.world import FailurePlan, FakeClock, FakeCluster

pytestmark = pytest.mark.looptime(start=0)

MANY: Final = 40
"""How many end, or begin, at the same instant."""

ANSWER: Final = 0.004
"""Seconds until the API server answers, or the bucket."""


class SlowCluster(FakeCluster):
    """An API server that takes its time. Ends have connections of their own."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.for_ends = asyncio.Semaphore(SENT_AT_ONCE)
        self.takes = ANSWER  # to end access

    async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
        """Delete a binding."""
        async with self.for_ends:
            removed = await super().delete_binding(namespace, name, uid)
            await asyncio.sleep(self.takes)
            return removed

    async def create_binding(self, manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        """Create a binding."""
        made = await super().create_binding(manifest, within)
        await asyncio.sleep(ANSWER)
        return made

    async def patch_request_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write a status."""
        patched = await super().patch_request_status(namespace, name, uid, resource_version, status)
        await asyncio.sleep(ANSWER)
        return patched


class QueuedStage(Stage):
    """The operator with its queue. Everybody has as many requests as they like."""

    cluster: SlowCluster

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        limits = {"activePerRequester": MANY, "pendingPerRequester": MANY}
        super().__init__(policy=a_policy(limits=limits))
        self.plan_failure(FailurePlan())  # none is planned: it counts the calls

    def a_cluster(self) -> SlowCluster:
        """Return the API server."""
        return SlowCluster(self.clock)

    async def approved(self, number: int, **spec: Any) -> None:
        """Have as many people ask, one after the other, and bob agree."""
        for n in range(number):
            who = f"person-{n}@example.com"
            self.cluster.apply(a_request(f"r-{n}", requester=who, submittedBy=who, **spec))
            await self.settle()
            self.cluster.decide(f"r-{n}", a_decision())
            await self.settle()

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[WorkQueue]:
        """Let the queue work from this instant on. It hears at once of each change, and of what the bucket has taken."""
        queue = WorkQueue(self.reconciler.reconcile, self.clock, place=self.reconciler.place, on_error=self.failed)
        self.queue = queue
        for key, instant in self.wakes.items():
            queue.wake_at(key, instant)
        hearing = asyncio.create_task(self._hear(queue))
        try:
            yield queue
        finally:
            hearing.cancel()
            with suppress(asyncio.CancelledError):
                await hearing
            await queue.close()

    async def _hear(self, queue: WorkQueue) -> None:
        while True:
            for key in (*self.dirty, *self.trail.flush()):
                self.dirty.discard(key)
                queue.add(key)
            await asyncio.sleep(ANSWER)

    def failed(self, key: Key, error: Exception, delay: timedelta) -> None:
        """Remember what went wrong."""
        self.errors.append(error)

    async def until(self, call: str, times: int) -> list[str]:
        """Return all calls to the API server and the bucket, in order, as soon as there were so many of one kind."""
        async with asyncio.timeout(60):
            while self.failures.calls.count(call) < times:  # noqa: ASYNC110  the calls are a plain list
                await asyncio.sleep(ANSWER)
        return list(self.failures.calls)


@pytest.fixture
def stage() -> QueuedStage:
    """Return the operator with its queue."""
    return QueuedStage()


async def test_all_ends_are_sent_before_anything_is_told_about_them(stage: QueuedStage) -> None:
    """Records and statuses of the ends follow, and so does everything else (promise P1)."""
    await stage.approved(MANY)
    stage.clock.advance(hours=1)
    stage.failures.calls.clear()

    async with stage.at_work():
        calls = await stage.until("patch status Expired", MANY)

    assert calls[:MANY] == ["delete binding"] * MANY
    assert calls.count("delete binding") == MANY
    assert stage.errors == []


async def test_ends_wait_for_no_turn_of_others(stage: QueuedStage) -> None:
    """Others get their first answer after the last end was sent. A turn that has begun does one thing at most."""
    await stage.approved(MANY)
    stage.cluster.takes = 10 * ANSWER
    for n in range(2 * AT_ONCE):
        stage.cluster.apply(a_request(f"new-{n}", requester=f"carol-{n}", submittedBy=f"carol-{n}"))
    stage.failures.calls.clear()

    async with stage.at_work():
        while not stage.failures.calls:  # noqa: ASYNC110  the calls are a plain list
            await asyncio.sleep(0)
        stage.clock.advance(hours=1)
        await stage.until("delete binding", 1)
        sent = len(stage.failures.calls)
        calls = await stage.until("delete binding", MANY)

    before_the_last = calls[sent : _last(calls, "delete binding")]
    assert len([call for call in before_the_last if call != "delete binding"]) <= AT_ONCE


async def test_ends_that_are_not_answered_hold_others_up_for_a_bounded_time(stage: QueuedStage) -> None:
    """An API server that leaves ends unanswered may still take other calls."""
    await stage.approved(MANY)
    stage.cluster.takes = 1000.0
    stage.clock.advance(hours=1)
    loop = asyncio.get_running_loop()

    async with stage.at_work():
        await stage.until("delete binding", SENT_AT_ONCE)
        sent = loop.time()
        stage.cluster.apply(a_request("other", requester=CAROL, submittedBy=CAROL))
        await stage.until("patch status Pending", MANY + 1)

    assert LONGEST_HOLD / 2 < loop.time() - sent < LONGEST_HOLD + 1


async def test_grants_that_begin_together_are_announced_together_and_made_before_their_statuses_are_written(
    stage: QueuedStage,
) -> None:
    """Few segments hold all announcements; statuses have no more than their share while others wait for access."""
    begin = NOON + timedelta(minutes=10)
    await stage.approved(MANY, notBefore=format_time(begin))
    stage.clock.set(begin)
    stage.failures.calls.clear()

    async with stage.at_work():
        calls = await stage.until("patch status Active", MANY)

    before_the_last = calls[: _last(calls, "create binding")]
    assert before_the_last.count("patch status Active") <= MANY // SHOWS_ONCE_IN
    assert before_the_last.count("append") <= 1 + MANY // AT_ONCE
    assert stage.errors == []


def _last(calls: Sequence[str], call: str) -> int:
    return max(n for n, one in enumerate(calls) if one == call)


def test_each_end_that_holds_nothing_up_has_a_connection() -> None:
    """The API server's adapter keeps as many for ends alone."""
    assert cluster._REVOKING_CONNECTIONS == SENT_AT_ONCE

"""Finished requests are deleted in time, at a pace, and never in anybody's way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from curfew.api.access_policy import AccessPolicy
from curfew.api.times import format_time
from curfew.core.facts import TrailState
from curfew.ports import ClosedRequest, Unavailable
from curfew.processes.operator.cleanup import Cleanup
from tests.support.builders import NOON, a_policy, a_request
from tests.support.world import FailurePlan, FakeClock, FakeCluster

pytestmark = pytest.mark.looptime(start=0)

MONTH = timedelta(days=30)
POLICY = AccessPolicy.model_validate(a_policy())


class LoopClock(FakeClock):
    """The time of the loop."""

    def now(self) -> datetime:
        """Return it."""
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())


class Log:
    """A log that holds every story closed, but for some, and can be away."""

    def __init__(self) -> None:
        self.is_open = self.ok = True
        self.open_stories: set[str] = set()

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the story is closed."""
        return self.is_open and uid not in self.open_stories

    @property
    def health(self) -> TrailState:
        """Whether it takes records."""
        return TrailState(self.ok and self.is_open, "", "", NOON, is_open=self.is_open)


class Scene:
    """A cluster with finished requests, and what was told."""

    def __init__(self) -> None:
        self.clock = LoopClock(NOON)
        self.cluster = FakeCluster(self.clock)
        self.log = Log()
        self.gone: list[str] = []
        self.uncounted: set[str] = set()
        self.refusals: list[str] = []

    def deleted(self, request: ClosedRequest) -> None:
        """Note a deletion."""
        self.gone.append(request.name)

    def may_not_delete(self, namespace: str, problem: str) -> None:
        """Note a refusal."""
        self.refusals.append(f"{namespace}: {problem}")

    async def finish(self, name: str = "inc-1", *, age: timedelta = timedelta(0), **status: Any) -> ClosedRequest:
        """Have a request that ended so long ago and is closed."""
        ended = self.clock.now() - age
        body = self.cluster.apply(a_request(name, created=ended))
        meta = body["metadata"]
        said = {"phase": "Failed", "endedAt": format_time(ended), **status}
        await self.cluster.patch_request_status(
            "payments", name, meta["uid"], meta["resourceVersion"], {key: v for key, v in said.items() if v is not None}
        )
        await self.cluster.label_closed("payments", name, meta["uid"])
        return ClosedRequest("payments", name, meta["uid"], ended)

    @asynccontextmanager
    async def running(self, keep_for: timedelta = MONTH, most: int = 10_000) -> AsyncIterator[Cleanup]:
        """Clean up meanwhile."""
        self.cluster.failures = FailurePlan()
        cleanup = Cleanup(
            self.cluster,
            self.log,
            self.clock,
            self,
            keep_for=keep_for,
            policy=lambda _: POLICY,
            most=most,
            is_settled=lambda request: request.metadata.uid not in self.uncounted,
        )
        task = asyncio.create_task(cleanup.run())
        try:
            yield cleanup
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task.exception()

    def names(self) -> list[str]:
        """Return the names of the requests that are there."""
        return [body["metadata"]["name"] for body in self.cluster.all("AccessRequest")]


@pytest.fixture
def scene() -> Scene:
    """Return a scene for one test."""
    return Scene()


async def test_a_request_goes_when_its_time_has_come(scene: Scene) -> None:
    """It is asked about three times: when all are listed, and when it is read and deleted."""
    await scene.finish(age=MONTH - timedelta(hours=1))

    async with scene.running():
        await asyncio.sleep(3590)
        assert (scene.names(), scene.cluster.failures.calls) == (["inc-1"], ["list closed requests"])
        await asyncio.sleep(20)

    assert (scene.names(), scene.gone) == ([], ["inc-1"])
    assert scene.cluster.failures.calls == ["list closed requests", "get AccessRequest", "delete request"]


async def test_one_that_is_closed_now_is_remembered(scene: Scene) -> None:
    async with scene.running(timedelta(minutes=5)) as cleanup:
        await asyncio.sleep(60)
        cleanup.closed(await scene.finish())
        await asyncio.sleep(290)
        assert scene.gone == []
        await asyncio.sleep(20)
        assert scene.gone == ["inc-1"]


async def test_with_zero_everything_stays_and_nothing_is_asked(scene: Scene) -> None:
    closed = await scene.finish(age=MONTH * 100)

    async with scene.running(timedelta(0)) as cleanup:
        cleanup.closed(closed)
        await asyncio.sleep(3600)

    assert (scene.names(), scene.cluster.failures.calls) == (["inc-1"], [])


async def test_without_the_log_nothing_goes_and_nothing_is_asked(scene: Scene) -> None:
    await scene.finish(age=MONTH * 2)

    scene.log.is_open = False
    async with scene.running():
        await asyncio.sleep(3600)
        assert (scene.gone, scene.cluster.failures.calls) == ([], [])
        scene.log.is_open, scene.log.ok = True, False
        await asyncio.sleep(3600)
        assert (scene.gone, scene.cluster.failures.calls) == ([], [])
        scene.log.ok = True
        await asyncio.sleep(10)

    assert scene.gone == ["inc-1"]


async def test_a_story_that_is_open_in_the_log_stays_whatever_the_request_shows(scene: Scene) -> None:
    closed = await scene.finish(age=MONTH * 2)
    scene.log.open_stories.add(closed.uid)

    async with scene.running():
        await asyncio.sleep(600)
        assert (scene.gone, scene.cluster.failures.calls) == ([], ["list closed requests"])
        scene.log.open_stories.clear()
        await asyncio.sleep(3600)

    assert scene.gone == ["inc-1"]


async def test_one_whose_count_is_not_in_the_log_stays(scene: Scene) -> None:
    """Refused requests beyond twenty in an hour have no records of their own."""
    closed = await scene.finish(age=MONTH * 2)
    scene.uncounted.add(closed.uid)

    async with scene.running():
        await asyncio.sleep(60)

    assert scene.names() == ["inc-1"]


async def test_a_thousand_old_requests_go_at_a_pace(scene: Scene) -> None:
    """At most ten in a second, and each is asked about once."""
    for number in range(1000):
        await scene.finish(f"r-{number}", age=MONTH * 2)

    async with scene.running():
        await asyncio.sleep(50)
        assert 450 < len(scene.gone) <= 500
        await asyncio.sleep(100)

    assert scene.names() == []
    assert len(scene.cluster.failures.calls) == 2001


async def test_more_than_are_remembered_go_as_well(scene: Scene) -> None:
    for number in range(25):
        await scene.finish(f"r-{number}", age=timedelta(hours=100 - number))

    async with scene.running(timedelta(hours=1), most=4) as cleanup:
        await asyncio.sleep(60)
        assert scene.gone == [f"r-{number}" for number in range(25)], "those first that ended first"
        for number in range(6):
            cleanup.closed(await scene.finish(f"n-{number}"))
        await asyncio.sleep(3660)

    assert scene.names() == []


async def test_a_refusal_is_told_once_and_tried_again_each_hour(scene: Scene) -> None:
    """Whatever number of requests a namespace has: the right, or the admission policy, is the same for all of them."""
    for number in range(50):
        await scene.finish(f"r-{number}", age=MONTH * 2)
    scene.cluster.refuse_deletions = "the operator neither makes nor deletes requests"

    async with scene.running():
        await asyncio.sleep(3660)
        assert scene.refusals == ["payments: the operator neither makes nor deletes requests"]
        assert scene.cluster.failures.calls.count("delete request") == 2
        scene.cluster.refuse_deletions = None
        await asyncio.sleep(3600)
        assert (scene.names(), len(scene.refusals)) == ([], 1)


async def test_an_api_server_that_is_away_is_waited_for(scene: Scene) -> None:
    await scene.finish(age=MONTH * 2)

    async with scene.running():
        scene.cluster.is_down = True
        await asyncio.sleep(3600)
        scene.cluster.is_down = False
        await asyncio.sleep(120)

    assert scene.gone == ["inc-1"]


@pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
@pytest.mark.parametrize("at", [1, 2, 3])
async def test_any_call_may_fail(scene: Scene, at: int, after: bool) -> None:
    await scene.finish(age=MONTH * 2)

    async with scene.running():
        scene.cluster.failures = FailurePlan(at, how=Unavailable, after=after)
        await asyncio.sleep(300)

    assert scene.names() == []


async def test_a_request_that_is_written_to_meanwhile_is_looked_at_anew(scene: Scene) -> None:
    """What goes is what was read, and no other version of it."""
    closed = await scene.finish(age=MONTH * 2)
    read, scene.cluster.get_request = scene.cluster.get_request, None  # type: ignore[method-assign, assignment]

    async def read_and_change(namespace: str, name: str) -> dict[str, Any] | None:
        body = await read(namespace, name)
        scene.cluster.apply({**a_request(name), "metadata": {"name": name, "namespace": namespace, "annotations": {}}})
        return body

    scene.cluster.get_request = read_and_change  # type: ignore[method-assign]
    async with scene.running():
        await asyncio.sleep(30)
        assert scene.names() == [closed.name]
        scene.cluster.get_request = read  # type: ignore[method-assign]
        await asyncio.sleep(60)

    assert scene.gone == [closed.name]


async def test_another_request_of_that_name_stays(scene: Scene) -> None:
    closed = await scene.finish()
    scene.cluster.delete("AccessRequest", closed.name)

    async with scene.running(timedelta(minutes=5)) as cleanup:
        cleanup.closed(closed)
        scene.cluster.apply(a_request(closed.name))
        await asyncio.sleep(3600)

    assert (scene.names(), scene.gone) == ([closed.name], [])


@pytest.mark.parametrize(
    "status",
    [{"phase": "Pending"}, {"endedAt": None}, {"outbox": [{"record": "{}", "seal": "x"}]}, {"expiresAt": "never"}],
    ids=["not over", "without an end", "with something in its outbox", "unreadable"],
)
async def test_what_must_stay_is_looked_at_once_a_day(scene: Scene, status: dict[str, Any]) -> None:
    await scene.finish(age=MONTH * 2, **status)

    async with scene.running():
        await asyncio.sleep(600)

    assert scene.names() == ["inc-1"]
    assert scene.cluster.failures.calls == ["list closed requests", "get AccessRequest"]


async def test_after_a_restore_all_are_listed_again(scene: Scene) -> None:
    """What was deleted is there again, and goes again."""
    await scene.finish(age=MONTH * 2)
    backup = scene.cluster.snapshot()

    async with scene.running() as cleanup:
        await asyncio.sleep(10)
        scene.cluster.restore(backup)
        assert scene.names() == ["inc-1"]
        cleanup.list_again()
        await asyncio.sleep(10)

    assert (scene.names(), scene.gone) == ([], ["inc-1", "inc-1"])

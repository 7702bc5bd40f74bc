"""The watch of locks: until it works nobody knows which locks there are, and what came together is looked for once."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from curfew.core.facts import LocksState
from curfew.core.keys import Key, LockKey, RequestKey
from curfew.ports import Conflict, Forbidden, Unavailable
from curfew.processes.operator.known import Store
from curfew.processes.operator.lock_watch import LockWatch
from curfew.processes.operator.unreadable import Unreadable
from tests.support.builders import NOON, a_lock
from tests.support.world import FakeClock

pytestmark = pytest.mark.looptime


def lock(name: str, version: int = 1, **spec: Any) -> dict[str, Any]:
    body = a_lock(name, **spec)
    body["metadata"] |= {"uid": f"uid-{name}", "resourceVersion": str(version)}
    return body


def binding(number: int, person: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"curfew-r{number}",
            "namespace": "payments",
            "uid": f"b{number}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T12:00:00Z",
            "labels": {"curfew.dev/request-uid": f"r{number}"},
            "annotations": {"curfew.dev/policy": "debug", "curfew.dev/expires-at": "2026-11-23T13:00:00Z"},
        },
        "subjects": [{"kind": "User", "name": person}],
    }


class Source:
    """An API server that answers as a test says."""

    def __init__(self) -> None:
        self.there: list[dict[str, Any]] = []
        self.broken: Exception | None = None
        self.lists = 0
        self.changes: asyncio.Queue[tuple[str, dict[str, Any]] | Exception | None] = asyncio.Queue()

    async def list_locks(self) -> tuple[Sequence[dict[str, Any]], str]:
        self.lists += 1
        if self.broken is not None:
            raise self.broken
        return self.there, "10"

    async def watch_locks(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        while (
            change := await self.changes.get()
        ) is not None:  # None: the API server ends the watch, as it does at times
            if isinstance(change, Exception):
                raise change
            yield change


class Watching:
    """A watch and what it told."""

    def __init__(self) -> None:
        self.source, self.store = Source(), Store()
        self.told: list[LocksState] = []
        self.keys: list[Key] = []
        self.complaints: list[Unreadable] = []
        self.watch = LockWatch(
            self.source,
            self.store,
            FakeClock(NOON),
            self.keys.append,
            changed=self.told.append,
            complain=self.complaints.append,
            listed=lambda: None,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        await self.settled()
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self) -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def happens(self, change: tuple[str, dict[str, Any]] | Exception | None) -> None:
        self.source.changes.put_nowait(change)
        await self.settled()

    @property
    def reason(self) -> str:
        return self.store.locks.state.reason


@pytest.fixture
def watching() -> Watching:
    return Watching()


async def test_before_they_are_listed_nobody_knows(watching: Watching) -> None:
    assert (watching.reason, watching.store.locks.state.ok) == ("LocksNotYetListed", False)
    watching.source.there = [lock("one")]
    async with watching.running():
        assert watching.store.locks.state.ok
        assert watching.keys == [LockKey("uid-one")]


async def test_without_the_right_nothing_is_known_until_it_is_there(watching: Watching) -> None:
    watching.source.broken = Forbidden("accesslocks is forbidden")
    async with watching.running():
        assert watching.reason == "LocksNotListed"
        assert "accesslocks is forbidden" in watching.store.locks.state.message
        assert "Nothing is granted until it can" in watching.store.locks.state.message
        watching.source.broken = None
        await asyncio.sleep(3)
        assert watching.reason == "LocksKnown"
    assert [state.ok for state in watching.told] == [False, True]


async def test_a_watch_that_breaks_is_not_trusted_and_what_it_knew_still_holds(watching: Watching) -> None:
    watching.source.there = [lock("one")]
    async with watching.running():
        watching.source.broken = Unavailable("no answer")
        await watching.happens(Unavailable("connection reset"))
        assert watching.reason == "LocksNotListed"
        assert watching.store.locks.get("uid-one") is not None
        await asyncio.sleep(60)
        assert watching.source.lists < 60  # it does not spin
        watching.source.broken, watching.source.there = None, []
        await asyncio.sleep(3)
        assert (watching.reason, watching.store.locks.get("uid-one")) == ("LocksKnown", None)


async def test_watches_that_end_at_once_and_show_nothing_are_none(watching: Watching) -> None:
    """A proxy in trouble may answer so. What was made meanwhile is found by a list, and nothing is asked without a pause."""
    async with watching.running():
        for _ in range(3):
            await watching.happens(None)
        assert watching.reason == "LocksNotListed"
        watching.source.there = [lock("one", 11)]
        await asyncio.sleep(3)
        assert (watching.source.lists, watching.reason) == (2, "LocksKnown")
        assert LockKey("uid-one") in watching.keys


async def test_a_watch_that_ends_in_the_ordinary_way_goes_on(watching: Watching) -> None:
    async with watching.running():
        await watching.happens(None)
        await watching.happens(("ADDED", lock("one", 11)))
        assert watching.source.lists == 1
        assert watching.reason == "LocksKnown"
        assert LockKey("uid-one") in watching.keys
        await watching.happens(("BOOKMARK", {"metadata": {"resourceVersion": "12"}}))
        await watching.happens(("DELETED", lock("one", 13)))
        assert watching.store.locks.get("uid-one") is None


async def test_a_version_that_is_not_kept_is_listed_anew(watching: Watching) -> None:
    async with watching.running():
        watching.source.there = [lock("unseen")]
        await watching.happens(Conflict("too old"))
        await asyncio.sleep(1)
        assert watching.source.lists == 2
        assert watching.store.locks.get("uid-unseen") is not None
    assert [state.reason for state in watching.told] == ["LocksKnown", "LocksNotYetListed", "LocksKnown"]


async def test_after_a_restore_they_are_listed_anew(watching: Watching) -> None:
    watching.source.there = [lock("one", 20)]
    async with watching.running():
        watching.store.start_over()
        watching.source.there = [lock("other", 3)]
        watching.watch.start_over()
        assert not watching.store.locks.state.ok
        await watching.settled()
        assert watching.store.locks.state.ok
        assert {one.metadata.name for one in watching.store.locks.all()} == {"other"}


async def test_a_lock_that_cannot_be_read_keeps_everything_waiting_until_it_is_gone(watching: Watching) -> None:
    async with watching.running():
        await watching.happens(("ADDED", lock("odd", 11, target={"person": ["alice"]})))
        assert watching.reason == "LockUnreadable"
        assert "AccessLock odd" in watching.store.locks.state.message
        assert len(watching.complaints) == 1
        await watching.happens(("DELETED", lock("odd", 12, target=7)))
        assert watching.reason == "LocksKnown"


async def test_what_it_covers_gets_its_turn(watching: Watching) -> None:
    for number, person in enumerate(("alice@example.com", "bob@example.com")):
        watching.store.see_binding(binding(number, person))
    async with watching.running():
        await watching.happens(("ADDED", lock("one", 11)))
        assert RequestKey("r0") in watching.keys
        assert RequestKey("r1") not in watching.keys


async def test_ten_thousand_locks_at_once_cost_one_look_at_each_grant(watching: Watching) -> None:
    for number in range(2000):
        watching.store.see_binding(binding(number, f"person-{number}"))
    looks = 0
    is_locked = watching.store.is_locked

    def counted(*args: Any) -> bool:
        nonlocal looks
        looks += 1
        return is_locked(*args)

    watching.store.is_locked = counted  # type: ignore[method-assign, assignment]
    async with watching.running():
        begun = time.process_time()
        for number in range(10_000):
            watching.source.changes.put_nowait(("ADDED", lock(f"{number}", 11, target={"person": f"person-{number}"})))
        await asyncio.sleep(1)
        assert time.process_time() - begun < 10
    assert {key for key in watching.keys if isinstance(key, RequestKey)} == {RequestKey(f"r{n}") for n in range(2000)}
    assert looks <= 2000 * 20  # of 20,000,000 pairs

"""Which tasks may end, and what becomes of the process when one does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog.testing

from curfew.ports import Unavailable
from curfew.tasks import supervision
from curfew.tasks.supervision import Runs, Supervisor, Task, insist


async def _forever() -> None:
    await asyncio.Event().wait()


async def _nothing() -> None:
    pass


async def _defect() -> None:
    raise KeyError("detail")


def vital(run: Callable[[], Awaitable[None]], name: str = "it") -> Task:
    return Task(name, run, Runs.EVERYWHERE, is_vital=True)


async def test_it_ends_when_it_is_told_to_and_winds_up_while_the_tasks_still_run() -> None:
    supervisor, seen = Supervisor(), []
    ended = asyncio.Event()

    async def writer() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def wind_up() -> None:
        seen.append(ended.is_set())

    async with asyncio.timeout(10):
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.run([vital(writer)], wind_up))
            await asyncio.sleep(0)
            supervisor.stop.set()
    assert seen == [False]
    assert ended.is_set()


async def test_a_vital_task_that_fails_stops_the_process_in_order() -> None:
    wound_up = asyncio.Event()

    async def wind_up() -> None:
        wound_up.set()

    async with asyncio.timeout(10):
        with pytest.raises(KeyError, match="detail"):
            await Supervisor().run([vital(_defect), vital(_forever, "other")], wind_up)
    assert wound_up.is_set()


async def test_a_vital_task_that_just_ends_stops_the_process_as_well() -> None:
    async with asyncio.timeout(10):
        with pytest.raises(RuntimeError, match="the task 'survey' ended, and nothing else does its work"):
            await Supervisor().run([vital(_nothing, "survey")], _nothing)


async def test_what_fails_while_stopping_is_logged_and_hides_nothing() -> None:
    supervisor = Supervisor()

    async def fails_late() -> None:
        await supervisor.stop.wait()
        raise KeyError("late")

    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(10):
            with pytest.raises(RuntimeError, match="'first'"):
                await supervisor.run([vital(_nothing, "first"), vital(fails_late, "second")], _nothing)
    assert [(line["event"], line["task"]) for line in logs] == [("task failed while stopping", "second")]


async def test_any_other_task_begins_again_and_each_failure_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that closes the stories of deleted requests once died without a word."""
    monkeypatch.setattr(supervision, "AGAIN_SECONDS", 0.0)
    told: list[str] = []
    supervisor, tries = Supervisor(told.append), 0

    async def fails_twice() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise KeyError("detail")
        assert supervisor.ended == {}
        supervisor.stop.set()
        await asyncio.Event().wait()

    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(10):
            await supervisor.run([Task("stories", fails_twice, Runs.ON_THE_LEADER)], _nothing)
    assert [(line["event"], line["task"]) for line in logs] == [("task failed", "stories")] * 2
    assert told == ["stories"] * 2


async def test_a_task_that_a_defect_has_ended_shows_until_it_begins_again() -> None:
    failed = asyncio.Event()
    supervisor = Supervisor(lambda task: failed.set())

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [Task("bindings", _defect, Runs.EVERYWHERE), Task("other", _forever, Runs.EVERYWHERE)]
        group.create_task(supervisor.run(tasks, _nothing))
        await failed.wait()
        assert supervisor.ended == {"bindings": "A defect has ended it (KeyError); it begins again soon."}
        supervisor.stop.set()


async def test_insisting_goes_on_after_trouble_and_after_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "AGAIN_SECONDS", 0.0)
    outcomes: list[Exception | str] = [Unavailable("no answer"), KeyError("detail"), "done"]

    async def act() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(10):
            assert await insist("list what there is", act) == "done"
    assert [line["event"] for line in logs] == ["cannot do it yet", "task failed"]


class Elected:
    """A leadership that a test gives and takes."""

    def __init__(self) -> None:
        self.wins = asyncio.Event()
        self.lost = asyncio.Event()
        self.told: list[str] = []

    async def won(self) -> asyncio.Event:
        """Return when the test says so."""
        await self.wins.wait()
        return self.lost

    def began(self) -> None:
        """Note it."""
        self.told.append("began")

    def ended(self) -> None:
        """Note it."""
        self.told.append("ended")


async def test_tasks_of_the_leader_run_while_it_leads_and_the_process_goes_on() -> None:
    supervisor, elected = Supervisor(), Elected()
    running: set[str] = set()
    changed = asyncio.Event()

    def task(name: str, runs: Runs) -> Task:
        async def run() -> None:
            running.add(name)
            changed.set()
            try:
                await asyncio.Event().wait()
            finally:
                running.discard(name)
                elected.told.append(f"{name} stopped")
                changed.set()

        return Task(name, run, runs, is_vital=True)

    async def until(*names: str) -> None:
        while running != set(names):
            changed.clear()
            await changed.wait()

    tasks = [task("watch", Runs.EVERYWHERE), task("trail", Runs.ON_THE_LEADER), task("reading", Runs.STANDING_BY)]
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(supervisor.run(tasks, _nothing, elected))
        await until("watch", "reading")
        for _ in range(2):
            elected.told.clear()
            elected.wins.set()
            await until("watch", "trail")
            assert elected.told == ["reading stopped", "began"]
            elected.wins.clear()
            lost, elected.lost = elected.lost, asyncio.Event()
            lost.set()
            await until("watch", "reading")
            assert elected.told[2:] == ["trail stopped", "ended"]
        supervisor.stop.set()


async def test_a_vital_task_of_the_leader_that_fails_stops_the_process() -> None:
    elected = Elected()
    elected.wins.set()
    failing = Task("trail", _defect, Runs.ON_THE_LEADER, is_vital=True)
    async with asyncio.timeout(10):
        with pytest.raises(KeyError, match="detail"):
            await Supervisor().run([failing], _nothing, elected)
    assert elected.told == ["began", "ended"]

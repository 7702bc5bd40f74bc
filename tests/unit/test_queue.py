"""The work queue: one turn at a time for each key, another when there is news, and each at its instant."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

import pytest

from curfew.core.keys import Key, RequestKey
from curfew.processes.operator.queue import PATIENCE, RESOLUTION, WorkQueue
from curfew.processes.operator.turns import AT_ONCE, EACH, Place
from tests.support.builders import NOON
from tests.support.world import FakeClock

pytestmark = pytest.mark.looptime(start=0)


class LoopClock:
    """A wall clock that goes with the loop's fake time, and can be set forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the instant."""
        return NOON + timedelta(seconds=asyncio.get_running_loop().time()) + self.ahead


class Worker:
    """Remembers its turns."""

    def __init__(self) -> None:
        self.turns: list[tuple[str, float]] = []
        self.answers: list[datetime | Exception | None] = []
        self.takes = 0.0
        self.errors: list[tuple[Key, Exception, timedelta]] = []
        self.places: dict[Key, Place] = {}

    async def __call__(self, key: Key) -> datetime | None:
        """Take a turn."""
        self.turns.append((str(key), asyncio.get_running_loop().time()))
        answer = self.answers.pop(0) if self.answers else None
        if self.takes:
            await asyncio.sleep(self.takes)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def place(self, key: Key) -> Place:
        """Say where a key waits: in a line named by what stands before the slash, unless said otherwise."""
        return self.places.get(key, Place(str(key).partition("/")[0]))

    def failed(self, key: Key, error: Exception, delay: timedelta) -> None:
        """Hear of a failure."""
        self.errors.append((key, error, delay))


def a_queue(worker: Worker, clock: LoopClock | FakeClock | None = None) -> WorkQueue:
    """Return a queue that gives turns to a worker."""
    return WorkQueue(worker, clock or LoopClock(), place=worker.place, on_error=worker.failed)


async def test_news_during_a_turn_means_one_more_turn() -> None:
    """However much news there is: one more, after the present one."""
    worker = Worker()
    worker.takes = 1.0
    queue = a_queue(worker)

    queue.add(RequestKey("a"))
    await asyncio.sleep(0.5)
    queue.add(RequestKey("a"))
    queue.add(RequestKey("a"))
    await asyncio.sleep(5)

    assert worker.turns == [("a", 0.0), ("a", 1.0)]
    await queue.close()


async def test_keys_do_not_wait_for_each_other() -> None:
    """A slow key stops nobody else."""
    worker = Worker()
    worker.takes = 10.0
    queue = a_queue(worker)

    queue.add(RequestKey("slow"))
    queue.add(RequestKey("other"))
    await asyncio.sleep(0.1)

    assert {key for key, _ in worker.turns} == {"slow", "other"}
    await queue.close()


async def test_an_end_waits_half_a_second_for_a_turn_of_its_own_key_that_gets_no_answer() -> None:
    """The call may be lost, and its time limit is longer than an end may be late (promise P1)."""
    worker, key, end = Worker(), RequestKey("a"), NOON + timedelta(seconds=2)
    queue = WorkQueue(worker, LoopClock(), place=worker.place, on_error=worker.failed, due=lambda _: end)
    worker.takes = 10.0
    queue.add(key)
    await asyncio.sleep(1)
    worker.places[key] = Place("alice", until=end)
    queue.add(key)  # its binding was seen
    await asyncio.sleep(0.5)
    worker.places[key], worker.takes = Place(None), 0.01
    await asyncio.sleep(5)

    assert worker.turns == [("a", 0.0), ("a", pytest.approx(2 + PATIENCE))]
    assert worker.errors == []
    await queue.close()


async def test_a_turn_that_ends_access_is_not_broken_off_by_news() -> None:
    worker, key = Worker(), RequestKey("a")
    queue = WorkQueue(worker, LoopClock(), place=worker.place, on_error=worker.failed, due=lambda _: NOON)
    worker.places[key], worker.takes = Place(None), 3.0
    queue.add(key)
    await asyncio.sleep(1)
    queue.add(key)
    await asyncio.sleep(9)

    assert worker.turns == [("a", 0.0), ("a", 3.0)]
    await queue.close()


async def test_a_key_gets_its_turn_at_its_instant() -> None:
    """Within the loop's own resolution, however far away it was."""
    worker = Worker()
    worker.answers = [NOON + timedelta(seconds=3600)]
    queue = a_queue(worker)

    queue.add(RequestKey("a"))
    await asyncio.sleep(3601)

    assert [key for key, _ in worker.turns] == ["a", "a"]
    assert worker.turns[1][1] == pytest.approx(3600, abs=0.01)
    await queue.close()


async def test_a_clock_set_forward_is_noticed() -> None:
    """An end is not late because the wall clock moved (promise P1)."""
    worker, clock = Worker(), LoopClock()
    worker.answers = [NOON + timedelta(seconds=3600)]
    queue = a_queue(worker, clock)

    queue.add(RequestKey("a"))
    await asyncio.sleep(1)
    clock.ahead = timedelta(hours=1)
    await asyncio.sleep(RESOLUTION + 0.01)

    assert [key for key, _ in worker.turns] == ["a", "a"]
    await queue.close()


async def test_a_failure_is_told_and_tried_again_with_growing_delay() -> None:
    """Nothing is lost by an error, and nothing is hammered."""
    worker = Worker()
    worker.answers = [RuntimeError("no"), RuntimeError("no"), RuntimeError("no")]
    queue = a_queue(worker)

    queue.add(RequestKey("a"))
    await asyncio.sleep(10)

    assert len(worker.turns) == 4
    delays = [delay.total_seconds() for _, _, delay in worker.errors]
    assert all(0.025 * 2**n <= delay <= 0.05 * 2**n for n, delay in enumerate(delays))
    await queue.close()


async def test_only_the_last_named_instant_counts() -> None:
    """An end that moved earlier is not also looked at later."""
    worker = Worker()
    queue = a_queue(worker)

    queue.wake_at(RequestKey("a"), NOON + timedelta(seconds=10))
    queue.wake_at(RequestKey("a"), NOON + timedelta(seconds=5))
    await asyncio.sleep(20)

    assert [round(at) for _, at in worker.turns] == [5]
    await queue.close()


async def test_a_flood_of_one_person_is_that_persons_alone() -> None:
    """Whoever asks after a thousand requests of somebody else is served at once."""
    worker = Worker()
    worker.takes = 1.0
    queue = a_queue(worker)
    for number in range(1000):
        queue.add(RequestKey(f"mallory/{number}"))
    await asyncio.sleep(0.5)

    queue.add(RequestKey("alice/1"))
    await asyncio.sleep(0)

    assert ("alice/1", 0.5) in worker.turns
    assert queue.waiting == 1000 - EACH
    await asyncio.sleep(1000 / EACH + 1)
    assert len(worker.turns) == 1001
    assert queue.waiting == 0
    await queue.close()


async def test_people_take_turns() -> None:
    """However long their lines are: the next turn is of the person who waited longest for one."""
    worker = Worker()
    worker.takes = 1.0
    queue = a_queue(worker)
    people = [f"person-{number}" for number in range(2 * AT_ONCE)]
    for number in range(AT_ONCE):
        queue.add(RequestKey(f"{number // EACH}/{number}"))  # nobody's turn comes before all wait
    for person in people:
        for number in range(3):
            queue.add(RequestKey(f"{person}/{number}"))

    await asyncio.sleep(2.5)

    assert Counter(key.partition("/")[0] for key, at in worker.turns if at > 0) == dict.fromkeys(people, 1)
    await queue.close()


async def test_what_ends_access_waits_in_no_line() -> None:
    """Not if it was so from the start, not if it is news, and not if its time comes in the line (promise P3)."""
    worker = Worker()
    worker.takes = 100.0
    queue = a_queue(worker)
    worker.places[RequestKey("at its time")] = Place("mallory", until=NOON + timedelta(seconds=7))
    for key in (*(f"mallory/{number}" for number in range(1000)), "at its time", "mallory/ends"):
        queue.add(RequestKey(key))
    await asyncio.sleep(5)

    worker.places[RequestKey("mallory/ends")] = Place(None)
    queue.add(RequestKey("mallory/ends"))
    await asyncio.sleep(1)
    worker.places[RequestKey("at its time")] = Place(None)
    await asyncio.sleep(5)

    assert ("mallory/ends", 5.0) in worker.turns
    assert [round(at, 1) for key, at in worker.turns if key == "at its time"] == [7.0]
    assert sum(at == 0 for _, at in worker.turns) == EACH
    await queue.close()


async def test_a_key_with_news_goes_to_the_end_of_its_line() -> None:
    """One object that changes all the time does not keep a turn for itself."""
    worker = Worker()
    worker.takes = 1.0
    queue = a_queue(worker)
    for number in range(EACH + 1):
        queue.add(RequestKey(f"alice/{number}"))
    await asyncio.sleep(0.5)
    queue.add(RequestKey("alice/0"))

    await asyncio.sleep(5)

    assert [key for key, at in worker.turns if at >= 1] == [f"alice/{EACH}", "alice/0"]
    await queue.close()


async def test_a_closed_queue_takes_no_more() -> None:
    """After closing, nothing runs."""
    worker = Worker()
    queue = a_queue(worker)
    await queue.close()

    queue.add(RequestKey("a"))
    await asyncio.sleep(1)

    assert worker.turns == []


async def test_what_fails_is_tried_again_in_time_for_its_end() -> None:
    """Long lie between two tries of what goes on failing; an end that is due sooner is not late for it (promise P1)."""
    worker = Worker()
    worker.answers = [RuntimeError("not today")]
    end = NOON + timedelta(seconds=5)
    queue = WorkQueue(
        worker,
        LoopClock(),
        place=worker.place,
        on_error=worker.failed,
        due=lambda _: end,
        first_delay=60,
        last_delay=60,
    )

    queue.add(RequestKey("inc-1"))
    await asyncio.sleep(20)

    assert worker.turns == [("inc-1", 0.0), ("inc-1", pytest.approx(5, abs=0.01))]
    await queue.close()

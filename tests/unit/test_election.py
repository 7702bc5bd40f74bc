"""Who leads: never two at a time by their own clocks, one again soon after a death, and at once after a goodbye."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from curfew.ports import Lease, Unavailable
from curfew.processes.operator.election import Election
from tests.support.leases import FakeLeases
from tests.support.trail import START, LoopClock

pytestmark = pytest.mark.looptime(start=0)

PLACE = ("curfew-system", "curfew")


@dataclass
class Heard:
    """Notes what the election reports."""

    told: list[tuple[str, str]] = field(default_factory=list)

    def won(self, before: str) -> None:
        """Note a victory."""
        self.told.append(("won", before))

    def regained(self) -> None:
        """Note that it leads again."""
        self.told.append(("regained", ""))

    def lost(self, now: str) -> None:
        """Note a defeat."""
        self.told.append(("lost", now))


class Replica:
    """One candidate, and what it reported."""

    def __init__(self, leases: FakeLeases, me: str) -> None:
        self.heard = Heard()
        self.election = Election(
            leases, LoopClock(), self.heard, namespace=PLACE[0], name=PLACE[1], me=me, jitter=lambda: 1.0
        )
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Stand for election."""
        self.task = asyncio.create_task(self.election.run())

    def die(self) -> None:
        """Do nothing any more, without a goodbye."""
        assert self.task is not None
        self.task.cancel()


@asynccontextmanager
async def replicas(leases: FakeLeases, *names: str) -> AsyncIterator[list[Replica]]:
    """Start candidates, a moment apart from each other, and end them."""
    made = [Replica(leases, name) for name in names]
    try:
        for each in made:
            each.start()
            await asyncio.sleep(0.01)
        yield made
    finally:
        for each in made:
            each.die()


async def when(is_so: Callable[[], bool], within: float = 60.0) -> float:
    """Wait until something is so, and return after how many seconds it was."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not is_so():
        assert loop.time() - began < within
        await asyncio.sleep(0.05)
    return loop.time() - began


async def test_the_first_leads_at_once_and_the_second_waits() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a", "b") as (a, b):
        assert (a.election.leads, b.election.leads) == (True, False)
        await asyncio.sleep(30)
        assert (a.election.leads, b.election.leads) == (True, False)
        assert (a.election.holder, b.election.holder) == ("a", "a")
        assert b.election.is_held
    assert leases.stored[PLACE].transitions == 0


async def test_the_second_leads_within_seven_seconds_of_the_first_one_s_death_and_not_before_the_first_one_s_end() -> (
    None
):
    async with replicas(FakeLeases(), "a", "b") as (a, b):
        await asyncio.sleep(7.3)
        a.die()
        after = await when(lambda: not a.election.leads)
        assert not b.election.leads
        after += await when(lambda: b.election.leads)
        assert 3 < after < 7
        assert b.heard.told == [("won", "a")]


async def test_the_second_leads_at_once_when_the_first_gives_up() -> None:
    async with replicas(FakeLeases(), "a", "b") as (a, b):
        await asyncio.sleep(3)
        await a.election.give_up()
        assert not a.election.leads
        assert await when(lambda: b.election.leads) < 1.1
        assert (await b.election.won()).is_set() is False
        await asyncio.sleep(20)
        assert not a.election.leads, "a replica that gave up is not elected again"


async def test_a_lease_without_a_holder_is_taken_at_once() -> None:
    leases = FakeLeases()
    leases.stored[PLACE] = Lease("", timedelta(0), version="7", uid="u")  # as the chart makes it
    async with replicas(leases, "a") as (a,):
        assert a.election.leads


async def test_the_next_process_of_the_same_pod_leads_at_once() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a") as (first,):
        assert first.election.leads
    async with replicas(leases, "a") as (second,):
        assert second.election.leads


async def test_two_processes_of_one_name_do_not_take_the_lease_from_each_other_for_ever() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a", "a") as (first, second):
        await asyncio.sleep(2)
        assert (first.election.leads, second.election.leads) == (False, True)
        assert first.heard.told == [("won", ""), ("lost", "a")]
        await asyncio.sleep(30)
        assert (first.election.leads, second.election.leads) == (False, True)
    assert [told for told, _ in second.heard.told] == ["won"]


async def test_a_replica_that_stood_still_does_not_lead_when_it_wakes() -> None:
    """Its clock has run on. Nothing needs to happen first: it asks before it acts."""
    leases, stood = FakeLeases(), 0.0

    class Woken(LoopClock):
        def monotonic(self) -> float:
            return super().monotonic() + stood

    heard = Heard()
    election = Election(leases, Woken(), heard, namespace=PLACE[0], name=PLACE[1], me="a")
    task = asyncio.create_task(election.run())
    await when(lambda: election.leads)
    stood = 3.0
    assert not election.leads
    task.cancel()


async def test_a_leader_that_cannot_renew_leads_no_more_after_three_seconds_and_again_when_it_can() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a") as (a,):
        lost = await a.election.won()
        leases.trouble = Unavailable("no answer")
        assert 1.9 < await when(lambda: not a.election.leads) < 3.1
        await asyncio.sleep(30)
        assert not lost.is_set(), "nobody else has it, as far as is known"
        leases.trouble = None
        await when(lambda: a.election.leads)
        assert not lost.is_set()
        assert a.heard.told == [("won", ""), ("regained", "")]


async def test_a_leader_counts_from_the_moment_that_it_asked() -> None:
    leases = FakeLeases(answers_after=1.5)
    async with replicas(leases, "a") as (a,):
        await when(lambda: a.election.leads)
        leases.trouble = Unavailable("no answer")
        assert await when(lambda: not a.election.leads) < 1.6


async def test_a_lost_answer_is_no_lost_lease() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a", "b") as (a, b):
        leases.loses_answers = True
        await asyncio.sleep(1.2)
        leases.loses_answers = False
        await when(lambda: a.election.leads)
        assert [told for told, _ in a.heard.told] == ["won"]
        assert not b.election.leads


async def test_a_deposed_leader_learns_who_leads() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a") as (a,):
        lost = await a.election.won()
        leases.stored[PLACE] = replace(leases.stored[PLACE], holder="b", acquired=START, version="99")
        async with asyncio.timeout(2):
            await lost.wait()
        assert not a.election.leads
        assert a.election.holder == "b"
        assert a.heard.told == [("won", ""), ("lost", "b")]


async def test_a_lease_that_is_deleted_is_not_taken_while_its_holder_may_lead() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a", "b") as (a, b):
        await asyncio.sleep(2)
        a.die()
        del leases.stored[PLACE]
        await when(lambda: b.election.leads)
        assert not a.election.leads


async def test_a_lease_that_somebody_deletes_is_made_again() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a") as (a,):
        del leases.stored[PLACE]
        await when(lambda: [told for told, _ in a.heard.told] == ["won", "lost", "won"])
        assert PLACE in leases.stored


async def test_a_lease_that_states_ten_years_is_taken_after_a_minute() -> None:
    leases = FakeLeases()
    leases.stored[PLACE] = Lease("a stranger", timedelta(days=3650), version="7", uid="u")
    async with replicas(leases, "a") as (a,):
        assert 59 < await when(lambda: a.election.leads, within=100) < 62


async def test_of_many_candidates_one_leads_at_a_time_and_each_in_its_turn() -> None:
    async with replicas(FakeLeases(), *"abcdefgh") as waiting:
        rest = list(waiting)
        while rest:
            await when(lambda: any(each.election.leads for each in rest))
            (leader,) = (each for each in rest if each.election.leads)
            await asyncio.sleep(3.7)
            assert [each for each in rest if each.election.leads] == [leader]
            leader.die()
            await when(lambda: not leader.election.leads)  # noqa: B023  it is called before the next turn
            rest.remove(leader)


async def test_a_defect_does_not_end_the_election() -> None:
    leases = FakeLeases(trouble=KeyError("spec"))
    async with replicas(leases, "a") as (a,):
        await asyncio.sleep(3)
        leases.trouble = None
        await when(lambda: a.election.leads)


async def test_a_candidate_that_gives_up_before_it_leads_leaves_the_lease_alone() -> None:
    leases = FakeLeases()
    async with replicas(leases, "a", "b") as (_, b):
        await b.election.give_up()
        await asyncio.sleep(2)
        assert leases.stored[PLACE].holder == "a"

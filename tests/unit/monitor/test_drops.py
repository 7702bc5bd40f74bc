"""What API servers themselves count as lost makes a hole in the coverage."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from curfew.ports import ClusterError, DroppedEvents, Forbidden, Unavailable
from curfew.processes.monitor.drops import Drops
from curfew.processes.monitor.feed import GIVE_UP
from tests.support.builders import NOON
from tests.support.world import FakeClock


class Servers:
    """Answers in turn."""

    def __init__(self, *answers: DroppedEvents | ClusterError) -> None:
        self.answers = list(answers)

    async def dropped_events(self) -> DroppedEvents:
        """Answer."""
        answer = self.answers.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    async def api_servers(self) -> Mapping[str, str]:
        """Nobody asks."""
        raise NotImplementedError

    async def canary(self, class_: str, audit_id: str) -> None:
        """Nobody asks."""
        raise NotImplementedError

    async def write_activity(self, namespace: str, name: str, uid: str, activity: Mapping[str, Any]) -> None:
        """Nobody writes."""
        raise NotImplementedError


async def looked(*answers: DroppedEvents | ClusterError) -> list[tuple[datetime, datetime, str]]:
    """Return the holes after a look each minute."""
    holes: list[tuple[datetime, datetime, str]] = []
    clock = FakeClock(NOON)
    drops = Drops(Servers(*answers), clock, lambda *hole: holes.append(hole))
    for _ in answers:
        await drops.look()
        clock.advance(minutes=1)
    return holes


async def test_what_was_lost_before_the_first_look_is_not_ours_to_judge() -> None:
    assert await looked(DroppedEvents("1", 7), DroppedEvents("1", 7)) == []


async def test_more_lost_events_make_a_hole_that_begins_before_the_last_look() -> None:
    (hole,) = await looked(DroppedEvents("1", 7), DroppedEvents("1", 9), DroppedEvents("1", 9))
    assert hole == (NOON - GIVE_UP, NOON + timedelta(minutes=1), "an API server has lost 2 audit events")


async def test_each_server_has_its_own_count() -> None:
    assert await looked(DroppedEvents("1", 7), DroppedEvents("2", 9), DroppedEvents("1", 7)) == []
    (hole,) = await looked(DroppedEvents("1", 7), DroppedEvents("2", 9), DroppedEvents("1", 8))
    assert hole[0] == NOON - GIVE_UP


async def test_a_count_that_cannot_be_read_is_no_hole() -> None:
    (hole,) = await looked(DroppedEvents("1", 7), Unavailable("no answer"), DroppedEvents("1", 8))
    assert hole[:2] == (NOON - GIVE_UP, NOON + timedelta(minutes=2))


async def test_whoever_may_not_read_the_count_asks_again_after_ten_minutes() -> None:
    servers = Servers(DroppedEvents("1", 7), Forbidden("no"), DroppedEvents("1", 8))
    holes: list[tuple[datetime, datetime, str]] = []
    clock = FakeClock(NOON)
    drops = Drops(servers, clock, lambda *hole: holes.append(hole))
    for _ in range(11):
        await drops.look()
        clock.advance(minutes=1)
    assert (len(servers.answers), holes) == (1, [])

    await drops.look()

    assert [hole[:2] for hole in holes] == [(NOON - GIVE_UP, NOON + timedelta(minutes=11))]


async def test_an_api_server_that_was_started_meanwhile_makes_a_hole_before_its_lease_tells_of_it() -> None:
    """Its process before may have died with events that it had not sent."""
    started = (NOON + timedelta(seconds=90)).timestamp()
    restarted = DroppedEvents(str(started), 0)
    (hole,) = await looked(DroppedEvents(str(NOON.timestamp() - 900), 0), DroppedEvents("1", 0), restarted, restarted)
    assert hole == (
        NOON + timedelta(seconds=90) - GIVE_UP,
        NOON + timedelta(minutes=2),
        "an API server was started again; it may have lost events",
    )


async def test_one_that_was_there_all_the_time_and_answers_late_makes_no_hole() -> None:
    earlier = str(NOON.timestamp() - 900)
    assert await looked(DroppedEvents("1", 0), DroppedEvents(earlier, 0), DroppedEvents("rubbish", 0)) == []

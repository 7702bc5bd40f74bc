"""Test calls show that the feed is whole: all of them arrive, from all API servers, or the coverage has a hole."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from curfew.audit.record import Record
from curfew.core.activity.canary_calls import CanaryClass
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, DroppedEvents, Forbidden, Unavailable
from curfew.processes.monitor.canaries import Canaries
from curfew.processes.monitor.feed import GIVE_UP, Feed
from tests.support.activity import a_call
from tests.support.builders import NOON
from tests.support.trail import LoopClock

pytestmark = pytest.mark.looptime

SYSTEM = "curfew-system"
EVERY = timedelta(seconds=60)

SHAPES = {
    CanaryClass.GET: ("get", "leases/curfew-monitor", 200),
    CanaryClass.LIST_SECRETS: ("list", "secrets", 200),
    CanaryClass.UPDATE: ("update", "leases/curfew-monitor", 422),
    CanaryClass.REFUSED: ("get", "configmaps/curfew-monitor-refused", 403),
}


class Cluster:
    """An API server that answers test calls, and a feed that carries what the test lets it."""

    def __init__(self, servers: int = 1) -> None:
        self.servers = servers
        self.made: list[tuple[CanaryClass, str]] = []
        self.silent: set[CanaryClass] = set()  # classes that the audit policy leaves out
        self.is_away = False
        self.cannot_count = False
        self.starts = 1
        self.sources = ["node-1"]
        self.delay = 0.1
        self.canaries: Canaries | None = None
        self.feed: Feed | None = None
        self.clock = LoopClock(NOON)

    async def canary(self, class_: CanaryClass, audit_id: str) -> None:
        """Answer, and let the event arrive."""
        if self.is_away:
            raise Unavailable("no answer")
        self.made.append((class_, audit_id))
        if class_ not in self.silent:
            asyncio.get_running_loop().call_later(self.delay, self.arrives, class_, audit_id, self.clock.now())

    def arrives(self, class_: CanaryClass, audit_id: str, at: datetime, **changes: Any) -> bool:
        """Let the event of a test call arrive, as the sink would hand it over."""
        assert self.canaries is not None
        assert self.feed is not None
        verb, what, code = SHAPES[class_]
        call = a_call(verb, what, **{"audit_id": audit_id, "code": code, "namespace": SYSTEM, "at": at, **changes})
        for source in self.sources:
            self.feed.heard(source, call.at)
        return self.canaries.take(call)

    async def api_servers(self) -> Mapping[str, str]:
        """Return who there is."""
        if self.is_away:
            raise Unavailable("no answer")
        if self.cannot_count:
            raise Forbidden("no right to list leases")
        return {f"apiserver-{number}": f"{number}_{self.starts}" for number in range(self.servers)}

    async def dropped_events(self) -> DroppedEvents:
        """Nobody asks."""
        raise NotImplementedError

    async def write_activity(self, namespace: str, name: str, uid: str, activity: Mapping[str, Any]) -> None:
        """Nobody writes."""
        raise NotImplementedError


class Here:
    """Canaries, and what they say."""

    def __init__(self, cluster: Cluster, servers: int | Literal["Leases"] = "Leases") -> None:
        self.cluster = cluster
        self.clock = cluster.clock
        self.records: list[Record] = []
        self.holes: list[tuple[datetime, datetime, str]] = []
        self.took: list[float] = []
        self.looked_at: list[datetime] = []
        self.look_seconds = 0.0
        self.feed = Feed(self.clock, self._lost)
        self.canaries = Canaries(
            cluster,
            self.feed,
            self.clock,
            log="main-activity",
            namespace=SYSTEM,
            every=EVERY,
            servers=servers,
            submit=self.records.append,
            lost=self._lost,
            look_for_drops=self._look_for_drops,
            arrived=self.took.append,
            changed=lambda: None,
        )
        cluster.canaries, cluster.feed = self.canaries, self.feed

    async def _look_for_drops(self) -> None:
        await asyncio.sleep(self.look_seconds)
        self.looked_at.append(self.clock.now())

    def _lost(self, since: datetime, at: datetime, why: str) -> None:
        self.holes.append((since, at, why))

    @property
    def coverage(self) -> Coverage:
        """What follows from the records."""
        known = Coverage()
        for record in self.records:
            known.learn(record)
        return known

    async def run(self, seconds: float) -> None:
        """Let rounds be made for so long."""
        task = asyncio.create_task(self.canaries.run())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def test_while_the_api_servers_cannot_be_counted_nothing_is_confirmed() -> None:
    """The right to list their leases may be taken away, and another API server may come that nobody hears."""
    cluster = Cluster()
    here = Here(cluster)
    await here.run(65)
    cluster.cannot_count = True
    await here.run(600)
    assert here.coverage.holes(at(65), at(300)) != ()
    assert [why for _, _, why in here.holes] == ["it is not known how many API servers there are"]


async def test_rounds_that_arrive_cover_the_time_between_them() -> None:
    here = Here(Cluster())
    await here.run(125)
    assert here.coverage.holes(at(1), at(119)) == ()
    assert here.coverage.holes(at(1), at(121)) != ()
    assert here.canaries.trouble == ""
    assert here.holes == []
    detail = here.records[-1].block["detail"]
    assert (detail["servers"], detail["sources"]) == (1, ["node-1"])
    assert set(detail["classes"]) == {"Get", "ListSecrets", "Update", "Refused"}
    assert max(here.took) < 1


async def test_the_first_round_covers_nothing_before_it() -> None:
    here = Here(Cluster())
    await here.run(5)
    assert here.records == []
    assert here.canaries.trouble == ""


async def test_nothing_is_confirmed_before_the_api_servers_count_of_lost_events_was_looked_at() -> None:
    """Else the answer for a session that has just ended would be No until somebody looks."""
    here = Here(Cluster())
    here.look_seconds = 20
    task = asyncio.create_task(here.run(85))
    await asyncio.sleep(75)
    assert here.looked_at == [at(20)]
    assert here.records == []

    await task
    assert here.looked_at == [at(20), at(80)]
    assert here.coverage.holes(at(21), at(59)) == ()


async def test_somebody_who_waits_gets_a_round_at_once() -> None:
    here = Here(Cluster())
    task = asyncio.create_task(here.run(30))
    await asyncio.sleep(10)
    here.canaries.want_round()
    await asyncio.sleep(2)
    assert here.coverage.holes(at(1), at(9.9)) == ()
    await task


async def test_however_many_wait_there_is_one_round_in_a_second() -> None:
    here = Here(Cluster())
    task = asyncio.create_task(here.run(10.5))
    while not task.done():
        here.canaries.want_round()
        await asyncio.sleep(0.01)
    assert len(here.cluster.made) <= 4 * 12


@pytest.mark.parametrize("class_", CanaryClass)
async def test_a_policy_that_leaves_out_a_class_shows_up(class_: CanaryClass) -> None:
    here = Here(Cluster())
    here.cluster.silent = {class_}
    await here.run(GIVE_UP.total_seconds() + 65)
    assert here.coverage.holes(at(1), at(2)) != ()
    assert here.holes
    assert f"no audit event arrived of the test call {class_}" in here.holes[0][2]
    assert class_ in here.canaries.trouble


async def test_a_feed_that_falls_silent_gets_a_hole_and_is_whole_again_only_from_then_on() -> None:
    here = Here(Cluster())
    task = asyncio.create_task(here.run(1000))
    await asyncio.sleep(90)
    here.cluster.silent = set(CanaryClass)
    await asyncio.sleep(60)
    here.cluster.silent = set()
    await task
    assert here.coverage.holes(at(1), at(59)) == ()
    assert here.coverage.holes(at(61), at(119)) != ()
    assert here.coverage.holes(at(121), at(179)) != ()
    assert here.coverage.holes(at(185), at(950)) == ()
    (hole,) = here.holes
    assert hole[0] == at(60)


async def test_a_feed_that_is_late_covers_everything_when_it_comes() -> None:
    here = Here(Cluster())
    here.cluster.delay = 200
    await here.run(400)
    assert here.holes == []
    assert here.coverage.holes(at(1), at(119)) == ()
    assert here.coverage.holes(at(121), at(239)) != ()
    assert "is behind" in here.canaries.trouble


async def test_as_many_api_servers_as_hold_a_lease_have_to_be_heard() -> None:
    here = Here(Cluster(servers=3))
    here.cluster.sources = ["node-1", "node-2"]
    await here.run(130)
    assert here.records == []
    assert "2 of 3 API servers were heard" in here.canaries.trouble
    here.cluster.sources.append("node-3")
    await here.run(130)
    assert here.records


async def test_the_number_of_api_servers_can_be_set() -> None:
    here = Here(Cluster(servers=0), servers=1)
    await here.run(65)
    assert here.records
    assert here.coverage.holes(at(1), at(59)) == ()


async def test_without_a_known_number_of_api_servers_nothing_is_covered() -> None:
    here = Here(Cluster(servers=0))
    await here.run(65)
    assert here.records == []
    assert "it is not known how many API servers there are" in here.canaries.trouble


async def test_an_api_server_that_does_not_answer_covers_nothing() -> None:
    here = Here(Cluster())
    here.cluster.is_away = True
    await here.run(GIVE_UP.total_seconds() + 65)
    assert here.records == []
    assert here.holes


async def test_while_a_batch_is_to_come_again_nothing_is_confirmed() -> None:
    here = Here(Cluster())
    batch = Batch("node-1", Form.KUBERNETES, b"{}", is_lines=False)
    task = asyncio.create_task(here.run(100))
    await asyncio.sleep(30)
    here.feed.refused(batch)
    await asyncio.sleep(40)
    assert here.records == []
    here.feed.taken(batch)
    await task
    assert here.coverage.holes(at(1), at(59)) == ()


async def test_while_a_batch_that_arrived_earlier_is_not_recorded_nothing_is_confirmed() -> None:
    """Batches come side by side, so the test calls of a round may be taken before calls that came before them."""
    here = Here(Cluster())
    task = asyncio.create_task(here.run(100))
    await asyncio.sleep(59)
    with here.feed.in_hand():
        await asyncio.sleep(11)
        assert here.records == []
        with here.feed.in_hand():  # what arrives after the round holds up nothing
            pass
    await task
    assert here.coverage.holes(at(1), at(59)) == ()


async def test_what_arrives_after_a_round_does_not_hold_it_up() -> None:
    here = Here(Cluster())
    task = asyncio.create_task(here.run(75))
    await asyncio.sleep(60.15)
    with here.feed.in_hand():
        await asyncio.sleep(10)
        assert here.coverage.holes(at(1), at(59)) == ()
    await task


async def test_an_older_batch_has_as_long_to_arrive_as_the_round_took() -> None:
    here = Here(Cluster())
    here.cluster.delay = 1.5
    task = asyncio.create_task(here.run(70))
    await asyncio.sleep(62.9)
    assert here.records == []
    await task
    assert here.coverage.holes(at(1), at(59)) == ()


async def test_a_call_that_only_bears_the_audit_id_is_not_ours() -> None:
    here = Here(Cluster())
    here.cluster.silent = set(CanaryClass)
    task = asyncio.create_task(here.run(10))
    await asyncio.sleep(1)
    class_, audit_id = here.cluster.made[0]
    assert not here.cluster.arrives(class_, audit_id, at(0), namespace="payments")
    assert not here.cluster.arrives(class_, audit_id, at(0), resource="pods")
    assert here.cluster.arrives(class_, audit_id, at(0))
    assert not here.cluster.arrives(class_, audit_id, at(0))
    await task


async def test_a_call_that_was_to_be_refused_and_was_not_proves_nothing() -> None:
    here = Here(Cluster())
    here.cluster.silent = {CanaryClass.REFUSED}
    task = asyncio.create_task(here.run(10))
    await asyncio.sleep(1)
    audit_id = next(id_ for class_, id_ in here.cluster.made if class_ is CanaryClass.REFUSED)
    assert not here.cluster.arrives(CanaryClass.REFUSED, audit_id, at(0), code=200)
    await task
    assert here.records == []


async def test_an_api_server_that_was_started_again_may_have_lost_events() -> None:
    here = Here(Cluster(servers=1))
    task = asyncio.create_task(here.run(130))
    await asyncio.sleep(70)
    assert here.holes == []
    here.cluster.starts += 1
    await task
    ((since, until, why),) = here.holes
    assert since < at(60)
    assert until >= at(120)
    assert "was started again" in why

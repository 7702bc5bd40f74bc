"""Two replicas: the leader is killed, stopped and asked to go; access ends, and each step is told once (P1, P2, P7, P10)."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from curfew.api.times import format_time, parse_time
from curfew.audit.places import in_order
from curfew.audit.segment import Head, follow
from tests.integration.installed import Installed
from tests.integration.operator import courses
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Asked, Place, now
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess
from tests.support.scale import soaks

ENDS: Final = 200 if soaks() else 24
"""How many grants end at the instant at which the leader is killed."""

GRANTING: Final = timedelta(seconds=60 if soaks() else 20)
"""Within which these are asked for and granted: then all of them end."""

BURST: Final = 40 if soaks() else 8
"""How many grants are asked for while the leader is stopped."""

LASTS: Final = timedelta(seconds=40)
"""How long after it is asked for any other grant ends."""

STOPPED: Final = 60.0 if soaks() else 0.0
"""Seconds that the leader stands still, at least: longer than another one needs to take over in any case."""

SOON: Final = 60.0

POLICIES: Final = 4
"""Over which the requests are spread: one person may hold a hundred grants under each."""


EARLY: Final = timedelta(milliseconds=50)
"""How long before that instant: to kill a process takes a while, and the leader needs less to end them all."""

AT_ONCE: Final = 10
"""How many requests are sent at a time."""


@dataclass
class Story:
    """What was done, and when."""

    ending: list[Asked] = field(default_factory=list)
    burst: list[Asked] = field(default_factory=list)
    after_goodbye: list[Asked] = field(default_factory=list)
    asked_to_go: datetime | None = None
    granted_after_goodbye: datetime | None = None
    stopped: datetime | None = None
    woken: datetime | None = None
    killed: datetime | None = None
    evidence: Evidence | None = None
    after_waking: list[Asked] = field(default_factory=list)
    granted_by_the_woken: list[str] = field(default_factory=list)  # the UIDs in its log lines since it was woken
    removed: dict[str, int] = field(default_factory=dict)  # how many bindings each replica removed


@dataclass
class Replicas:
    """The two processes. Each keeps its name when it is started again, as a container of a pod does."""

    first: OperatorProcess
    second: OperatorProcess

    async def start(self, which: OperatorProcess) -> None:
        """Start a process, and return when it could take over, or leads."""
        which.start()
        await asyncio.to_thread(which.await_ready, SOON)

    async def leads(self, which: OperatorProcess) -> None:
        """Return when a process leads."""
        await asyncio.to_thread(which.await_so, lambda: which.metric("curfew_leader") == 1, "lead", SOON)


@pytest.fixture(scope="module")
def replicas(cluster: Installed, new_operator: Callable[..., OperatorProcess]) -> Iterator[Replicas]:
    """Return two replicas that write one log."""
    first = new_operator(environ={"POD_NAME": "curfew-first"})
    second = new_operator(environ={"POD_NAME": "curfew-second"}, store=first.store)
    try:
        yield Replicas(first, second)
    finally:
        first.kill()
        second.kill()


@pytest.fixture(scope="module")
def story(
    cluster: Installed,
    certificates: Path,
    replicas: Replicas,
    read_log: Callable[[OperatorProcess], Evidence],
) -> Story:
    """Play it once."""

    async def play() -> Story:
        async with a_stage(cluster, certificates) as stage:
            return await Playing(await stage.place(), replicas).play()

    told = asyncio.run(play())
    told.evidence = read_log(replicas.first)
    return told


class Playing:
    """Asks, and stops, kills and wakes the replicas."""

    def __init__(self, place: Place, replicas: Replicas) -> None:
        self.place = place
        self.replicas = replicas
        self.told = Story()
        self.number = 0

    async def play(self) -> Story:
        """Do everything."""
        first, second, told = self.replicas.first, self.replicas.second, self.told
        automatic = [
            self.place.policy(f"automatic-{number}", approval={"mode": "Automatic"}) for number in range(POLICIES)
        ]
        for policy in automatic:
            policy["spec"]["limits"] = {"activePerRequester": 100, "pendingPerRequester": 100}
        await self.place.apply(*automatic)
        await self.replicas.start(first)
        await self.replicas.leads(first)  # the Lease of an operator of tests before may have to run out
        await self.replicas.start(second)
        await self.goodbye(first, second)
        await self.replicas.start(first)
        await self.stand_still(second, first)
        await self.die(first, second)
        for asked in _all(told):
            await asked.closed(SOON + SOON)
        told.removed = {
            each.folder.name: sum(line.get("event") == "binding removed" for line in each.lines(life=False))
            for each in (first, second)
        }
        await asyncio.to_thread(second.stop)
        return told

    async def ask(self, count: int, ends_at: datetime | None = None) -> list[Asked]:
        """Ask for many grants at once."""
        people, at_once = (self.place.people.alice, self.place.people.carol), asyncio.Semaphore(AT_ONCE)
        spec = {"duration": "1h", "notAfter": format_time((ends_at or now() + LASTS).replace(microsecond=0))}

        async def ask(number: int) -> Asked:
            async with at_once:
                by = people[number // POLICIES % 2]
                return await self.place.ask(by, f"automatic-{number % POLICIES}", **spec)

        first, self.number = self.number, self.number + count
        return await asyncio.gather(*map(ask, range(first, first + count)))

    async def goodbye(self, leader: OperatorProcess, other: OperatorProcess) -> None:
        """Ask the leader to end. The other one leads, and grants."""
        told = self.told
        told.asked_to_go = now()
        stopping = asyncio.create_task(asyncio.to_thread(leader.stop))
        told.after_goodbye = await self.ask(1)
        await told.after_goodbye[0].bound(SOON)
        told.granted_after_goodbye = now()
        await stopping
        await self.replicas.leads(other)

    async def stand_still(self, leader: OperatorProcess, other: OperatorProcess) -> None:
        """Stop the leader in the middle of a burst until the other leads and has granted everything; then let it go on."""
        told, began = self.told, asyncio.get_running_loop().time()
        told.burst = await self.ask(BURST // 2)
        rest = asyncio.create_task(self.ask(BURST // 2))
        await told.burst[0].bound(SOON)
        with leader.paused():
            told.stopped = now()
            told.burst += await rest
            await self.replicas.leads(other)
            for asked in told.burst:
                await asked.phase("Active", "Expired", seconds=SOON)
            await asyncio.sleep(max(0.0, began + STOPPED - asyncio.get_running_loop().time()))
            written = len(leader.said(life=False))
        told.woken = now()
        told.after_waking = await self.ask(4)
        for asked in told.after_waking:
            await asked.bound(SOON)
        await asyncio.to_thread(
            leader.await_so, lambda: leader.metric("curfew_leader") == 0, "notice that it leads no more", SOON
        )
        said = leader.said(life=False)[written:].splitlines()
        told.granted_by_the_woken = [line["uid"] for line in map(_parsed, said) if line.get("transition") == "grant"]

    async def die(self, leader: OperatorProcess, other: OperatorProcess) -> None:
        """Kill the leader just before the instant at which all grants end, so that it ends none of them."""
        told, ends_at = self.told, (now() + GRANTING).replace(microsecond=0)
        told.ending = await self.ask(ENDS, ends_at)
        for asked in told.ending:
            await asked.phase("Active")
            assert asked.time("expiresAt") == ends_at
        await asyncio.sleep((ends_at - EARLY - now()).total_seconds())
        leader.kill()
        told.killed = now()
        for asked in told.ending:
            await asked.unbound(SOON)
        await self.replicas.leads(other)


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _all(story: Story) -> list[Asked]:
    return [*story.ending, *story.burst, *story.after_waking, *story.after_goodbye]


def _writers(evidence: Evidence, log: str = "main") -> list[tuple[datetime, str, range]]:
    """Return of each segment when it was sealed, by whom, and which records it holds."""
    head, found = Head.genesis(log), []
    verifier = evidence.verified.keys[0].verifier
    for name in in_order(log, evidence.objects):
        segment, head = follow(head, name, evidence.objects[name], verifier)
        found.append((segment.at, segment.writer, range(segment.first, segment.first + len(segment.lines))))
    return found


def _leader_since(story: Story, writer: str, after: datetime) -> datetime:
    """Return when a replica wrote that it leads, for the first time after an instant."""
    assert story.evidence is not None
    return next(
        record.at
        for record in story.evidence.records
        if record.event == "audit.leader_changed" and record.block["detail"]["writer"] == writer and record.at > after
    )


def test_all_access_ends_when_the_leader_dies_at_that_instant(
    story: Story, record_property: Callable[[str, object], None]
) -> None:
    """P1: whoever is left ends all of it. How late that was is measured."""
    late = sorted(
        (sights[-1].at - parse_time(sights[0].body["metadata"]["annotations"]["curfew.dev/expires-at"])).total_seconds()
        for sights in (asked.place.sights.bindings_of(asked.uid) for asked in story.ending)
    )
    assert len(late) == ENDS
    for name, place in (("p50", ENDS // 2), ("p99", ENDS * 99 // 100), ("last", ENDS - 1)):
        record_property(
            f"{ENDS} ends, the leader killed at that instant: lateness {name}", f"{late[place] * 1000:.0f} ms"
        )
    record_property("bindings removed by each replica", str(story.removed))
    for asked in _all(story):
        assert [sight.type for sight in asked.place.sights.bindings_of(asked.uid)][-1] == "DELETED", str(asked)
        assert asked.status["phase"] == "Expired", str(asked)


def test_another_replica_takes_over(story: Story, record_property: Callable[[str, object], None]) -> None:
    """How long that took: after a goodbye, after the leader stood still, and after its death."""
    assert story.asked_to_go is not None
    assert story.granted_after_goodbye is not None
    assert story.stopped is not None
    assert story.killed is not None
    for name, writer, since in (
        ("SIGTERM", "curfew-second", story.asked_to_go),
        ("SIGSTOP", "curfew-first", story.stopped),
        ("kill -9", "curfew-second", story.killed),
    ):
        took = (_leader_since(story, writer, since) - since).total_seconds()
        record_property(f"another replica leads after {name} of the leader", f"{took:.2f} s")
    took = (story.granted_after_goodbye - story.asked_to_go).total_seconds()
    record_property("the first grant after SIGTERM of the leader", f"{took:.2f} s")


def test_no_record_is_missing_or_there_twice(story: Story) -> None:
    """P7: the log verifies, and tells each story to its end, each step once."""
    evidence = story.evidence
    assert evidence is not None
    assert evidence.twice == []
    assert evidence.verified.unread == ()
    for asked in _all(story):
        assert sorted(evidence.story(asked.uid)) == sorted(courses.AUTOMATIC.story), str(asked)
        (made,) = [sight for sight in asked.place.sights.bindings_of(asked.uid) if sight.type == "ADDED"]
        _, index, _, _ = made.body["metadata"]["annotations"]["curfew.dev/receipt"].split("/")
        record = evidence.records[int(index)]
        assert (record.subject, record.event) == (asked.uid, "grant.intended"), str(asked)


def test_the_leader_that_stood_still_grants_and_appends_nothing_when_it_wakes(story: Story) -> None:
    """Its first question is whether it leads, before each PUT and each POST.

    It may still report a grant of the burst: the answer to a write that it made before it was stopped.
    """
    assert story.evidence is not None
    assert story.woken is not None
    assert story.killed is not None
    assert story.stopped is not None
    assert {asked.uid for asked in story.after_waking}.isdisjoint(story.granted_by_the_woken)
    deposed = _leader_since(story, "curfew-first", story.stopped)
    meanwhile = {writer for at, writer, _ in _writers(story.evidence) if deposed < at < story.killed}
    assert meanwhile == {"curfew-first"}


def test_each_leader_begins_with_a_segment_that_names_it(story: Story) -> None:
    """The fence: its first record is the first of its first segment, so the one before it cannot go on."""
    assert story.evidence is not None
    writers = _writers(story.evidence)
    changes = [
        (writer, story.evidence.records[places[0]])
        for (_, before, _), (_, writer, places) in itertools.pairwise(writers)
        if before != writer
    ]
    assert [writer for writer, _ in changes] == ["curfew-second", "curfew-first", "curfew-second"]
    assert all(record.event == "audit.leader_changed" for _, record in changes)

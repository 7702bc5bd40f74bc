"""kill -9 of the operator at random moments of a busy minute: everything ends as if nothing had happened (promise P10)."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from curfew.api.times import parse_time
from curfew.evidence.history.breach import JudgedPromise
from tests.integration.installed import Installed
from tests.integration.operator import courses
from tests.integration.operator.courses import Walk
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.monitors import cut_short, judged
from tests.integration.operator.place import SOON, Place
from tests.integration.operator.stage import a_stage
from tests.integration.operator.watching import Sight
from tests.support.operator_process import Life, OperatorProcess
from tests.support.scale import seed, soaks

FULL_MIX: Final = {
    courses.RUNS: 12,
    courses.WAITS: 6,
    courses.AUTOMATIC: 3,
    courses.REVOKED: 6,
    courses.GIVEN_BACK: 4,
    courses.STAGED: 3,
    courses.DENIED: 3,
    courses.CANCELLED: 3,
    courses.CANCELLED_EARLY: 2,
    courses.REVOKED_EARLY: 2,
    courses.TIMED_OUT: 2,
    courses.DELETED_PENDING: 2,
    courses.DELETED_EARLY: 2,
    courses.DELETED_ACTIVE: 4,
    courses.TOO_LONG: 1,
}
"""How many requests take which course in `make soak`: more than fifty, in every phase."""

MIX: Final = FULL_MIX if soaks() else {course: -(-count // 3) for course, count in FULL_MIX.items()}

BEGIN_WITHIN: Final = 30.0 if soaks() else 8.0
"""Seconds in which all requests are made."""
START_IN: Final = timedelta(seconds=15 if soaks() else 5)
"""What those wait that are approved before they may begin."""
KILLS: Final = {(2.0, 60.0): 10, (60.0, 95.0): 5} if soaks() else {(2.0, 20.0): 3, (58.0, 76.0): 2}
"""How often the operator is killed between which seconds: while people decide, and while what it granted comes to its end."""
PACE: Final = 4.0
"""Seconds that people take at most between two steps."""

ON_TIME: Final = timedelta(seconds=1)
AFTER_RESTART: Final = timedelta(seconds=2)

SEED: Final = seed()
"""Set CURFEW_SEED to the number that a failure names to have the same minute again."""


@dataclass
class Seen:
    """What was seen of the minute."""

    place: Place
    walks: list[Walk]
    lives: list[Life] = field(default_factory=list)
    awake: list[datetime | None] = field(default_factory=list)  # when each of them had been loaded, if it came to that
    evidence: Evidence | None = None


@pytest.fixture(scope="module")
def seen(
    cluster: Installed,
    certificates: Path,
    operator: OperatorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
) -> Seen:
    """Play the minute, once."""
    print(f"CURFEW_SEED={SEED}")  # noqa: T201  shown where something fails

    async def play() -> Seen:
        async with a_stage(cluster, certificates, has_pulse=True) as stage:
            return await busy_minute(await stage.place(), operator, random.Random(SEED))  # noqa: S311  a game, not a secret

    minute = asyncio.run(play())
    minute.evidence = read_log(operator)
    return minute


async def busy_minute(place: Place, operator: OperatorProcess, chance: random.Random) -> Seen:
    """Let people ask and decide while the operator dies and comes back, and wait for the end of all stories."""
    walks = [
        Walk(course, place, random.Random(chance.random()), PACE, START_IN)  # noqa: S311  the same
        for course, count in MIX.items()
        for _ in range(count)
    ]
    moments = sorted(chance.uniform(*span) for span, count in KILLS.items() for _ in range(count))
    began = asyncio.get_running_loop().time()

    async def at(seconds: float) -> None:
        await asyncio.sleep(max(0.0, began + seconds - asyncio.get_running_loop().time()))

    async def take(walk: Walk, begin: float) -> None:
        await at(begin)
        await walk.take()

    async def kill_again_and_again() -> None:
        for moment in moments:
            await at(moment)
            operator.kill()
            operator.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(kill_again_and_again())
        for walk in walks:
            group.create_task(take(walk, chance.uniform(0, BEGIN_WITHIN)))
    for walk in walks:
        if walk.course.phase is not None:
            await walk.asked.closed(SOON)
    # A process that is still loading Python ends by SIGTERM itself, without the operator's own way of stopping.
    await asyncio.to_thread(operator.await_listed)
    # The stories of those that were deleted have no status to look at; stopping writes what is left to write.
    await asyncio.to_thread(operator.restart)
    return Seen(place, walks, list(operator.lives), operator.first_words())


def due(seen: Seen, instant: datetime, gone_at: datetime) -> datetime:
    """Return until when something has to have happened that is due at an instant: on time, or soon after a restart.

    A restart is over when Python has loaded the program: that takes 0.7 s, or several on a machine that is busy.
    """
    for life, awake in zip(seen.lives, seen.awake, strict=True):
        if awake is None or (life.ended is not None and life.ended <= instant):
            continue
        pulse = seen.place.sights.pulse
        on_time = instant + pulse.within(ON_TIME, instant, gone_at)
        until = max(on_time, awake + pulse.within(AFTER_RESTART, awake, gone_at))
        if life.ended is None or until <= life.ended:
            return until
    raise AssertionError(f"the operator was never alive after {instant}")


def test_every_story_ends_as_if_nothing_had_happened(
    seen: Seen, record_property: Callable[[str, object], None]
) -> None:
    """The phase, the reason, and nothing left over."""
    lives = [f"{(life.ended - life.started).total_seconds():.1f} s" for life in seen.lives if life.ended is not None]
    record_property(f"CURFEW_SEED={SEED}: {len(seen.walks)} requests, operators that lived", ", ".join(lives))
    for walk in seen.walks:
        if walk.course.phase is not None:
            status = walk.asked.status
            assert (status["phase"], status["endReason"]) == (walk.course.phase, walk.course.reason), str(walk.asked)
            assert status["outbox"] == [], str(walk.asked)


def test_every_binding_ends_on_time_or_soon_after_the_restart(
    seen: Seen, measured: Callable[[str, timedelta], None]
) -> None:
    """Promise P1: a crash never prolongs access."""
    late: list[timedelta] = []
    for walk in seen.walks:
        sights = seen.place.sights.bindings_of(walk.asked.uid)
        if not sights:
            continue
        assert sights[-1].type == "DELETED", str(walk.asked)
        expires_at = parse_time(sights[0].body["metadata"]["annotations"]["curfew.dev/expires-at"])
        ended = min(expires_at, ended_by_people(walk) or expires_at)
        late.append(sights[-1].at - ended)
        assert sights[-1].at <= due(seen, ended, sights[-1].at), (
            f"{walk.asked}, {walk.course}: due at {ended}, gone at {sights[-1].at}; lives {seen.lives}, awake {seen.awake}"
        )
    measured(f"the latest of {len(late)} ends", max(late))
    measured("the one in the middle", sorted(late)[len(late) // 2])


def ended_by_people(walk: Walk) -> datetime | None:
    """Return when the API server was seen to have somebody's word that ends the access."""
    for sight in seen_changes(walk):
        decisions = sight.body.get("status", {}).get("decisions", ())
        if sight.type == "DELETED" or any(decision["decision"] != "Approve" for decision in decisions):
            return sight.at
    return None


def seen_changes(walk: Walk) -> list[Sight]:
    """Return all that was seen of a request."""
    return walk.place.sights.requests.history[walk.asked.uid]


def test_no_grant_is_made_twice(seen: Seen) -> None:
    """Promise P1 again: what has ended does not come back, and who has access has it once."""
    for walk in seen.walks:
        made = [sight for sight in seen.place.sights.bindings_of(walk.asked.uid) if sight.type == "ADDED"]
        assert len(made) == int(walk.course.is_granted), f"{walk.asked}, {walk.course}"


def test_no_record_is_missing_or_there_twice(seen: Seen) -> None:
    """Promise P7: the log verifies, and tells each story to its end, each step once."""
    evidence = seen.evidence
    assert evidence is not None
    assert evidence.twice == []
    assert evidence.verified.unread == ()
    for walk in seen.walks:
        told, expected = evidence.story(walk.asked.uid), walk.course.story
        if walk.course.phase is None:
            expected = [event for event in expected if event in told or event not in lost_with_the_object(walk)]
        assert sorted(told) == sorted(expected), f"{walk.asked}, {walk.course}"


def lost_with_the_object(walk: Walk) -> set[str]:
    """Return the events that stood in the status of a request, and nowhere else yet, when somebody deleted it."""
    last = seen_changes(walk)[-1].body["status"]
    return {json.loads(entry["record"])["unmapped"]["curfew"]["event"] for entry in last.get("outbox", ())}


def test_the_api_servers_own_log_shows_no_breach(
    seen: Seen, cluster: Installed, record_property: Callable[[str, object], None]
) -> None:
    """What `curfew audit check` looks at, for this namespace: other tests have operators and logs of their own."""
    assert seen.evidence is not None
    audit_log = cluster.environment.control_plane.audit_log
    judgement, cut = judged(audit_log, seen.evidence, seen.place.namespace), cut_short(audit_log, seen.place.namespace)

    assert judgement.bindings == sum(walk.course.is_granted for walk in seen.walks)
    assert [one.sentence for promise in JudgedPromise for one in judgement.breaches[promise] if promise != "P1"] == []
    unclear = [one for promise in JudgedPromise for one in judgement.unclear[promise]]
    assert [one.sentence for one in unclear if one.promise != "P1" or one.subject not in cut] == []
    record_property("lateness by the API server's log, kills included", judgement.lateness.latest)


def test_no_access_without_a_record(seen: Seen) -> None:
    """Promise P2: each binding carries the receipt of its announcement, also where another life made it."""
    assert seen.evidence is not None
    for walk in seen.walks:
        for sight in seen.place.sights.bindings_of(walk.asked.uid):
            _, index, _, _ = sight.body["metadata"]["annotations"]["curfew.dev/receipt"].split("/")
            record = seen.evidence.records[int(index)]
            assert (record.subject, record.event) == (walk.asked.uid, "grant.intended")


def test_the_restarted_operator_grants_nothing_again(seen: Seen) -> None:
    """After the last restart there is nothing left to do, and nothing is done."""
    assert not [
        binding
        for binding in seen.place.sights.bindings.objects.values()
        if binding["metadata"]["namespace"] == seen.place.namespace
    ]

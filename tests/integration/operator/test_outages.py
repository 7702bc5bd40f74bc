"""The bucket goes away, the API server goes away: access ends on time, nothing is granted unrecorded, nothing is lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from curfew.api.times import format_time
from tests.integration.installed import Installed
from tests.integration.operator import courses
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import Body
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.stage import a_stage
from tests.support.operator_process import OperatorProcess
from tests.support.scale import soaks

Measured = Callable[[str, timedelta], None]

ON_TIME: Final = timedelta(seconds=1)
AFTER_RETURN: Final = timedelta(seconds=2)

FIRST_END: Final = timedelta(seconds=15)
"""How long after it is asked for a grant ends: by then the bucket is away."""

WITHOUT_BUCKET: Final = timedelta(seconds=30 if soaks() else 15)

SECOND_END: Final = timedelta(seconds=20)
"""How long after it is asked for another grant ends."""

WENT_BEFORE: Final = timedelta(seconds=6)
"""How long before that end the API server goes."""

WITHOUT_API_SERVER: Final = timedelta(seconds=10)

AFTER_ITS_END: Final = timedelta(seconds=7)
"""For how long after that end the API server is away, at least: a removal that fails for so long is recorded."""


@dataclass
class Seen:
    """What was seen of both outages."""

    place: Place
    # Of the time without a bucket:
    expired: Asked  # its end came meanwhile
    revoked: Asked  # bob ended it meanwhile
    caught: Asked  # approved in the moment in which the bucket went
    waited: Asked  # approved when it was known to be away
    asked_then: Asked  # made meanwhile
    broken: Asked  # a glass that was broken meanwhile, by a policy that lets it go before its record
    bucket_went: datetime
    bucket_came: datetime
    revoked_at: datetime
    said: dict[str, str] = field(default_factory=dict)  # what Recorded said of each
    phases: dict[str, str] = field(default_factory=dict)
    events: dict[str, list[Body]] = field(default_factory=dict)
    healthy: dict[str, float] = field(default_factory=dict)
    readyz: tuple[int, dict[str, Any]] | None = None
    # Of the time without an API server:
    ended_then: Asked | None = None  # its end came meanwhile
    began_then: Asked | None = None  # its start came meanwhile
    api_server_went: datetime | None = None
    api_server_came: datetime | None = None
    gone_at: datetime | None = None
    asked_afterwards: Asked | None = None
    is_same_process: bool = False
    evidence: Evidence | None = None


async def at(instant: datetime) -> None:
    """Return at an instant: outages have their length."""
    await asyncio.sleep(max(0.0, (instant - now()).total_seconds()))


def ending(after: timedelta) -> dict[str, str]:
    """Return what has a grant end so long from now."""
    return {"duration": "1h", "notAfter": f"{now() + after:%Y-%m-%dT%H:%M:%SZ}"}


async def without_a_bucket(place: Place, operator: OperatorProcess) -> Seen:
    """Play the first part: the bucket's server is stopped for a while."""
    people, s3 = place.people, place.cluster.environment.s3
    glass = {"mode": "BreakGlass", "whenNotRecorded": "Grant"}
    await place.apply(place.policy("glass", approval=glass))
    revoked = await place.active(people.alice, duration="10m")
    caught, waited = await place.pending(people.alice, duration="10m"), await place.pending(people.carol)
    healthy = {"before": await asyncio.to_thread(operator.metric, "curfew_trail_healthy")}
    expired = await place.active(people.alice, **ending(FIRST_END))
    await recorded(operator, expired, revoked, caught, waited)

    bucket_went = now()
    await asyncio.to_thread(s3.stop)
    (await caught.decide(people.bob)).done()
    said = {"caught": await caught.said("Recorded", "StoreUnavailable")}
    (await waited.decide(people.bob)).done()
    said["waited"] = await waited.said("Recorded", "StoreUnavailable")
    asked_then = await place.pending(people.carol)
    said["asked then"] = await asked_then.said("Recorded", "StoreUnavailable")
    broken = await place.ask(people.carol, "glass", duration="10m")
    await broken.phase("Active")
    said["broken"] = await broken.said("Recorded", "StoreUnavailable")
    (await revoked.decide(people.bob, "Revoke")).done()
    revoked_at = now()
    await revoked.unbound()
    await revoked.phase("Revoked")
    healthy["meanwhile"] = await asyncio.to_thread(operator.metric, "curfew_trail_healthy")
    readyz = await asyncio.to_thread(operator.readyz)
    await expired.unbound(FIRST_END.total_seconds() + SOON)
    await expired.phase("Expired")
    said["expired"] = await expired.said("Recorded", "StoreUnavailable")
    await at(bucket_went + WITHOUT_BUCKET)
    waiting = {"caught": caught, "waited": waited, "asked then": asked_then}
    phases = {name: asked.status["phase"] for name, asked in waiting.items()}
    bucket_came = now()
    await asyncio.to_thread(s3.start)
    await asyncio.gather(caught.phase("Active"), waited.phase("Active"))
    await asyncio.gather(expired.closed(), revoked.closed())
    await recorded(operator, asked_then)
    healthy["afterwards"] = await asyncio.to_thread(operator.metric, "curfew_trail_healthy")
    events = {name: await place.events(asked.uid) for name, asked in waiting.items()}
    await recorded(operator, broken)
    (await broken.decide(people.bob, "Review")).done()
    for asked in (caught, waited, broken):
        (await asked.decide(people.bob, "Revoke")).done()
    await asyncio.gather(caught.closed(), waited.closed(), broken.closed())
    return Seen(
        place,
        expired,
        revoked,
        caught,
        waited,
        asked_then,
        broken,
        bucket_went,
        bucket_came,
        revoked_at,
        said,
        phases,
        events,
        healthy,
        readyz,
    )


async def without_an_api_server(seen: Seen, place: Place, operator: OperatorProcess) -> None:
    """Play the second part: the API server is stopped for ten seconds or more."""
    people, plane = place.people, place.cluster.environment.control_plane
    seen.ended_then = await place.active(people.carol, **ending(SECOND_END))
    end = seen.ended_then.time("expiresAt")
    seen.began_then = await place.pending(people.carol, notBefore=format_time(end))
    (await seen.began_then.decide(people.bob)).done()
    await seen.began_then.phase("Approved")
    await recorded(operator, seen.began_then, seen.ended_then)
    lives = len(operator.lives)
    await at(end - WENT_BEFORE)
    seen.api_server_went = now()
    await asyncio.to_thread(plane.stop_apiserver)
    await at(max(seen.api_server_went + WITHOUT_API_SERVER, end + AFTER_ITS_END))
    await asyncio.to_thread(plane.start_apiserver)
    seen.api_server_came = now()
    while (await seen.ended_then.binding_now()).status != 404:
        assert now() < seen.api_server_came + timedelta(seconds=SOON), "the binding is still there"
    seen.gone_at = now()
    await seen.began_then.phase("Active")
    seen.asked_afterwards = await place.active(people.alice)
    for asked in (seen.began_then, seen.asked_afterwards):
        (await asked.decide(people.bob, "Revoke")).done()
    await asyncio.gather(*(asked.closed() for asked in (seen.ended_then, seen.began_then, seen.asked_afterwards)))
    seen.is_same_process = operator.is_running and len(operator.lives) == lives


@pytest.fixture(scope="module")
def seen(
    cluster: Installed,
    certificates: Path,
    operator: OperatorProcess,
    read_log: Callable[[OperatorProcess], Evidence],
) -> Seen:
    """Play both outages, once, one after the other."""

    async def play() -> Seen:
        async with a_stage(cluster, certificates, has_pulse=True) as stage:
            place = await stage.place()
            seen = await without_a_bucket(place, operator)
            await without_an_api_server(seen, place, operator)
            return seen

    s3, plane = cluster.environment.s3, cluster.environment.control_plane
    try:
        played = asyncio.run(play())
    finally:
        s3.start()
        plane.start_apiserver()
    played.evidence = read_log(operator)
    return played


def test_nothing_is_granted_while_nothing_can_be_recorded(seen: Seen) -> None:
    """Promise P2: what was approved waits, and what waits says so."""
    assert seen.bucket_came - seen.bucket_went >= WITHOUT_BUCKET
    assert seen.phases == {"caught": "Approved", "waited": "Approved", "asked then": "Pending"}
    for asked in (seen.caught, seen.waited):
        assert seen.place.sights.bindings_of(asked.uid)[0].at > seen.bucket_came


def test_a_bucket_that_is_away_is_named_where_people_look(seen: Seen) -> None:
    """Promise P11: in the condition, in an Event, in the metric, and at /readyz."""
    host = seen.place.cluster.environment.s3.url.removeprefix("http://")
    sentence = f"{host}, where the bucket "
    for said in seen.said.values():
        assert said.startswith(sentence)
        assert "cannot be reached (connection refused). Check the endpoint and the network." in said
    for name in ("caught", "waited"):
        warnings = [event for event in seen.events[name] if event["type"] == "Warning"]
        assert [event["reason"] for event in warnings] == ["StoreUnavailable"]
        assert sentence in warnings[0]["note"]
    assert seen.healthy == {"before": 1, "meanwhile": 0, "afterwards": 1}
    assert seen.readyz is not None
    status, body = seen.readyz
    assert status == 503  # ready means granting; it still ends access
    assert body["parts"]["trail"].startswith(f"takes no records, nothing is granted: {sentence}")


def test_access_ends_on_time_without_a_bucket(seen: Seen, measured: Measured) -> None:
    """Promises P1 and P3: neither the end nor a revocation waits for the bucket."""
    for asked, due in ((seen.expired, seen.expired.time("expiresAt")), (seen.revoked, seen.revoked_at)):
        assert seen.bucket_went < due < seen.bucket_came
        sights = seen.place.sights
        gone_at = sights.bindings_of(asked.uid)[-1].at
        late = gone_at - due
        measured(f"{asked.status['endReason']} without a bucket, late by", late)
        assert late < sights.pulse.within(ON_TIME, due, gone_at)
    assert (seen.expired.status["endReason"], seen.revoked.status["endReason"]) == (
        "DurationElapsed",
        "RevokedByApprover",
    )


def test_what_waited_is_granted_when_the_bucket_is_back(seen: Seen, measured: Measured) -> None:
    """The window is counted from the announcement; what nobody could announce loses nothing of it."""
    for asked in (seen.caught, seen.waited):
        measured(
            "from the bucket's return to the grant", seen.place.sights.bindings_of(asked.uid)[0].at - seen.bucket_came
        )
        assert asked.status["endReason"] == "RevokedByApprover"
    assert seen.waited.time("startsAt") >= seen.bucket_came.replace(microsecond=0)
    assert seen.waited.time("expiresAt") - seen.waited.time("startsAt") == timedelta(minutes=1)


def test_a_glass_is_broken_without_a_bucket_where_its_policy_says_so(seen: Seen) -> None:
    """It is announced in its status first, and in the log before all that follows from it (promise P2, decision 0071)."""
    assert seen.evidence is not None
    first = seen.place.sights.bindings_of(seen.broken.uid)[0]

    assert seen.bucket_went < first.at < seen.bucket_came
    assert first.body["metadata"]["annotations"]["curfew.dev/receipt"] == "not-recorded"
    story = seen.evidence.story(seen.broken.uid)
    assert story[:5] == [
        "request.created",
        "request.accepted",
        "review.break_glass_invoked",
        "grant.intended",
        "grant.activated",
    ]
    assert sorted(story[5:]) == ["grant.revoked", "request.closed", "review.submitted", "review.submitted"]


def test_everything_is_recorded_once_when_the_bucket_is_back(seen: Seen) -> None:
    """Promise P7: the log verifies, and lacks nothing of the time in which it could not be written."""
    assert seen.evidence is not None
    assert seen.evidence.twice == []
    assert seen.evidence.story(seen.expired.uid) == courses.RUNS.story
    for asked in (seen.revoked, seen.caught, seen.waited):
        assert sorted(seen.evidence.story(asked.uid)) == sorted(courses.REVOKED.story)
    assert seen.evidence.story(seen.asked_then.uid)[:2] == ["request.created", "request.accepted"]
    about_itself = [record for record in seen.evidence.records if record.event.startswith("audit.sink")]
    reasons = [record.block["detail"]["reason"] for record in about_itself[::2]]
    assert [record.event for record in about_itself] == len(reasons) * ["audit.sink_failed", "audit.sink_recovered"]
    # While the API server was away, nobody could know whether another replica leads. A busy machine may have more of them.
    assert {"StoreUnavailable", "NotLeading"} <= set(reasons)


def test_access_ends_as_soon_as_the_api_server_is_back(seen: Seen, measured: Measured) -> None:
    """Promise P1: what was due while nobody could be asked is done within two seconds."""
    assert seen.ended_then is not None
    assert seen.api_server_went is not None
    assert seen.api_server_came is not None
    assert seen.gone_at is not None
    assert seen.api_server_came - seen.api_server_went >= WITHOUT_API_SERVER
    assert seen.api_server_went < seen.ended_then.time("expiresAt") < seen.api_server_came
    measured("from the API server's return to the binding gone", seen.gone_at - seen.api_server_came)

    pulse = seen.place.sights.pulse
    assert seen.gone_at - seen.api_server_came < pulse.within(AFTER_RETURN, seen.api_server_came, seen.gone_at)
    assert (seen.ended_then.status["phase"], seen.ended_then.status["endReason"]) == ("Expired", "DurationElapsed")


def test_the_operator_goes_on_when_the_api_server_is_back(seen: Seen) -> None:
    """It is the same process; what was to begin meanwhile begins, and new requests are granted."""
    assert seen.is_same_process
    assert seen.began_then is not None
    assert seen.asked_afterwards is not None
    assert seen.evidence is not None

    assert seen.ended_then is not None
    late = "grant.removal_failed"  # for longer than a moment its binding could not be removed
    assert [event for event in seen.evidence.story(seen.ended_then.uid) if event != late] == courses.RUNS.story
    told = seen.evidence.record(seen.ended_then.uid, late).block["detail"]
    assert (told["end_reason"], told["seconds"] >= 5) == ("DurationElapsed", True)
    assert "API server" in told["problem"]
    for asked in (seen.began_then, seen.asked_afterwards):
        assert asked.status["endReason"] == "RevokedByApprover"
        assert sorted(seen.evidence.story(asked.uid)) == sorted(courses.REVOKED.story)

"""The operator leaves alone what the monitor writes, and ends access on time whatever stands there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

import pytest

from curfew.api.times import format_time
from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import Body, Person
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.pulse import Pulse
from tests.integration.operator.thief import bearing, patch_status
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]

ACTIVITY: Final[Body] = {
    "changes": "Yes",
    "summary": "read 3 objects, changed 1",
    "reads": 3,
    "writes": 1,
    "denied": 0,
    "opaque": 0,
    "derived": 0,
    "standing": 0,
    "changed": ["configmaps/x"],
    "sensitive": ["SecretRead"],
    "remains": 1,
    "final": False,
}

HOSTILE: Final[Mapping[str, Any]] = {
    "a text": "No",
    "a list": [["No"] * 1000],
    "a number": 17,
    "nothing that is known": {"changes": "Perhaps", "reads": -1, "final": "no"},
    "fields of a later version": {"changes": "No", "proof": {"of": {"something": []}}},
    "a time that is none": {"changes": "No", "asOf": "yesterday", "firstAt": 0},
    "far too much": {"changes": "No", "summary": "&" * 40_000, "changed": ["x" * 1000] * 100},
}
"""What an older or a later version, or somebody who can write to etcd, may have put there."""


@pytest.fixture
async def monitor(cluster: Installed) -> AsyncIterator[Person]:
    """Return somebody with a token of the monitor's service account."""
    async with bearing(cluster, await asyncio.to_thread(cluster.monitor_token)) as person:
        yield person


async def test_the_operator_keeps_what_the_monitor_wrote(
    operator: OperatorProcess, place: Place, monitor: Person, read_log: ReadLog
) -> None:
    """Through every change of status until the request is closed, and the end is told as always."""
    asked = await place.pending(place.people.alice)
    (await patch_status(monitor, asked.path, activity=ACTIVITY)).done()
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()

    written = [sight.body["status"] for sight in place.sights.requests.history[asked.uid] if "status" in sight.body]
    since = next(number for number, status in enumerate(written) if "activity" in status)
    assert {status["phase"] for status in written[since:]} >= {"Pending", "Active", "Revoked"}
    assert [status for status in written[since:] if status.get("activity") != ACTIVITY] == []
    evidence = await asyncio.to_thread(read_log, operator)
    assert evidence.story(asked.uid)[-2:] == ["grant.revoked", "request.closed"]


async def test_the_operator_gets_on_while_the_monitor_writes_all_the_time(
    operator: OperatorProcess, place: Place, monitor: Person
) -> None:
    """Each of its patches is for one version of the status, and somebody else makes versions as fast as they can."""
    asked = await place.pending(place.people.alice)

    async def write() -> None:
        for number in range(10_000):
            (await patch_status(monitor, asked.path, activity={**ACTIVITY, "reads": number})).done()

    writing = asyncio.create_task(write())
    try:
        (await asked.decide(place.people.bob)).done()
        await asked.phase("Active")
        (await asked.decide(place.people.bob, "Revoke")).done()
        await asked.unbound()
        await asked.phase("Revoked")
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await asked.closed()
    assert asked.status["activity"]["reads"] > 0


async def test_access_ends_on_time_whatever_stands_there(
    cluster: Installed, operator: OperatorProcess, place: Place, pulse: Pulse, read_log: ReadLog
) -> None:
    """Written past the API server, as what it checks now may not have been checked when it was stored."""
    end = (now() + timedelta(seconds=25)).replace(microsecond=0)
    active = (place.active(place.people.alice, notAfter=format_time(end)) for _ in HOSTILE)
    granted = dict(zip(HOSTILE, await asyncio.gather(*active), strict=True))

    async def forge(what: str, asked: Asked) -> None:
        key = f"/registry/curfew.dev/accessrequests/{place.namespace}/{asked.name}"

        def forged(stored: Body) -> Body:
            return {**stored, "status": {**stored["status"], "activity": HOSTILE[what]}}

        await asyncio.to_thread(cluster.environment.control_plane.edit_in_etcd, key, forged)
        await asked.until(lambda: "activity" in asked.status, "the forgery")

    await asyncio.gather(*(forge(what, asked) for what, asked in granted.items()))
    assert now() < end

    for what, asked in granted.items():
        gone_at = await asked.unbound(SOON + SOON)
        assert gone_at < end + pulse.within(timedelta(seconds=1), end, gone_at), what
    for what, asked in granted.items():
        await asked.closed()
        assert (asked.status["phase"], asked.status["endReason"]) == ("Expired", "DurationElapsed"), what
    evidence = await asyncio.to_thread(read_log, operator)
    for what, asked in granted.items():
        assert evidence.story(asked.uid)[-2:] == ["grant.expired", "request.closed"], what

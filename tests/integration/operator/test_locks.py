"""A lock stops a person at once, whatever else is away; lifted, everything works again; and all of it is in the record."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from curfew.api.times import format_time
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import GROUP, Answer, Person
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.pulse import Pulse
from tests.integration.operator.stage import Stage
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

Measured = Callable[[str, timedelta], None]
ReadLog = Callable[[OperatorProcess], Evidence]

AT_ONCE: Final = timedelta(seconds=1)
LOCKS: Final = f"{GROUP}/accesslocks"
WHY: Final = "her laptop was stolen; call 4711"


def a_lock(name: str, by: Person, target: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a lock."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": name},
        "spec": {"target": target, "reason": WHY, "submittedBy": by.name, **spec},
    }


@asynccontextmanager
async def locked(place: Place, target: dict[str, Any], **spec: Any) -> AsyncIterator[tuple[str, datetime]]:
    """Lock something, and yield the lock's name and when it was asked for; lift it at the end."""
    admin, name = place.people.admin, f"{place.namespace}-lock"
    asked_at = now()
    (await admin.post(LOCKS, a_lock(name, admin, target, **spec))).done()
    try:
        yield name, asked_at
    finally:
        answer = await admin.delete(f"{LOCKS}/{name}")
        assert answer.is_ok or answer.status == 404, answer.message


async def shown(admin: Person, name: str, told: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the status of a lock as soon as it shows something."""
    async with asyncio.timeout(SOON):
        while not told(status := (await admin.get(f"{LOCKS}/{name}")).done().get("status", {})):
            await a_moment()
    return dict(status)


async def of_locks(operator: OperatorProcess, read_log: ReadLog, name: str, until: str) -> list[str]:
    """Return the events of a lock in the log, once a certain one is there."""
    async with asyncio.timeout(SOON):
        while True:
            records = (await asyncio.to_thread(read_log, operator)).records
            told = [one.event for one in records if (one.block.get("detail") or {}).get("lock") == name]
            if until in told:
                return told
            await a_moment()


async def three_grants(stage: Stage, place: Place) -> list[Asked]:
    """Have alice hold three grants in two namespaces, and carol hold one."""
    other = await stage.place()
    alice = place.people.alice
    asked = [(place, alice), (place, alice), (other, alice), (other, place.people.carol)]
    return list(await asyncio.gather(*(where.active(who, duration="10m") for where, who in asked)))


async def test_three_grants_end_at_once_and_the_next_is_refused_until_the_lock_is_lifted(
    operator: OperatorProcess, stage: Stage, place: Place, pulse: Pulse, read_log: ReadLog, measured: Measured
) -> None:
    *hers, carols = await three_grants(stage, place)
    waiting = await place.pending(place.people.alice)
    async with locked(place, {"person": place.people.alice.name}) as (name, asked_at):
        gone = await asyncio.gather(*(asked.unbound() for asked in hers))
        measured("from the creation of a lock until the last of three grants is gone", max(gone) - asked_at)
        assert max(gone) - asked_at < pulse.within(AT_ONCE, asked_at, max(gone))
        await asyncio.gather(*(asked.phase("Revoked") for asked in hers))
        assert {asked.status["endReason"] for asked in hers} == {"Locked"}
        assert carols.status["phase"] == "Active"

        await waiting.phase("Failed")
        refused = await place.ask(place.people.alice)
        await refused.phase("Failed")
        for asked in (waiting, refused):
            assert asked.status["endReason"] == "Locked"
            words = str([condition["message"] for condition in asked.status["conditions"]])
            assert f"access of {place.people.alice.name} is locked (AccessLock {name} of " in words
            assert WHY in words

        status = await shown(place.people.admin, name, lambda status: status.get("grantsEnded") == 3)
        assert [(one["type"], one["status"]) for one in status["conditions"]] == [("InForce", "True")]
        async with asyncio.timeout(SOON):
            while await asyncio.to_thread(operator.metric, "curfew_locks", scope="person") != 1:
                await a_moment()

    await place.active(place.people.alice)
    assert await of_locks(operator, read_log, name, "lock.lifted") == ["lock.created", "lock.lifted"]
    evidence = await asyncio.to_thread(read_log, operator)
    for asked in hers:
        assert "grant.revoked" in evidence.story(asked.uid)


async def test_it_ends_access_while_the_bucket_is_away(
    operator: OperatorProcess, stage: Stage, place: Place, pulse: Pulse, read_log: ReadLog, measured: Measured
) -> None:
    hers = (await three_grants(stage, place))[:3]
    s3 = place.cluster.environment.s3
    await recorded(operator, *hers)
    await asyncio.to_thread(s3.stop)
    try:
        async with locked(place, {"person": place.people.alice.name}) as (name, asked_at):
            gone = await asyncio.gather(*(asked.unbound() for asked in hers))
            measured("the same while the bucket is away", max(gone) - asked_at)
            assert max(gone) - asked_at < pulse.within(AT_ONCE, asked_at, max(gone))
            refused = await place.ask(place.people.alice)
            await refused.phase("Failed")
            assert refused.status["endReason"] == "Locked"
    finally:
        await asyncio.to_thread(s3.start)
    await asyncio.gather(*(asked.closed() for asked in (*hers, refused)))
    assert await of_locks(operator, read_log, name, "lock.lifted") == ["lock.created", "lock.lifted"]


async def test_what_a_locked_person_approves_does_not_count(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """Approved before the lock, a request fails; approved under the lock, it waits for somebody else. A no still counts."""
    people = place.people
    await place.apply(place.policy("pair", approval={"mode": "Review", "count": 2}))
    before, during, denied = await asyncio.gather(*(place.pending(people.alice, "pair") for _ in range(3)))
    (await before.decide(people.dave)).done()
    await before.until(lambda: before.status.get("approvals") == "1/2", "the approval that counts")
    async with locked(place, {"person": people.dave.name}) as (name, _):
        await before.phase("Failed")
        assert before.status["endReason"] == "Locked"
        (await during.decide(people.dave)).done()
        (review,) = await during.until(lambda: during.status.get("reviews"), "the refusal of the approval")
        assert (review["by"], review["effect"]) == (people.dave.name, "Locked")
        (await denied.decide(people.dave, "Deny")).done()
        await denied.phase("Denied")
    (await during.decide(people.bob)).done()
    await during.until(lambda: during.status.get("approvals") == "1/2", "the approval of somebody else")
    assert during.status["phase"] == "Pending"
    (await during.decide(people.bob, "Deny")).done()
    await asyncio.gather(*(asked.closed() for asked in (before, during, denied)))

    records = (await asyncio.to_thread(read_log, operator)).records
    (refused,) = (one for one in records if one.event == "review.refused" and one.subject == during.uid)
    assert refused.block["actor"] == people.dave.name
    assert (
        f"access of {people.dave.name} is locked (AccessLock {name} of {people.admin.name}): {WHY}" in refused.message
    )


@pytest.mark.parametrize("scope", ["policy", "namespace"])
async def test_a_policy_or_a_namespace_is_locked_and_nothing_else(
    operator: OperatorProcess, stage: Stage, place: Place, scope: str
) -> None:
    other = await stage.place()
    alice = place.people.alice
    here, there = await asyncio.gather(place.active(alice, duration="10m"), other.active(alice, duration="10m"))
    target = {"policy": f"{place.namespace}/debug"} if scope == "policy" else {"namespace": place.namespace}
    async with locked(place, target):
        await here.phase("Revoked")
        assert (here.status["endReason"], there.status["phase"]) == ("Locked", "Active")
        second = await place.ask(alice, "automatic")
        assert await second.phase("Active", "Failed") == ("Active" if scope == "policy" else "Failed")


async def test_what_locks_did_is_in_the_log_once(operator: OperatorProcess, place: Place, read_log: ReadLog) -> None:
    """Also what happened while the operator was down; a lock that was made then ends access at the start."""
    admin = place.people.admin
    short, lifted, new = (f"{place.namespace}-{each}" for each in ("short", "lifted", "new"))
    try:
        asked = await place.active(place.people.alice, duration="10m")
        for name in (short, lifted):
            (await admin.post(LOCKS, a_lock(name, admin, {"person": f"{name}@example.com"}))).done()
        for name in (short, lifted):
            await of_locks(operator, read_log, name, "lock.created")
        await asyncio.to_thread(operator.kill)
        (await ends(admin, short, now() + timedelta(seconds=1))).done()
        (await admin.delete(f"{LOCKS}/{lifted}")).done()
        (await admin.post(LOCKS, a_lock(new, admin, {"person": place.people.alice.name}))).done()

        await asyncio.to_thread(operator.start)
        await asyncio.to_thread(operator.await_ready)
        await asked.unbound()
        await asked.phase("Revoked")
        assert asked.status["endReason"] == "Locked"
        assert await of_locks(operator, read_log, lifted, "lock.lifted") == ["lock.created", "lock.lifted"]
        assert await of_locks(operator, read_log, new, "lock.created") == ["lock.created"]
        (await ends(admin, new, now() + timedelta(hours=1))).done()
        assert await of_locks(operator, read_log, new, "lock.changed") == ["lock.created", "lock.changed"]
        told = await of_locks(operator, read_log, short, "lock.lifted")
        assert [event for event in told if event != "lock.changed"] == ["lock.created", "lock.lifted"]
        status = await shown(admin, short, lambda status: status["conditions"][0]["status"] == "False")
        assert status["conditions"][0]["reason"] == "Ended"
        assert (await asyncio.to_thread(read_log, operator)).twice == []
    finally:
        for name in (short, lifted, new):
            await admin.delete(f"{LOCKS}/{name}")


async def ends(by: Person, name: str, at: datetime) -> Answer:
    """Bring the end of a lock closer."""
    return await by.patch(f"{LOCKS}/{name}", [{"op": "add", "path": "/spec/endsAt", "value": format_time(at)}])


async def test_nothing_is_granted_while_the_locks_cannot_be_read_and_access_still_ends(
    operator: OperatorProcess, place: Place
) -> None:
    """The right to list them is taken away, and given back."""
    granted = await place.active(place.people.alice, duration="10m")
    kubectl = place.cluster.kubectl
    role = json.loads(kubectl("get", "clusterrole", "curfew", "--output=json").stdout)
    without = [rule for rule in role["rules"] if "accesslocks" not in rule["resources"]]
    await asyncio.to_thread(operator.kill)
    try:
        patch = json.dumps({"rules": without})
        await asyncio.to_thread(kubectl, "patch", "clusterrole", "curfew", "--type=merge", f"--patch={patch}")
        await asyncio.to_thread(operator.start)
        asked = await place.ask(place.people.alice, "automatic")
        words = await asked.said("Active", "LocksNotListed")
        assert "Curfew cannot find out which AccessLocks there are" in words
        status, said = await asyncio.to_thread(operator.readyz)
        assert (status, said["parts"]["locks"].partition(":")[0]) == (503, words.partition(": ")[2].partition(":")[0])
        assert await asyncio.to_thread(operator.metric, "curfew_locks_known") == 0
        (await granted.decide(place.people.bob, "Revoke")).done()
        await granted.unbound()
        assert asked.status["phase"] == "Approved"
    finally:
        patch = json.dumps({"rules": role["rules"]})
        await asyncio.to_thread(kubectl, "patch", "clusterrole", "curfew", "--type=merge", f"--patch={patch}")
    await asked.phase("Active")
    await asyncio.to_thread(operator.await_ready)
    async with asyncio.timeout(SOON):
        while await asyncio.to_thread(operator.metric, "curfew_locks_known") != 1:
            await a_moment()

"""What becomes of what a thief of the operator's token writes into a status, with the operator running.

What the API server refuses is in `families/statuses.py`. Here it takes everything; the twins are ordinary grants that go on.
Forged records and a forged phase are in `tests/integration/operator/test_statuses.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from curfew.api.times import format_time
from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import Body, Person
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.stage import a_stage
from tests.integration.operator.thief import a_thief, patch_status, write_status
from tests.support.operator_process import OperatorProcess, dead
from tests.support.pausing import a_moment
from tests.support.scale import soaks

ReadLog = Callable[[OperatorProcess], Evidence]

LASTS: Final = timedelta(seconds=15 if soaks() else 12)
STORM: Final = LASTS if soaks() else timedelta(seconds=2)
"""Before the end of a grant: from then on its status is written without any pause."""


@pytest.fixture
async def place(cluster: Installed, certificates: Path) -> AsyncIterator[Place]:
    """Return a place for one test."""
    async with a_stage(cluster, certificates) as made:
        yield await made.place()


@pytest.fixture
async def thief(cluster: Installed) -> AsyncIterator[Person]:
    """Return whoever has stolen the operator's own token."""
    async with a_thief(cluster) as made:
        yield made


def sealed(asked: Asked) -> list[Body]:
    """Return all entries that were seen in the outbox of a request: Curfew's own, each under its seal."""
    seen = [sight.body.get("status", {}).get("outbox", []) for sight in asked.place.sights.requests.history[asked.uid]]
    return list({entry["record"]: entry for entries in seen for entry in entries}.values())


async def test_what_was_sealed_for_one_request_is_good_for_no_other_and_for_that_one_once(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """Entries from before, as the thief may have kept them: alice's grant for carol's request, and once more for hers."""
    granted = await place.active(place.people.alice, duration="10m")
    waiting = await place.pending(place.people.carol)
    await recorded(operator, granted, waiting)
    kept = sealed(granted)

    await write_status(thief, waiting, outbox=kept)
    await write_status(thief, granted, outbox=kept)
    history = place.sights.requests.history[waiting.uid]
    await waiting.until(
        lambda: any(entry in kept for sight in history for entry in sight.body.get("status", {}).get("outbox", ())),
        "the outbox that the thief wrote",
    )
    await waiting.until(lambda: not any(entry in kept for entry in waiting.status["outbox"]), "an outbox of its own")
    (await granted.decide(place.people.bob, "Revoke")).done()
    (await waiting.decide(place.people.bob, "Deny")).done()
    await granted.closed()
    await waiting.closed()

    assert len(kept) >= 3
    evidence = await asyncio.to_thread(read_log, operator)
    assert evidence.twice == []
    assert "request.outbox_altered" not in evidence.story(granted.uid)
    told = evidence.record(waiting.uid, "request.outbox_altered")
    assert told.block["detail"]["entries"] == len(kept)
    assert not {"review.approved", "grant.activated"} & set(evidence.story(waiting.uid))


async def test_terms_that_are_written_ahead_of_curfew_are_nobodys(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """The thief pins another role while Curfew is down; bob, who sees what the policy offers, agrees; nothing is granted."""
    model = (await place.pending(place.people.carol)).status["terms"]
    role = {**model["role"], "name": "edit"}
    with dead(operator):
        asked = await place.ask(place.people.alice)
        later = format_time(now() + timedelta(hours=1))
        await write_status(thief, asked, phase="Pending", decisions=[], terms={**model, "role": role}, decideBy=later)
        (await asked.decide(place.people.bob)).done()
    await asked.closed(SOON + SOON)

    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "TermsChanged")
    assert place.sights.bindings_of(asked.uid) == []
    assert "grant.intended" not in (await asyncio.to_thread(read_log, operator)).story(asked.uid)


async def test_a_forged_end_ends_access_and_is_told(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """A final phase hides no binding. The twin, a grant beside it, goes on."""
    asked = await place.active(place.people.alice)
    twin = await place.active(place.people.carol, duration="10m")
    at = format_time(now())
    await write_status(thief, asked, phase="Expired", endedAt=at, endReason="DurationElapsed")
    await asked.unbound()

    async with asyncio.timeout(SOON):
        while "grant.orphan_removed" not in (await asyncio.to_thread(read_log, operator)).story(asked.uid):
            await a_moment()
    assert (await twin.binding_now()).is_ok


async def test_a_grant_ends_on_time_whatever_is_written_into_its_status(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """Soon after its beginning, and all the time around its end: entries as large as fit, conditions, times."""
    end = (now() + LASTS).replace(microsecond=0)
    asked = await place.active(place.people.alice, notAfter=format_time(end))
    huge: Body = {"record": "x" * 60_000, "seal": "0" * 64}
    written = 0
    while asked.status["phase"] == "Active" and now() < end + timedelta(seconds=5):
        forgeries: list[Body] = [
            {"outbox": [huge] * 16},
            {"conditions": []},
            {"approvals": "0/9", "decideBy": format_time(now())},
            {"activeUntil": format_time(end + timedelta(hours=1))},
        ]
        for status in forgeries:
            answer = await patch_status(thief, asked.path, **status)
            written += answer.is_ok
        if now() < end - STORM:
            await asyncio.sleep(1)
    gone_at = await asked.unbound()
    await asked.closed()

    assert written > 10
    assert gone_at < end + timedelta(seconds=5)  # a machine may be busy; how late an end is, test_lifecycle measures
    assert (asked.status["phase"], asked.status["endReason"]) == ("Expired", "DurationElapsed")
    evidence = await asyncio.to_thread(read_log, operator)
    assert evidence.twice == []
    assert evidence.story(asked.uid)[-2:] == ["grant.expired", "request.closed"]


async def test_what_is_written_into_the_status_of_a_policy_hides_no_change(
    operator: OperatorProcess, place: Place, thief: Person, read_log: ReadLog
) -> None:
    """The thief has it that a weaker version is recorded already; the log knows what it has."""
    path = f"/apis/curfew.dev/v1alpha1/namespaces/{place.namespace}/accesspolicies/debug"

    def found() -> Body | None:
        there = [body for body in place.sights.policies.objects.values() if "recorded" in body.get("status", {})]
        names = (place.namespace, "debug")
        return next(
            (body for body in there if (body["metadata"]["namespace"], body["metadata"]["name"]) == names), None
        )

    seen = await place.sights.policies.until(found, "the policy in the log", SOON)
    weaker = {**seen["spec"], "maxDuration": "8h"}
    recorded = {"generation": seen["metadata"]["generation"] + 1, "spec": weaker}
    (await patch_status(thief, path, recorded=recorded, conditions=[])).done()
    await place.apply(place.policy("debug", maxDuration="8h"))

    uid = seen["metadata"]["uid"]
    async with asyncio.timeout(SOON):
        while "policy.weakened" not in (told := (await asyncio.to_thread(read_log, operator)).story(uid)):
            await a_moment()
    assert told == ["policy.created", "policy.weakened"]

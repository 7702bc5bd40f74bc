"""Decisions in the same instant, at the edge of the quorum: one outcome, a person counted once, one grant, one story."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import pytest

from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import Answer, Body, Person
from tests.integration.operator.place import SOON, Asked, Place
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment
from tests.support.scale import soaks

ReadLog = Callable[[OperatorProcess], Evidence]

CROWD: Final = 12
ROUNDS: Final = 12 if soaks() else 4
"""How often two race each other: enough to see both of them win, sooner or later."""

TWO: Final = "two"
"""A policy that takes two people."""


@pytest.fixture
async def crowd(place: Place) -> list[Person]:
    """Return a dozen approvers, for whom the admin speaks, and offer what takes two of them."""
    people = [place.people.admin.as_(f"approver-{number}@example.com") for number in range(CROWD)]
    await place.apply(
        place.policy(TWO, approval={"mode": "Review", "count": 2}),
        *(_held_by_all("people", people, place), _held_by_all("deciding", people, place)),
    )
    ask = ("approve", f"accesspolicies.curfew.dev/{TWO}")
    await asyncio.to_thread(place.cluster.await_right, people[-1].name, *ask, namespace=place.namespace)
    return people


def _held_by_all(role: str, people: Sequence[Person], place: Place) -> Body:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"crowd-{role}", "namespace": place.namespace},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": person.name} for person in people],
    }


async def at_once(*calls: Awaitable[Answer]) -> Sequence[Answer]:
    """Make calls in the same instant, each on a connection of its own."""
    return await asyncio.gather(*calls)


def made(asked: Asked) -> int:
    """Return how often a binding was seen to be made for a request."""
    return [sight.type for sight in asked.place.sights.bindings_of(asked.uid)].count("ADDED")


def deciders(asked: Asked, decision: str = "Approve") -> Counter[str]:
    """Return who decided so, and how often."""
    return Counter(found["by"] for found in asked.status["decisions"] if found["decision"] == decision)


def says(asked: Asked, approvals: str) -> bool:
    """Tell whether a request shows so many approvals."""
    return bool(asked.status.get("approvals") == approvals)


async def told_once(requests: Sequence[Asked], operator: OperatorProcess, read_log: ReadLog) -> list[Counter[str]]:
    """Return the whole story of each request, in which nothing but decisions is told more than once."""
    async with asyncio.timeout(SOON):
        while True:
            evidence = await asyncio.to_thread(read_log, operator)
            stories = [evidence.story(asked.uid) for asked in requests]
            if all("request.closed" in story for story in stories):  # a decision that came last may be told after it
                break
            await a_moment()
    told = [Counter(story) for story in stories]
    twice = {event for story in told for event, count in story.items() if count > 1}
    assert twice <= {"review.submitted"}
    return told


async def test_a_dozen_approve_in_the_same_instant(
    operator: OperatorProcess, place: Place, crowd: list[Person], read_log: ReadLog
) -> None:
    """Two are enough. Whoever else was let in is counted too, and none of them makes a second grant."""
    requests = [await place.pending(place.people.alice, TWO) for _ in range(2)]

    answers = await at_once(*(asked.decide(person) for person in crowd for asked in requests))

    assert {answer.status for answer in answers} <= {200, 403, 409}  # done; too late; beaten to it too often
    for asked in requests:
        await asked.phase("Active")
        assert len(deciders(asked)) >= 2
        assert set(deciders(asked).values()) == {1}
        (await asked.decide(crowd[0], "Revoke")).done()
        await asked.unbound()
    for asked, told in zip(requests, await told_once(requests, operator, read_log), strict=True):
        assert told["grant.activated"] == made(asked) == 1


async def test_one_person_racing_themself_is_one_person(
    operator: OperatorProcess, place: Place, crowd: list[Person]
) -> None:
    """However often bob approves in one instant, the second approval is somebody else's."""
    requests = [await place.pending(place.people.alice, TWO) for _ in range(2)]
    bob, dave = place.people.bob, place.people.dave

    answers = await at_once(*(asked.decide(bob) for _ in range(CROWD) for asked in requests))

    assert Counter(answer.is_ok for answer in answers)[True] == len(requests)
    for asked in requests:
        await asked.until(partial(says, asked, "1/2"), "one approval of two")
        assert (asked.status["phase"], deciders(asked)) == ("Pending", {bob.name: 1})
        (await asked.decide(dave)).done()
        await asked.bound()
        await asked.phase("Active")
        assert made(asked) == 1


@pytest.mark.parametrize(
    ("rival", "outcomes"),
    [
        pytest.param("Deny", {"Denied", "Revoked"}, id="a denial"),
        pytest.param("Cancel", {"Cancelled", "Revoked"}, id="a cancellation"),
    ],
)
async def test_the_last_approval_races(
    operator: OperatorProcess, place: Place, crowd: list[Person], read_log: ReadLog, rival: str, outcomes: set[str]
) -> None:
    """One of the two is carried out, and what is told is the story of that one."""
    people, requests = place.people, [await place.pending(place.people.alice, TWO) for _ in range(ROUNDS)]
    against = people.alice if rival == "Cancel" else people.dave
    for asked in requests:
        (await asked.decide(crowd[0])).done()

    races = await asyncio.gather(
        *(at_once(asked.decide(people.bob), asked.decide(against, rival)) for asked in requests)
    )

    for asked, (_, answer) in zip(requests, races, strict=True):
        if not answer.is_ok:
            await asked.phase("Active")
            (await asked.decide(people.bob, "Revoke")).done()
        if await asked.phase(*(outcomes if answer.is_ok else {"Revoked"})) == "Revoked":
            await asked.unbound()
    for asked, told in zip(requests, await told_once(requests, operator, read_log), strict=True):
        assert told["grant.activated"] == made(asked) == (asked.status["phase"] == "Revoked")
        assert place.sights.binding(asked.uid) is None


async def test_the_last_approval_races_a_deletion(
    operator: OperatorProcess, place: Place, crowd: list[Person], read_log: ReadLog
) -> None:
    """Granted for a moment or never: nothing is left, and the end is told once."""
    people, requests = place.people, [await place.pending(place.people.alice, TWO) for _ in range(ROUNDS)]
    for asked in requests:
        (await asked.decide(crowd[0])).done()

    await at_once(*(call for asked in requests for call in (asked.decide(people.bob), people.alice.delete(asked.path))))

    for asked in requests:
        await place.sights.requests.gone(asked.uid, SOON)
    for asked, told in zip(requests, await told_once(requests, operator, read_log), strict=True):
        assert told["request.deleted"] == 1
        assert made(asked) <= 1
        assert (await asked.binding_now()).status == 404

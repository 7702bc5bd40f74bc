"""Crash anywhere, run again, same end (promise P10).

For every n: the n-th call to the world fails, before its effect, after it with the answer lost, or by the death of the
process at that point. The operator goes on, or is started anew, and the world comes to the same place with each record once.
"""

from collections.abc import Awaitable, Callable

import pytest

from curfew.ports import Unavailable
from tests.support.builders import ALICE, BOB, a_decision, a_policy, a_request
from tests.support.ocsf import validate
from tests.support.stage import Stage
from tests.support.world import Crash, FailurePlan

Story = Callable[["Teller"], Awaitable[None]]


class Teller:
    """Tells a story to a stage whose operator may die, and starts it again when it does."""

    def __init__(self, failures: FailurePlan, policy: dict[str, object] | None = None) -> None:
        self.stage = Stage(policy=policy)
        self.stage.plan_failure(failures)

    async def settle(self) -> None:
        """Let the operator come to rest, through a crash if need be."""
        try:
            await self.stage.settle()
        except Crash:
            self.stage.restart()
            await self.stage.settle()

    async def pass_time(self, **by: float) -> None:
        """Let time pass, through a crash if need be."""
        before = self.stage.clock.now()
        try:
            await self.stage.pass_time(**by)
        except Crash:
            self.stage.restart()
            await self.stage.settle()
            left = sum(by.values()) * 3600 - (self.stage.clock.now() - before).total_seconds()
            await self.stage.pass_time(seconds=left)


async def runs_its_time(teller: Teller) -> None:
    """Asked, approved, expired."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision())
    await teller.settle()
    await teller.pass_time(hours=1)


async def is_revoked(teller: Teller) -> None:
    """Asked, approved, ended early."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await teller.settle()


async def is_denied(teller: Teller) -> None:
    """Asked, denied."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision(BOB, "Deny"))
    await teller.settle()


async def is_cancelled(teller: Teller) -> None:
    """Asked, withdrawn."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel"))
    await teller.settle()


async def times_out(teller: Teller) -> None:
    """Asked, and nobody cared."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    await teller.pass_time(hours=1)


async def is_refused(teller: Teller) -> None:
    """Asked for too much."""
    teller.stage.cluster.apply(a_request(duration="9h"))
    await teller.settle()


async def waits_for_its_start(teller: Teller) -> None:
    """Approved for later."""
    teller.stage.cluster.apply(a_request(notBefore="2026-11-23T14:00:00Z"))
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision())
    await teller.settle()
    await teller.pass_time(hours=4)


async def is_deleted(teller: Teller) -> None:
    """Deleted while active."""
    teller.stage.cluster.apply(a_request())
    await teller.settle()
    teller.stage.cluster.decide("inc-4711", a_decision())
    await teller.settle()
    teller.stage.cluster.delete("AccessRequest", "inc-4711")
    await teller.settle()


async def policies_come_and_go(teller: Teller) -> None:
    """A policy is changed twice, and deleted; another comes and goes while the operator is dead."""
    cluster = teller.stage.cluster
    await teller.settle()
    cluster.apply(a_policy(maxDuration="8h"))
    await teller.settle()
    cluster.apply(a_policy(maxDuration="2h"))
    await teller.settle()
    cluster.apply(a_policy("other"))
    await teller.settle()
    cluster.delete("AccessPolicy", "debug")
    await teller.settle()
    teller.stage.restart()
    cluster.watchers = []  # nobody looks
    cluster.delete("AccessPolicy", "other")
    teller.stage.restart()
    await teller.settle()


STORIES: list[Story] = [
    policies_come_and_go,
    runs_its_time,
    is_revoked,
    is_denied,
    is_cancelled,
    times_out,
    is_refused,
    waits_for_its_start,
    is_deleted,
]

DEATHS = [
    pytest.param(Unavailable, False, id="the call fails"),
    pytest.param(Unavailable, True, id="the answer is lost"),
    pytest.param(Crash, False, id="the process dies before the call"),
    pytest.param(Crash, True, id="the process dies after the call"),
]


def the_end(stage: Stage) -> object:
    """Return what has to be the same however often the operator died."""
    requests = stage.cluster.all("AccessRequest")
    return (
        [
            (
                body["status"].get("phase"),
                body["status"].get("endReason"),
                body["status"].get("expiresAt"),
                body["status"].get("outbox"),
                body["metadata"].get("labels"),
            )
            for body in requests
        ],
        [body["status"].get("recorded") for body in stage.cluster.all("AccessPolicy")],
        stage.bindings(),
        sorted((record.event, record.id) for record in stage.log),
    )


@pytest.mark.parametrize(("how", "after"), DEATHS)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_whatever_fails_the_story_ends_the_same(story: Story, how: type[BaseException], after: bool) -> None:
    """Exhaustive: every call of every story fails once in every way."""
    undisturbed = Teller(FailurePlan())
    await story(undisturbed)
    expected, calls = the_end(undisturbed.stage), len(undisturbed.stage.failures.calls)
    assert calls > 3
    for record in undisturbed.stage.log:
        validate(record)

    for n in range(1, calls + 1):
        teller = Teller(FailurePlan(n, how=how, after=after))
        await story(teller)
        call = teller.stage.failures.calls[n - 1]

        assert the_end(teller.stage) == expected, f"{call} (call {n})"
        ids = [record.id for record in teller.stage.log]
        assert len(ids) == len(set(ids)), f"{call} (call {n}): a record twice"
        made = teller.stage.cluster.bindings_made
        assert len(made) == len(set(made)), f"{call} (call {n}): a grant twice"
        for name, at in teller.stage.cluster.bindings_removed:
            assert at <= teller.stage.clock.now(), name


async def test_automatic_grants_survive_any_crash_too() -> None:
    """The shortest path has no person in it who would ask again."""
    policy = a_policy(approval={"mode": "Automatic"})

    async def story(teller: Teller) -> None:
        teller.stage.cluster.apply(a_request())
        await teller.settle()
        await teller.pass_time(hours=1)

    undisturbed = Teller(FailurePlan(), policy)
    await story(undisturbed)
    expected, calls = the_end(undisturbed.stage), len(undisturbed.stage.failures.calls)

    for n in range(1, calls + 1):
        for after in (False, True):
            teller = Teller(FailurePlan(n, how=Crash, after=after), policy)
            await story(teller)
            assert the_end(teller.stage) == expected, (n, after)

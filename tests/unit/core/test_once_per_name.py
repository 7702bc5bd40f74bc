"""A policy can take each name once: what Git or a backup makes anew is not granted again."""

from typing import Any

import pytest

from tests.support.builders import ALICE, a_decision, a_policy, a_request
from tests.support.stage import Stage, pending

ONCE: dict[str, Any] = {
    "approval": {"mode": "Automatic"},
    "limits": {"activePerRequester": 10, "pendingPerRequester": 10, "oncePerName": True},
}


@pytest.fixture
async def ended() -> Stage:
    """Return a stage on which alice was granted access, gave it back, and the request was deleted."""
    stage = Stage(policy=a_policy(**ONCE))
    await pending(stage)
    assert stage.phase() == "Active"
    stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel"))
    await stage.settle()
    stage.cluster.delete("AccessRequest", "inc-4711")
    await stage.settle()
    return stage


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_name_is_not_granted_again(ended: Stage, restarted: bool) -> None:
    if restarted:
        ended.restart()
    ended.cluster.apply(a_request())
    await ended.settle()

    assert (ended.phase(), ended.cluster.status("inc-4711")["endReason"]) == ("Failed", "NameWasUsed")
    assert "apply the request under another name" in ended.condition("Ready")["message"]
    assert ended.bindings() == []


async def test_another_name_is(ended: Stage) -> None:
    ended.cluster.apply(a_request("inc-4712"))
    await ended.settle()

    assert ended.phase("inc-4712") == "Active"


async def test_a_request_waits_for_a_store_that_is_away_and_says_so() -> None:
    stage = Stage(policy=a_policy(**ONCE))
    stage.names.is_away = True

    await pending(stage)
    assert stage.phase() is None
    assert stage.condition("Ready")["message"].endswith("whether the name was used before: the bucket is away.")
    stage.names.is_away = False
    await stage.pass_time(seconds=2)

    assert stage.phase() == "Active"


async def test_without_the_limit_nothing_is_kept() -> None:
    stage = Stage()

    await pending(stage)

    assert stage.names.used == {}

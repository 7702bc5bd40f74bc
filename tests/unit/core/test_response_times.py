"""How long people took to answer is measured once, when the answer is seen, and only if people were to answer."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.core.response_times import ResponseTimes
from tests.support.builders import BOB, CAROL, DAVE, a_decision, a_policy
from tests.support.stage import Stage, pending

STAGES = {"mode": "Review", "stages": [{"name": "owners", "count": 2}, {"name": "security"}]}


async def after(stage: Stage, seconds: int, decision: dict[str, str]) -> ResponseTimes:
    """Let time pass, decide, and return what was measured."""
    stage.clock.advance(seconds=seconds)
    stage.cluster.decide("inc-4711", decision)
    await stage.settle()
    return stage.told.responses[-1]


async def test_each_stage_is_measured_when_it_is_filled_and_the_first_answer_once() -> None:
    stage = Stage(policy=a_policy(approval=STAGES))
    await pending(stage)

    first = await after(stage, 10, a_decision(BOB, stage="owners"))
    second = await after(stage, 20, a_decision(CAROL, stage="security"))
    third = await after(stage, 30, a_decision(DAVE, stage="owners"))

    assert (first.first_review, dict(first.stages)) == (timedelta(seconds=10), {})
    assert (second.first_review, dict(second.stages)) == (None, {"security": timedelta(seconds=30)})
    assert (third.first_review, dict(third.stages)) == (None, {"owners": timedelta(seconds=60)})
    assert stage.phase() == "Active"


async def test_a_denial_is_an_answer_and_fills_nothing() -> None:
    stage = Stage(policy=a_policy(approval=STAGES))
    await pending(stage)

    assert await after(stage, 7, a_decision(BOB, "Deny")) == ResponseTimes(timedelta(seconds=7))


@pytest.mark.parametrize(
    ("approval", "decision"),
    [
        pytest.param({"mode": "Review"}, a_decision("alice@example.com", "Cancel"), id="the requester gives up"),
        pytest.param({"mode": "Review", "reason": {"minLength": 9}}, a_decision(BOB, reason="ok"), id="no reason"),
        pytest.param(STAGES, a_decision(BOB, stage="nobody"), id="a stage that is not"),
    ],
)
async def test_what_does_not_count_is_no_answer(approval: dict[str, Any], decision: dict[str, str]) -> None:
    stage = Stage(policy=a_policy(approval=approval))
    await pending(stage)

    assert await after(stage, 7, decision) == ResponseTimes()


@pytest.mark.parametrize("mode", ["Automatic", "BreakGlass"])
async def test_what_needs_no_people_is_not_measured(mode: str) -> None:
    stage = Stage(policy=a_policy(approval={"mode": mode}))
    await pending(stage)

    assert await after(stage, 7, a_decision(BOB, "Revoke")) == ResponseTimes()

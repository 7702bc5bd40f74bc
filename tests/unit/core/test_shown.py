"""What `kubectl get accessrequest` shows of a request, and what a GitOps tool makes of it."""

from typing import Any

import pytest

from tests.support.builders import ALICE, BOB, CAROL, a_decision, a_policy
from tests.support.stage import Stage, active, pending


def status(stage: Stage) -> dict[str, Any]:
    return stage.cluster.status("inc-4711")


async def test_the_end_is_shown_only_while_the_access_is_there() -> None:
    stage = Stage()
    await active(stage)
    assert status(stage)["activeUntil"] == status(stage)["expiresAt"]

    stage.cluster.decide("inc-4711", a_decision(BOB, "Revoke"))
    await stage.settle()

    assert "activeUntil" not in status(stage)
    assert status(stage)["expiresAt"]
    assert status(stage)["endedAt"]


@pytest.mark.parametrize(
    ("spec", "decision", "stalled", "why"),
    [
        pytest.param({"duration": "5h"}, None, True, "nothing was granted: spec.duration asks for 5h", id="rejected"),
        pytest.param({}, None, False, "waits for people to agree", id="pending"),
        pytest.param({}, a_decision(BOB, "Deny"), False, f"nothing was granted: {BOB} denied it", id="denied"),
        pytest.param({}, a_decision(), False, f"{ALICE} holds ClusterRole payments-debug in payments", id="granted"),
    ],
)
async def test_a_list_shows_why_and_only_what_failed_for_good_is_stalled(
    spec: dict[str, str], decision: dict[str, str] | None, stalled: bool, why: str
) -> None:
    """Flux and Argo CD stop waiting for what is Stalled, and wait for nothing else (kstatus)."""
    stage = Stage()
    await pending(stage, **spec)
    if decision is not None:
        stage.cluster.decide("inc-4711", decision)
        await stage.settle()

    assert stage.condition("Active")["message"].startswith(why)
    assert any(each["type"] == "Stalled" for each in status(stage)["conditions"]) == stalled


async def test_what_fails_at_the_grant_is_stalled() -> None:
    stage = Stage()
    await pending(stage)
    stage.cluster.delete("ClusterRole", "payments-debug", "")

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert stage.phase() == "Failed"
    assert stage.condition("Stalled")["status"] == "True"


async def test_a_review_names_who_has_looked() -> None:
    stage = Stage(policy=a_policy(approval={"mode": "BreakGlass"}))
    await pending(stage)
    assert stage.condition("Reviewed")["reason"] == "ReviewOwed"

    stage.cluster.decide("inc-4711", a_decision(CAROL, "Review"))
    await stage.settle()

    assert stage.condition("Reviewed")["message"] == f"{CAROL} has reviewed it"

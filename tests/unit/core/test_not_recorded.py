"""A glass that may be broken while the log cannot be written: announced in the status, and in the log later (promise P2)."""

from typing import Any

import pytest

from curfew.api.times import parse_time
from curfew.audit.record import Story
from curfew.core.facts import EnforcementState
from tests.support.builders import ALICE, NOON, a_decision, a_policy, a_request
from tests.support.stage import FakeTrail, Stage, active, pending

GRANT: dict[str, Any] = {"approval": {"mode": "BreakGlass", "whenNotRecorded": "Grant"}}


def without_a_log(policy: dict[str, Any]) -> Stage:
    stage = Stage(policy=a_policy(**policy))
    stage.trail.ok = False
    return stage


async def log_is_back(stage: Stage) -> None:
    stage.trail.ok = True
    stage.look_at_all_requests()
    await stage.settle()


async def test_a_glass_may_be_broken_while_the_log_cannot_be_written() -> None:
    stage = without_a_log(GRANT)

    await pending(stage)

    assert stage.phase() == "Active"
    assert stage.log == []
    assert stage.condition("Recorded")["status"] == "False"
    (binding,) = stage.bindings()
    assert binding["metadata"]["annotations"]["curfew.dev/receipt"] == "not-recorded"
    assert [notice.reason for notice in stage.told.notices if notice.type == "Warning"].count("BreakGlassInvoked") == 2


async def test_its_records_are_first_in_the_log_later_and_in_order() -> None:
    stage = without_a_log(GRANT)
    await pending(stage)

    await log_is_back(stage)

    assert stage.events() == [
        "request.created",
        "request.accepted",
        "review.break_glass_invoked",
        "grant.intended",
        "grant.activated",
    ]
    assert stage.phase() == "Active"
    assert stage.condition("Recorded")["status"] == "True"


async def test_a_glass_that_shows_that_the_log_is_away_does_not_wait_for_it() -> None:
    """Nobody knew when it was announced. The log gets that announcement later, and the binding keeps to its window."""
    stage = Stage(policy=a_policy(**GRANT))
    stage.cluster.apply(a_request())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeTrail, "flush", lambda trail: set())
        await stage.settle()
    assert (stage.phase(), stage.bindings()) == ("Pending", [])
    stage.clock.advance(seconds=3)
    stage.trail.ok = False
    stage.look_at_all_requests()
    await stage.settle()

    (before,) = stage.bindings()
    assert (stage.phase(), before["metadata"]["annotations"]["curfew.dev/receipt"]) == ("Active", "not-recorded")

    await log_is_back(stage)
    assert (stage.phase(), stage.bindings()) == ("Active", [before])
    assert stage.events().count("grant.intended") == 1
    told = Story.of(next(record for record in stage.log if record.event == "grant.intended"))
    assert (told.starts_at, told.expires_at) == (NOON, parse_time(stage.cluster.status("inc-4711")["expiresAt"]))


@pytest.mark.parametrize("how", ["time", "Cancel"])
async def test_it_ends_like_every_other_also_without_a_log(how: str) -> None:
    stage = without_a_log(GRANT)
    await pending(stage)

    if how == "time":
        await stage.pass_time(hours=1)
    else:
        stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel"))
        await stage.settle()
    assert stage.bindings() == []
    assert stage.phase() == ("Expired" if how == "time" else "Revoked")

    await log_is_back(stage)
    assert stage.events()[3:5] == ["grant.intended", "grant.activated"]
    assert ("grant.expired" if how == "time" else "grant.revoked") in stage.events()


async def test_it_survives_a_restart_of_the_operator() -> None:
    """The announcement in the status is as good as one in the log: it is sealed."""
    stage = without_a_log(GRANT)
    await pending(stage)
    (before,) = stage.bindings()

    stage.restart()
    stage.trail.ok = False
    await stage.settle()

    (after,) = stage.bindings()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert stage.phase() == "Active"


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"approval": {"mode": "BreakGlass"}}, id="a glass of another policy"),
        pytest.param({"approval": {"mode": "Automatic"}}, id="no glass"),
    ],
)
async def test_nothing_else_is_granted_without_a_record(policy: dict[str, Any]) -> None:
    stage = without_a_log(policy)

    await pending(stage)

    assert stage.phase() == "Approved"
    assert stage.bindings() == []


async def test_it_waits_for_everything_else() -> None:
    stage = without_a_log(GRANT)
    stage.enforcement = EnforcementState(ok=False, reason="NotEnforced", message="a policy is out of force", since=NOON)

    await pending(stage)

    assert stage.bindings() == []


async def test_a_binding_that_says_so_on_another_policy_is_removed() -> None:
    """As a thief of the operator's token would make one (promise P9)."""
    stage = Stage()
    await active(stage)

    def strip(body: dict[str, Any]) -> None:
        body["metadata"]["annotations"]["curfew.dev/receipt"] = "not-recorded"

    stage.cluster.edit_binding(stage.bindings()[0]["metadata"]["name"], strip)
    await stage.settle()

    assert stage.bindings() == []
    assert stage.cluster.status("inc-4711")["endReason"] == "BindingTampered"

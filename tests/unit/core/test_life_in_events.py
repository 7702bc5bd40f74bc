"""What people see of a request with `kubectl describe`: few Events, each with what they need."""

import pytest

from curfew.api.times import format_time
from tests.support.builders import ALICE, BOB, CAROL, DAVE, NOON, a_decision, a_policy
from tests.support.stage import Stage, active, pending


def told(stage: Stage) -> list[str]:
    """Return the reasons of all Events, in order."""
    return [notice.reason for notice in stage.told.notices]


async def test_an_ordinary_life_has_three_events() -> None:
    """Somebody waits, somebody holds access and who agreed to it, and the access is gone."""
    stage = Stage()
    await active(stage)
    await stage.pass_time(hours=1)

    assert told(stage) == ["Accepted", "Granted", "Expired"]
    assert {notice.regarding.kind for notice in stage.told.notices} == {"AccessRequest"}
    assert stage.told.notices[1].note == (
        f"request inc-4711 of {ALICE} was granted: {ALICE} holds ClusterRole payments-debug in payments "
        f"until 2026-11-23T13:00:00Z; approved by {BOB}"
    )


async def test_an_approval_that_is_not_the_last_has_an_event_of_its_own() -> None:
    """Whoever waits sees who has agreed so far."""
    stages = [{"name": "owners"}, {"name": "security"}]
    stage = Stage(policy=a_policy(approval={"mode": "Review", "stages": stages}))
    await pending(stage)
    for by, name in ((BOB, "owners"), (DAVE, "security")):
        stage.cluster.decide("inc-4711", a_decision(by, stage=name))
        await stage.settle()

    assert told(stage) == ["Accepted", "ReviewSubmitted", "Granted"]
    assert stage.told.notices[-1].note.endswith(f"; approved by {BOB}, {DAVE}")


async def test_one_that_waits_to_begin_names_who_agreed() -> None:
    """They may wait for days."""
    stage = Stage()
    await pending(stage, notBefore=format_time(NOON.replace(hour=13)))
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert told(stage) == ["Accepted", "Approved"]
    assert (
        stage.told.notices[-1].note == f"request inc-4711 of {ALICE} was approved and waits to begin; approved by {BOB}"
    )


@pytest.mark.parametrize(("decision", "by", "end"), [("Deny", BOB, "Denied"), ("Cancel", ALICE, "Cancelled")])
async def test_a_no_is_one_event_that_names_who_said_it(decision: str, by: str, end: str) -> None:
    """The decision itself is in the status."""
    stage = Stage()
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision(by, decision))
    await stage.settle()

    assert told(stage) == ["Accepted", end]
    assert by in stage.told.notices[-1].note


async def test_a_decision_that_does_not_count_is_always_told() -> None:
    """Somebody tried, and nothing else shows it."""
    stage = Stage()
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision(ALICE))
    stage.cluster.decide("inc-4711", a_decision(CAROL))
    await stage.settle()

    assert told(stage) == ["Accepted", "ReviewRefused", "Granted"]
    assert stage.told.notices[-1].note.endswith(f"; approved by {CAROL}")


async def test_a_broken_glass_is_also_told_to_the_namespace() -> None:
    """Everybody there has to see it."""
    stage = Stage(policy=a_policy(approval={"mode": "BreakGlass"}))
    await pending(stage)

    assert [notice.regarding.kind for notice in stage.told.notices if notice.reason == "BreakGlassInvoked"] == [
        "AccessRequest",
        "Namespace",
    ]

"""A grant that waits for nothing but its start is announced seconds before: at its start only the binding is to be made."""

from datetime import timedelta

import pytest

from curfew.api.times import format_time
from curfew.audit.record import Story
from curfew.core.facts import EnforcementState
from curfew.core.waiting import AHEAD
from tests.support.builders import ALICE, NOON, a_decision, a_policy, a_request, a_role
from tests.support.ocsf import validate
from tests.support.stage import Stage
from tests.support.world import FailurePlan

BEGINS = NOON + timedelta(minutes=10)
SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
ENFORCED = EnforcementState(ok=True, reason="Enforced", message="", since=NOON)
NOT_ENFORCED = EnforcementState(ok=False, reason="NotEnforced", message="it is not in force", since=NOON)
OWED = ["grant.intended", "grant.activation_failed", "request.closed"]


async def approved(stage: Stage, name: str = "inc-4711") -> str:
    """Ask for what begins in ten minutes, have bob agree, and return the UID of the request."""
    uid: str = stage.cluster.apply(a_request(name, notBefore=format_time(BEGINS)))["metadata"]["uid"]
    await stage.settle()
    stage.cluster.decide(name, a_decision())
    await stage.settle()
    return uid


async def until(stage: Stage, before_its_start: timedelta) -> None:
    """Let time pass until it is so long before the start."""
    await stage.pass_time(seconds=(BEGINS - before_its_start - stage.clock.now()).total_seconds())


async def test_it_is_announced_seconds_before_its_start_and_made_at_its_start() -> None:
    """The announcement says when it begins and ends (promise P2); nothing is granted a moment too early."""
    stage = Stage()
    uid = await approved(stage)
    await until(stage, AHEAD + timedelta(milliseconds=1))
    assert "grant.intended" not in stage.events(uid)

    await until(stage, timedelta(milliseconds=1))

    assert stage.events(uid)[-1] == "grant.intended"
    assert (stage.phase(), stage.bindings(), stage.cluster.bindings_made) == ("Approved", [], [])
    told = Story.of(next(record for record in stage.log if record.event == "grant.intended"))
    assert (told.starts_at, told.expires_at) == (BEGINS, BEGINS + timedelta(hours=1))

    stage.plan_failure(counted := FailurePlan())
    await until(stage, timedelta())

    assert counted.calls[:3] == ["get ClusterRole", "create binding", "patch status Active"]
    assert stage.events(uid).count("grant.intended") == 1
    assert stage.cluster.status("inc-4711")["expiresAt"] == format_time(BEGINS + timedelta(hours=1))


@pytest.mark.parametrize("decision", ["Cancel", "Revoke"])
async def test_who_says_no_in_between_is_in_time(decision: str) -> None:
    """The log tells that nothing came of what was announced."""
    stage = Stage()
    uid = await approved(stage)
    await until(stage, AHEAD / 2)

    by = ALICE if decision == "Cancel" else a_decision()["by"]
    stage.cluster.decide("inc-4711", {"by": by, "decision": decision})
    await stage.settle()
    await until(stage, timedelta(minutes=-1))

    assert stage.phase() == {"Cancel": "Cancelled", "Revoke": "Revoked"}[decision]
    assert (stage.cluster.bindings_made, stage.events(uid)[-1]) == ([], "request.closed")
    assert "grant.activation_failed" in stage.events(uid)
    for record in stage.log:
        validate(record)


@pytest.mark.parametrize("change", ["role", "right", "policy"])
async def test_what_must_hold_is_looked_at_at_the_start(change: str) -> None:
    """What was approved is what is granted (promise P5)."""
    stage = Stage()
    uid = await approved(stage)
    await until(stage, AHEAD / 2)

    if change == "role":
        stage.cluster.apply(a_role(rules=SECRETS))
    elif change == "right":  # the yes before is older than it may be when somebody looks at the grant
        stage.cluster.may_not_request.add(ALICE)
        stage.enforcement = NOT_ENFORCED
        await stage.pass_time(seconds=10)
        stage.enforcement = ENFORCED
        stage.look_at_all_requests()
    else:
        stage.cluster.apply(a_policy(maxDuration="8h"))
    await stage.settle()
    await until(stage, timedelta(minutes=-1))

    why = {"role": "TermsChanged", "right": "RequesterMayNotAsk", "policy": "TermsChanged"}[change]
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", why)
    assert (stage.cluster.bindings_made, list(stage.events(uid)[-3:])) == ([], OWED)


async def test_a_start_in_between_goes_on() -> None:
    """The binding is made from what the process before announced; nothing is told twice (promise P10)."""
    stage = Stage()
    uid = await approved(stage)
    await until(stage, AHEAD / 2)
    stage.restart()
    await stage.settle()
    assert stage.bindings() == []

    await until(stage, timedelta())

    assert stage.phase() == "Active"
    assert stage.events(uid).count("grant.intended") == 1


async def test_it_keeps_its_place_when_another_process_takes_over_in_between() -> None:
    """Whoever leads now finds in the log that the place is taken."""
    stage = Stage(policy=a_policy(limits={"activePerRequester": 1}))
    await approved(stage)
    await until(stage, AHEAD / 2)
    stage.restart()
    await stage.settle()

    stage.cluster.apply(a_request("inc-4712"))
    await stage.settle()
    stage.cluster.decide("inc-4712", a_decision())
    await stage.settle()
    assert stage.bindings() == []
    await until(stage, timedelta())

    assert (stage.phase(), stage.phase("inc-4712")) == ("Active", "Approved")
    assert stage.condition("Active", "inc-4712")["reason"] == "LimitReached"


@pytest.mark.parametrize("why", ["not enforced", "no place", "role"])
async def test_it_is_not_announced_ahead_if_anything_else_is_in_its_way(why: str) -> None:
    """What is in its way may be gone at its start, and then it begins in the ordinary way."""
    stage = Stage(policy=a_policy(limits={"activePerRequester": 1}))
    if why == "no place":
        stage.cluster.apply(a_request("before", duration="10m"))
        await stage.settle()
        stage.cluster.decide("before", a_decision())
        await stage.settle()
    uid = await approved(stage)
    if why == "not enforced":
        stage.enforcement = NOT_ENFORCED
    if why == "role":
        stage.cluster.apply(a_role(rules=SECRETS))
    await until(stage, timedelta(milliseconds=1))
    assert (stage.phase(), stage.events(uid)[-1]) == ("Approved", "review.approved")

    stage.enforcement = ENFORCED
    stage.cluster.apply(a_role())
    await until(stage, timedelta(seconds=-1))

    assert stage.phase() == "Active"
    assert stage.events(uid).count("grant.intended") == 1

"""Between the announcement of a grant and its binding time may pass: what was approved is still what is granted, told once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from curfew.core.facts import EnforcementState
from curfew.ports import TooLarge, Unavailable
from tests.support.builders import ALICE, NOON, a_decision, a_policy, a_request, a_role
from tests.support.ocsf import validate
from tests.support.stage import Stage, pending
from tests.support.world import FailurePlan

SECRETS = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
ENFORCED = EnforcementState(ok=True, reason="Enforced", message="", since=NOON)
NOT_ENFORCED = EnforcementState(ok=False, reason="NotEnforced", message="it is not in force", since=NOON)


async def announce(stage: Stage, monkeypatch: pytest.MonkeyPatch, decision: Mapping[str, str], **spec: Any) -> str:
    """Bring a request to an announcement that `go_on` makes durable, and return its UID."""
    uid: str = stage.cluster.apply(a_request(**spec))["metadata"]["uid"]
    await stage.settle()
    monkeypatch.setattr(stage.trail, "flush", set)
    stage.cluster.decide("inc-4711", decision)
    await stage.settle()
    assert stage.bindings() == []
    return uid


async def go_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what was handed to the trail become durable, and give everything its turn."""
    monkeypatch.undo()
    await look(stage)


async def look(stage: Stage) -> None:
    """Give everything its turn, as a change of health does."""
    stage.look_at_all_requests()
    await stage.settle()


@pytest.mark.parametrize("on_role_change", ["Revoke", "Keep"])
async def test_a_role_that_changes_after_the_announcement_is_not_granted(
    on_role_change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket was away, and the role reads secrets by now (promise P5); that nothing was granted is told."""
    stage = Stage(policy=a_policy(onRoleChange=on_role_change))
    uid = await announce(stage, monkeypatch, a_decision())

    stage.clock.advance(minutes=20)
    stage.cluster.apply(a_role(rules=SECRETS))
    await go_on(stage, monkeypatch)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "TermsChanged")
    assert stage.cluster.bindings_made == []
    assert stage.events(uid)[-3:] == ["grant.intended", "grant.activation_failed", "request.closed"]
    for record in stage.log:
        validate(record)


async def test_the_role_is_read_once_while_the_announcement_becomes_durable() -> None:
    """The read costs the grant no time, and it is younger than the announcement (promise P5)."""
    stage = Stage()
    await pending(stage)
    stage.plan_failure(counted := FailurePlan())

    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert counted.calls[:4] == ["get ClusterRole", "append", "create binding", "patch status Active"]


@pytest.mark.parametrize("change", ["rules", "deleted", "too large"])
@pytest.mark.parametrize("when", ["before the announcement", "after it"])
async def test_a_change_of_the_role_that_no_watch_reports_is_found(
    change: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read longer ago than a second counts for nothing (promise P5)."""
    stage = Stage()
    uid = await pending(stage)
    monkeypatch.setattr(stage.trail, "flush", set)
    if when == "after it":
        stage.cluster.decide("inc-4711", a_decision())
        await stage.settle()
        stage.clock.advance(seconds=1.1)

    watchers, stage.cluster.watchers = stage.cluster.watchers, []
    if change == "rules":
        stage.cluster.apply(a_role(rules=SECRETS))
    elif change == "deleted":
        stage.cluster.delete("ClusterRole", "payments-debug", "")
    else:
        monkeypatch.setattr(stage.cluster, "get_role", too_large)
    stage.cluster.watchers = watchers
    if when != "after it":
        stage.cluster.decide("inc-4711", a_decision())
    stage.look_at_all_requests()
    await stage.settle()
    monkeypatch.setattr(stage.trail, "flush", stage.trail.__class__.flush.__get__(stage.trail))
    await look(stage)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "TermsChanged")
    assert (stage.cluster.bindings_made, stage.events(uid)[-1]) == ([], "request.closed")


async def too_large(*_: str) -> None:
    """Answer as for a role that is larger than what is read."""
    raise TooLarge("the role is too large")


async def test_a_right_that_is_lost_after_the_announcement_is_not_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What must hold at the moment of the grant is looked at then, and not only when it is announced."""
    stage = Stage()
    await announce(stage, monkeypatch, a_decision(), submittedBy="system:serviceaccount:flux:flux")

    stage.clock.advance(seconds=1.1)  # what was read with the announcement is believed for a second
    stage.cluster.may_not_request.add(ALICE)
    await go_on(stage, monkeypatch)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "RequesterMayNotAsk")
    assert stage.cluster.bindings_made == []


async def test_a_binding_whose_answer_was_lost_is_told_as_the_grant_that_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was made while the role was what was approved: that the role changed ends it, and nothing failed."""
    stage = Stage()
    uid = await announce(stage, monkeypatch, a_decision())
    monkeypatch.undo()
    create_binding = stage.cluster.create_binding

    async def lose_the_answer(manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        stage.cluster.watchers = []
        await create_binding(manifest, within)
        stage.cluster.watchers = [stage._see]
        stage.cluster.apply(a_role(rules=SECRETS))
        raise Unavailable("the answer was lost")

    monkeypatch.setattr(stage.cluster, "create_binding", lose_the_answer)
    await look(stage)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Revoked", "RoleChanged")
    assert stage.bindings() == []
    assert "grant.activated" in stage.events(uid)
    assert "grant.activation_failed" not in stage.events(uid)


async def test_a_binding_whose_answer_is_lost_until_it_is_over_is_ended_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody may wait for a watch to show it: it is looked for before the grant is given up (promises P1 and P7)."""
    stage = Stage()
    uid = await announce(stage, monkeypatch, a_decision())
    monkeypatch.undo()
    create_binding = stage.cluster.create_binding

    async def lose_the_answer(manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        await create_binding(manifest, within)
        stage.clock.advance(hours=1)
        raise Unavailable("the answer was lost")

    stage.cluster.watchers = []  # and no watch shows it
    monkeypatch.setattr(stage.cluster, "create_binding", lose_the_answer)
    await look(stage)

    assert stage.bindings() == []
    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Expired", "DurationElapsed")
    assert stage.events(uid)[-3:] == ["grant.activated", "grant.expired", "request.closed"]


@pytest.mark.parametrize("left", [timedelta(hours=1), timedelta(seconds=2)])
async def test_the_api_server_may_try_to_store_a_binding_until_it_is_over(
    left: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it stores later than that would be access without an end to come (promise P1)."""
    stage = Stage()
    await announce(stage, monkeypatch, a_decision())
    monkeypatch.undo()
    stage.clock.advance(seconds=(timedelta(hours=1) - left).total_seconds())
    create_binding, asked = stage.cluster.create_binding, []

    async def note(manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        asked.append(within)
        return await create_binding(manifest, within)

    monkeypatch.setattr(stage.cluster, "create_binding", note)
    await look(stage)

    assert asked == [left]


async def test_an_announced_grant_waits_while_our_rules_are_not_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policies that were switched off after the announcement hold it up (promise P8); its end stays where it was."""
    stage = Stage()
    uid = await announce(stage, monkeypatch, a_decision())

    stage.enforcement = NOT_ENFORCED
    await go_on(stage, monkeypatch)
    stage.clock.advance(minutes=20)
    await look(stage)
    assert (stage.phase(), stage.bindings()) == ("Approved", [])
    assert stage.condition("Active")["reason"] == "NotEnforced"
    assert stage.events(uid)[-1] == "grant.intended"

    stage.enforcement = ENFORCED
    await look(stage)
    assert stage.phase() == "Active"
    assert stage.cluster.status("inc-4711")["expiresAt"] == "2026-11-23T13:00:00Z"
    assert stage.events(uid).count("review.approved") == 1


async def test_an_announced_grant_whose_window_is_over_ends_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to give it its turn: it is looked at when its window ends."""
    stage = Stage()
    uid = await announce(stage, monkeypatch, a_decision())
    stage.enforcement = NOT_ENFORCED
    await go_on(stage, monkeypatch)

    await stage.pass_time(hours=1)

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "WindowElapsed")
    assert stage.events(uid)[-2:] == ["grant.activation_failed", "request.closed"]


@pytest.mark.parametrize(
    ("seconds", "phase"), [(50, "Active"), (60, "Failed")], ids=["within the minute", "after the minute"]
)
async def test_waiting_for_our_rules_does_not_lengthen_the_minute_after_a_restart(
    seconds: int, phase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that finds an announcement makes its binding within a minute of it, or not at all."""
    stage = Stage()
    await announce(stage, monkeypatch, a_decision())
    stage.enforcement = NOT_ENFORCED
    await go_on(stage, monkeypatch)
    stage.restart()
    await stage.settle()
    assert (stage.phase(), stage.bindings()) == ("Approved", [])

    await stage.pass_time(seconds=seconds)
    stage.enforcement = ENFORCED
    await look(stage)

    assert stage.phase() == phase
    assert phase == "Active" or stage.cluster.status("inc-4711")["endReason"] == "ActivationInterrupted"


async def test_what_was_approved_long_before_its_start_is_told_once() -> None:
    """A trail forgets after maxGrant and an hour that it holds the approval; the status knows (promise P7)."""
    stage = Stage()
    uid = stage.cluster.apply(a_request(notBefore="2026-11-23T14:00:00Z"))["metadata"]["uid"]
    await stage.settle()
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()
    assert stage.events(uid)[-1] == "review.approved"

    stage.log.clear()
    stage.restart()
    forgotten = stage.clock.now()
    stage.trail.is_told = lambda record: record.at <= forgotten  # type: ignore[method-assign]
    await stage.settle()
    await stage.pass_time(hours=2)

    assert stage.phase() == "Active"
    assert stage.events(uid) == ["grant.intended", "grant.activated"]


STAGES = {"mode": "Review", "stages": [{"name": "owners", "count": 1}]}


@pytest.mark.parametrize("what", ["time", "policy"])
async def test_an_approval_that_counted_is_not_told_as_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the binding was made on has counted, whatever became of time and policy until it was read back (promise P7)."""
    stage = Stage(policy=a_policy(approval=STAGES))
    uid = await announce(stage, monkeypatch, a_decision(stage="owners"))
    monkeypatch.undo()
    create_binding = stage.cluster.create_binding

    async def meanwhile(manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        made = await create_binding(manifest, within)
        if what == "time":
            stage.clock.advance(minutes=59, seconds=59)
        else:
            stage.cluster.delete("AccessPolicy", "debug")
        return made

    stage.clock.advance(seconds=1)
    monkeypatch.setattr(stage.cluster, "create_binding", meanwhile)
    await look(stage)

    assert "grant.activated" in stage.events(uid)
    assert [review["effect"] for review in stage.cluster.status("inc-4711")["reviews"]] == ["Counted"]
    assert "review.refused" not in stage.events(uid)

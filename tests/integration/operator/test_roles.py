"""What was approved is what is held: a role that is edited during a grant (promise P5); and glass that is broken."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from curfew.api.times import format_time
from tests.integration.installed import OPERATOR
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC
from tests.integration.operator.place import SOON, Place, now
from tests.integration.operator.pulse import Pulse
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

ReadLog = Callable[[OperatorProcess], Evidence]

ROLE = "curfew-test"
WITHIN = timedelta(seconds=2)
"""Seconds from the edit of a role to the end of what was granted of it."""


def a_role(*verbs: str) -> dict[str, Any]:
    """Return the ClusterRole with these verbs on pods."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}],
    }


async def test_a_role_that_is_edited_before_the_grant_grants_nothing(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """The difference is named where people look."""
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(a_role("get"), place.policy(name, role=ROLE))
    start = format_time((now() + timedelta(seconds=8)).replace(microsecond=0))
    asked = await place.pending(place.people.alice, name, notBefore=start)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Approved")

    await place.apply(a_role("get", "delete"))
    await asked.phase("Failed")

    assert asked.status["endReason"] == "TermsChanged"
    assert f"the rules of ClusterRole {ROLE} were changed" in asked.condition("Active")["message"]
    assert (await asked.binding_now()).status == 404
    await asked.closed()
    assert (await asyncio.to_thread(read_log, operator)).story(asked.uid)[-2:] == [
        "grant.activation_failed",
        "request.closed",
    ]


async def test_a_role_that_is_edited_during_a_grant_ends_it(
    operator: OperatorProcess, place: Place, pulse: Pulse, read_log: ReadLog
) -> None:
    """Within two seconds, and recorded with the reason."""
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(a_role("get"), place.policy(name, role=ROLE))
    asked = await place.pending(place.people.alice, name)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")

    edited = now()
    await place.apply(a_role("get", "list", "delete"))
    ended = await asked.unbound()
    await asked.closed()

    assert ended - edited < pulse.within(WITHIN, edited, ended)
    assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", "RoleChanged")
    assert "grant.role_changed" in read_log(operator).story(asked.uid)


async def test_a_policy_may_keep_what_was_granted(operator: OperatorProcess, place: Place) -> None:
    """Then it is recorded and told, and goes on."""
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(a_role("get"), place.policy(name, role=ROLE, onRoleChange="Keep"))
    asked = await place.pending(place.people.alice, name)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")

    await place.apply(a_role("get", "watch"))
    await asked.said("RoleUnchanged", "RoleChanged")

    assert asked.status["phase"] == "Active"
    assert (await asked.binding_now()).is_ok


def ready(place: Place, name: str) -> str:
    """Return why a policy can be asked for or not, as last seen."""
    for body in place.sights.policies.objects.values():
        if (body["metadata"]["namespace"], body["metadata"]["name"]) == (place.namespace, name):
            conditions = body.get("status", {}).get("conditions", ())
            return next((str(c["reason"]) for c in conditions if c["type"] == "Ready"), "")
    return ""


async def test_a_kept_grant_ends_when_its_role_becomes_permanent(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """And the policy is no longer Ready, though nobody has touched it."""
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(a_role("get"), place.policy(name, role=ROLE, onRoleChange="Keep"))
    asked = await place.pending(place.people.alice, name)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")

    await place.apply(a_role("*"))
    await asked.unbound()
    await asked.closed()
    await place.sights.policies.until(lambda: ready(place, name) == "RoleIsPermanent", "the policy refused", SOON)

    assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", "RoleIsPermanent")
    assert "grant.role_changed" in (await asyncio.to_thread(read_log, operator)).story(asked.uid)
    await place.apply(a_role("get"))


async def test_an_aggregated_role_that_is_emptied_and_filled_again_ends_nothing(
    operator: OperatorProcess, place: Place
) -> None:
    """As a GitOps controller does that applies it without the rules which Kubernetes collects."""
    name, label = f"p-{uuid.uuid4().hex[:6]}", f"part-of-{uuid.uuid4().hex[:6]}"
    part = a_role("get", "list")
    part["metadata"] = {"name": label, "labels": {label: "true"}}
    whole = {**a_role(), "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}}
    del whole["rules"]

    async def rules() -> list[Any]:
        return list((await place.people.admin.get(f"{RBAC}/clusterroles/{ROLE}")).done().get("rules") or ())

    async def filled() -> None:
        async with asyncio.timeout(SOON):
            while await rules() != part["rules"]:
                await a_moment()

    await place.apply(part, whole, place.policy(name, role=ROLE))
    await filled()
    asked = await place.pending(place.people.alice, name)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Active")
    for _ in range(3):
        emptied = [{"op": "replace", "path": "/rules", "value": None}]
        (await place.people.admin.patch(f"{RBAC}/clusterroles/{ROLE}", emptied)).done()
        await filled()
    part["rules"] = a_role("get")["rules"]
    await place.apply(part)  # this change stays
    await asked.phase("Revoked")

    assert asked.status["endReason"] == "RoleChanged"
    settled = asked.time("endedAt") - asked.time("grantedAt")
    assert settled > timedelta(seconds=2), "it ended before its rules had settled"
    await place.apply(a_role("get"))
    (await place.people.admin.delete(f"{RBAC}/clusterroles/{label}")).done()


async def test_the_glass_is_broken_at_once_and_reviewed_afterwards(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """Granted without anybody, told as a warning, and open until somebody else has looked at it, however late."""
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(place.policy(name, approval={"mode": "BreakGlass"}))
    asked = await place.ask(place.people.alice, name)
    await asked.phase("Active")
    async with asyncio.timeout(SOON):
        while "BreakGlassInvoked" not in {event["reason"] for event in await place.events(asked.uid)}:
            await a_moment()
    (await asked.decide(place.people.alice, "Cancel")).done()
    await asked.phase("Revoked")
    assert not asked.is_closed

    own = await asked.decide(place.people.alice, "Review")
    assert not own.is_ok
    assert "you cannot review a request that you made" in own.message

    over = [{"op": "replace", "path": "/status/reviewBy", "value": format_time(now().replace(microsecond=0))}]
    (await place.people.admin.patch(f"{asked.path}/status", over, acting_as=OPERATOR)).done()  # not in 24 hours
    await asked.said("Reviewed", "ReviewOverdue")
    (await asked.decide(place.people.bob, "Review")).done()
    await asked.closed()

    assert asked.condition("Reviewed")["status"] == "True"
    assert (await asyncio.to_thread(read_log, operator)).story(asked.uid) == [
        *("request.created", "request.accepted", "review.break_glass_invoked", "grant.intended", "grant.activated"),
        *("review.submitted", "grant.revoked", "review.overdue", "review.submitted", "request.closed"),
    ]

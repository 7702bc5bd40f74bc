"""The rules that have bitten every comparable project (design, end of section 3), as far as it takes a real server."""

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Final

from curfew.api.times import format_time
from tests.integration.installed import OPERATOR
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.people import GROUP, RBAC, Body
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.pulse import Pulse
from tests.integration.operator.tampering import a_binding, unguarded
from tests.support.operator_process import CURFEW, OperatorProcess, dead
from tests.support.pausing import a_moment
from tools.servers.cluster import run_command

ON_TIME: Final = timedelta(seconds=1)

COLLECTOR_SECONDS: Final = 60.0
"""A garbage collector learns of new kinds every half a minute."""

ReadLog = Callable[[OperatorProcess], Evidence]


async def closed_story(asked: Asked, operator: OperatorProcess, read_log: ReadLog) -> list[str]:
    """Return the story of a request, once it is told to its end."""
    async with asyncio.timeout(SOON):
        while "request.closed" not in (told := (await asyncio.to_thread(read_log, operator)).story(asked.uid)):
            await a_moment()
    return told


# --- AlreadyExists is not success -----------------------------------------------------------------------------------


async def test_a_strangers_binding_is_an_alarm_and_no_grant(operator: OperatorProcess, place: Place) -> None:
    """Its name is taken by a RoleBinding that Curfew did not make: nothing is adopted, nothing is removed."""
    asked = await place.pending(place.people.alice)
    await place.apply(a_binding(place, f"curfew-{asked.uid}"))
    (await asked.decide(place.people.bob)).done()
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "BindingConflict")
    sentence = (
        f"a RoleBinding named curfew-{asked.uid} that Curfew did not make blocks the grant; "
        "an administrator has to look at it"
    )
    assert asked.condition("Approved")["message"] == sentence
    (event,) = (event for event in await asked.events("Failed") if event["type"] == "Warning")
    assert sentence in event["note"]
    stranger = (await asked.binding_now()).done()
    assert stranger["subjects"][0]["name"] == "mallory"


# --- drift ----------------------------------------------------------------------------------------------------------


END: Final = "/metadata/annotations/curfew.dev~1expires-at"

DRIFTS: Final[tuple[tuple[Body, str, str], ...]] = (
    (
        {"op": "replace", "path": "/subjects/0/name", "value": "mallory"},
        "BindingTampered",
        "it is for User mallory",
    ),
    (
        {"op": "replace", "path": END, "value": "2099-01-01T00:00:00Z"},
        "BindingTampered",
        "it lasts longer than was requested",
    ),
    ({"op": "remove", "path": END}, "ExpiryMissing", "the binding has no readable end"),
    ({"op": "remove", "path": "/metadata/ownerReferences"}, "BindingTampered", "it is not owned by the request"),
)
"""What somebody makes of a binding, and why and in which words it is removed."""


async def test_a_drifted_binding_is_removed_and_reported(
    operator: OperatorProcess, place: Place, pulse: Pulse, read_log: ReadLog
) -> None:
    """Never repaired: whatever somebody made of it, it is gone, and it is said what was found."""
    drifted = [await place.active(place.people.alice, duration="10m") for _ in DRIFTS]
    async with unguarded(place):
        for asked, (change, _, _) in zip(drifted, DRIFTS, strict=True):
            path = f"{RBAC}/namespaces/{place.namespace}/rolebindings/curfew-{asked.uid}"
            (await place.people.admin.patch(path, [change])).done()
        gone = [await asked.unbound() for asked in drifted]
    for asked, gone_at, (change, reason, words) in zip(drifted, gone, DRIFTS, strict=True):
        changed_at = place.sights.bindings_of(asked.uid)[1].at
        await asked.closed()

        assert gone_at - changed_at < pulse.within(ON_TIME, changed_at, gone_at)
        assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", reason), change
        assert words in asked.condition("Active")["message"]
        assert [event["reason"] for event in await asked.events("Revoked") if event["type"] == "Warning"] == ["Revoked"]
        told = await closed_story(asked, operator, read_log)
        assert told[-3:] == ["grant.drifted", "grant.revoked", "request.closed"]
        assert [sight.type for sight in place.sights.bindings_of(asked.uid)].count("ADDED") == 1


async def test_a_binding_that_nobody_asked_for_is_removed_and_reported(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """It carries our label, so it looks like a grant: one without a request, and one before anybody agreed."""
    asked = await place.pending(place.people.alice)
    nobody = "11111111-1111-4111-8111-111111111111"
    async with unguarded(place):
        later = {"curfew.dev/expires-at": "2099-01-01T00:00:00Z"}
        await place.apply(
            a_binding(place, f"curfew-{nobody}", nobody, **later),
            a_binding(place, f"curfew-{asked.uid}", asked.uid, **later),
        )
        await asked.unbound()
        await asked.unbound(uid=nobody)
    told = await place.events_with(["OrphanRemoved"] * 2)
    events = [event for event in told if event["reason"] == "OrphanRemoved"]

    assert {event["note"].split(": ")[0] for event in events} == {
        f"RoleBinding curfew-{nobody} was removed",
        f"RoleBinding curfew-{asked.uid} was removed",
    }
    async with asyncio.timeout(SOON):
        while (await asyncio.to_thread(read_log, operator)).story(nobody) != ["grant.orphan_removed"]:
            await a_moment()


async def test_a_binding_that_somebody_deletes_ends_the_grant(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """Fail-safe: whoever has the right may end access with plain kubectl; it is told, and not undone."""
    asked = await place.active(place.people.alice)
    await place.kubectl("delete", "rolebinding", f"curfew-{asked.uid}", user="admin")
    await asked.unbound()
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", "BindingRemoved")
    assert (await closed_story(asked, operator, read_log))[-2:] == ["grant.binding_removed", "request.closed"]
    assert [sight.type for sight in place.sights.bindings_of(asked.uid)].count("ADDED") == 1


# --- what was approved is what is granted ---------------------------------------------------------------------------


async def test_a_policy_that_changed_after_the_request_grants_nothing(operator: OperatorProcess, place: Place) -> None:
    """Promise P5: people agreed to other terms."""
    asked = await place.pending(place.people.alice)
    await place.apply(place.policy("debug", role="edit"))
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "TermsChanged")
    assert asked.condition("Approved")["message"] == (
        "AccessPolicy debug was changed after the request was accepted; apply a new AccessRequest under the new terms"
    )


async def test_a_role_that_changed_after_the_request_grants_nothing(operator: OperatorProcess, place: Place) -> None:
    """Promise P5: the role is the same by name, and not what people agreed to."""
    name = "curfew-test"
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    role: Body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [rule],
    }
    await place.apply(role, place.policy("special", role=name))
    try:
        asked = await place.pending(place.people.alice, "special")
        await place.apply({**role, "rules": [{**rule, "verbs": ["get", "delete"]}]})
        (await asked.decide(place.people.bob)).done()
        await asked.closed()
    finally:
        (await place.people.admin.delete(f"{RBAC}/clusterroles/{name}")).done()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "TermsChanged")
    assert place.sights.bindings_of(asked.uid) == []


async def test_revocation_needs_no_policy(operator: OperatorProcess, place: Place) -> None:
    """Promise P3: the policy is gone, and the revocation works all the same."""
    asked = await place.active(place.people.alice)
    (await place.people.admin.delete(f"{GROUP}/namespaces/{place.namespace}/accesspolicies/debug")).done()
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Revoked", "RevokedByApprover")


# --- deletion -------------------------------------------------------------------------------------------------------


async def test_deleting_a_request_cannot_leave_its_grant_behind(operator: OperatorProcess, place: Place) -> None:
    """An orphaning delete is refused by the API server; the plain one takes the binding along."""
    asked = await place.active(place.people.alice)
    said = await place.kubectl("delete", "accessrequest", asked.name, "--cascade=orphan", user="alice", check=False)

    assert "curfew-request-no-orphan" in said
    assert (await asked.binding_now()).is_ok
    assert asked.status["phase"] == "Active"

    await asked.delete(place.people.alice)
    await asked.unbound()


async def test_a_request_deleted_while_the_operator_is_down_ends_and_is_recorded(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """The garbage collector ends the access, and the log is the memory: the story gets its last records at the start."""
    active, pending = await place.active(place.people.alice), await place.pending(place.people.carol)
    await recorded(operator, active, pending)
    with dead(operator):
        await active.delete(place.people.alice)
        await pending.delete(place.people.carol)
        await active.unbound(COLLECTOR_SECONDS)

    for asked, more in ((active, ["grant.revoked"]), (pending, [])):
        told = await closed_story(asked, operator, read_log)
        assert told[-2 - len(more) :] == ["request.deleted", *more, "request.closed"]


# --- nothing is granted again ---------------------------------------------------------------------------------------


async def test_a_finished_request_that_is_applied_again_changes_nothing(
    operator: OperatorProcess, place: Place
) -> None:
    """A GitOps tool applies what is in Git, for ever."""
    people = place.people
    manifest = place.request(people.alice, name="in-git")
    await place.kubectl("apply", "--filename=-", user="alice", stdin=manifest)
    asked = Asked(place, (await people.admin.get(f"{place.path}/in-git")).done())
    await asked.phase("Pending")
    (await asked.decide(people.bob)).done()
    await asked.phase("Active")
    (await asked.decide(people.bob, "Revoke")).done()
    await asked.unbound()
    await asked.closed()
    version = asked.body["metadata"]["resourceVersion"]

    said = await place.kubectl("apply", "--filename=-", user="alice", stdin=manifest)
    await place.active(people.carol)  # the operator has been through everything since

    assert said.strip() == "accessrequest.curfew.dev/in-git unchanged"
    assert asked.body["metadata"]["resourceVersion"] == version
    assert [sight.type for sight in place.sights.bindings_of(asked.uid)].count("ADDED") == 1


async def test_a_restart_grants_nothing_again(operator: OperatorProcess, place: Place, read_log: ReadLog) -> None:
    """Whatever happened meanwhile: what is active stays as it is, and what was ended stays ended."""
    people = place.people
    active, removed, revoked = [await place.active(people.alice) for _ in range(3)]
    await recorded(operator, active, removed, revoked)
    binding = await active.bound()
    with dead(operator):
        path = f"{RBAC}/namespaces/{place.namespace}/rolebindings/curfew-{removed.uid}"
        (await people.admin.delete(path)).done()
        (await revoked.decide(people.bob, "Revoke")).done()
    await asyncio.gather(removed.closed(), revoked.closed())
    await place.active(people.carol)

    assert await active.bound() == binding
    assert active.status["phase"] == "Active"
    assert removed.status["endReason"] == "BindingRemoved"
    assert revoked.status["endReason"] == "RevokedByApprover"
    for asked in (active, removed, revoked):
        assert [sight.type for sight in place.sights.bindings_of(asked.uid)].count("ADDED") == 1
    evidence = await asyncio.to_thread(read_log, operator)
    assert evidence.twice == []


# --- the sweeper ----------------------------------------------------------------------------------------------------


async def test_an_end_that_comes_while_the_operator_is_dead_is_swept(
    operator: OperatorProcess, place: Place, tmp_path: Path
) -> None:
    """Promise P1: the sweeper needs nothing but the words on the binding, and leaves alone what is not over."""
    active, over = await place.active(place.people.alice, duration="10m"), await place.pending(place.people.alice)
    with dead(operator):
        ends = now().replace(microsecond=0) + timedelta(seconds=5)  # admission takes no binding that is over
        manifest = (await active.binding_now()).done()
        grant = {key: manifest[key] for key in ("apiVersion", "kind", "roleRef", "subjects")}
        marks = {**manifest["metadata"]["annotations"], "curfew.dev/request": over.name}
        marks |= {
            "curfew.dev/starts-at": format_time(ends - timedelta(minutes=1)),
            "curfew.dev/expires-at": format_time(ends),
        }
        owner = {**manifest["metadata"]["ownerReferences"][0], "name": over.name, "uid": over.uid}
        grant["metadata"] = {
            "name": f"curfew-{over.uid}",
            "namespace": place.namespace,
            "labels": {"curfew.dev/request-uid": over.uid},
            "annotations": marks,
            "ownerReferences": [owner],
        }
        operator_itself = place.people.admin.as_(OPERATOR)
        (await operator_itself.post(f"{RBAC}/namespaces/{place.namespace}/rolebindings", grant)).done()
        await asyncio.sleep((ends - now()).total_seconds())  # its end

        kubeconfig = place.cluster.sweeper_kubeconfig(tmp_path / "kubeconfig")
        command = [*CURFEW, "sweep", "--kubeconfig", str(kubeconfig)]
        swept = await asyncio.to_thread(run_command, command, os.environ, stdin=None, check=True, timeout=30)
        await over.unbound()

        assert f"{place.namespace}/curfew-{over.uid} ended at {format_time(ends)}" in swept.stdout
        assert swept.stdout.endswith(" not over yet, 1 removed\n")
        assert (await active.binding_now()).is_ok

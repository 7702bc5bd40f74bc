"""Our admission policies cannot protect themselves: switched off, nothing is granted, and everybody is told (promise P8)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.integration.installed import SYSTEM
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC
from tests.integration.operator.place import SOON, Place
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

KIND = "validatingadmissionpolicybinding"
NOTICED = 35.0
"""Seconds from the change of a policy to the end of granting: one round of the probe, and a little."""


@asynccontextmanager
async def disarmed(place: Place, policy: str, how: str) -> AsyncIterator[None]:
    """Take a policy out of force, as an administrator could, and put it back."""
    kept = json.loads(await place.kubectl("get", KIND, policy, "--output=json", user="admin"))
    kept["metadata"] = {"name": policy, "labels": kept["metadata"]["labels"]}
    if how == "deleted":
        await place.kubectl("delete", KIND, policy, user="admin")
    else:
        patch = '[{"op": "replace", "path": "/spec/validationActions", "value": ["Warn"]}]'
        await place.kubectl("patch", KIND, policy, "--type=json", f"--patch={patch}", user="admin")
    try:
        yield
    finally:
        await place.kubectl("delete", KIND, policy, "--ignore-not-found", user="admin")
        await place.apply(kept)


async def until_metric(operator: OperatorProcess, policy: str, value: float, seconds: float) -> None:
    """Return when the metric says so."""
    async with asyncio.timeout(seconds):
        while await asyncio.to_thread(operator.metric, "curfew_enforced", policy=policy) != value:
            await a_moment()


@pytest.mark.parametrize(
    ("policy", "how"), [("curfew-request-decision", "deleted"), ("curfew-operator-containment", "set to Warn")]
)
async def test_nothing_is_granted_while_a_policy_is_out_of_force(
    operator: OperatorProcess,
    place: Place,
    policy: str,
    how: str,
    read_log: Callable[[OperatorProcess], Evidence],
) -> None:
    """Within 35 s no new grants, with a condition, an Event, a metric and a record; ends go on; restored, grants go on.

    An operator that is killed meanwhile records nothing twice, and the end of what its predecessor recorded.
    """
    active = await place.active(place.people.alice)
    waiting = await place.pending(place.people.carol)
    async with disarmed(place, policy, how):
        await until_metric(operator, policy, 0.0, NOTICED)

        (await waiting.decide(place.people.bob)).done()
        await waiting.said("Active", "NotEnforced")
        assert policy in waiting.condition("Active")["message"]
        assert (await waiting.binding_now()).status == 404
        async with asyncio.timeout(SOON):
            while "NotEnforced" not in {event["reason"] for event in await place.events(waiting.uid)}:
                await a_moment()
        told = await place.people.admin.get(f"/apis/events.k8s.io/v1/namespaces/{SYSTEM}/events?limit=5000")
        assert any(event["reason"] == "NotEnforced" for event in told.done()["items"])

        (await active.decide(place.people.bob, "Revoke")).done()
        await active.phase("Revoked")
        assert (await waiting.binding_now()).status == 404

        operator.kill()
        await asyncio.to_thread(operator.start)
        await asyncio.to_thread(operator.await_answer, lambda *_: True, "answer", NOTICED)
        await until_metric(operator, "curfew-request-immutable", 1.0, NOTICED)  # all were tried

    await until_metric(operator, policy, 1.0, NOTICED)
    await waiting.phase("Active", seconds=NOTICED)
    written = [record for record in read_log(operator).records if record.event.startswith("enforcement.")]
    lost, restored = (record for record in written if record.block["detail"]["policies"] == [policy])
    assert (lost.event, restored.event) == ("enforcement.lost", "enforcement.restored")
    assert restored.block["detail"]["since"] == lost.block["detail"]["since"]


async def test_a_grant_ends_whose_binding_is_made_anothers_and_nothing_takes_the_place_of_one(
    operator: OperatorProcess, place: Place
) -> None:
    """Whose grant a binding is, its name says, also while anybody may write our label on theirs."""
    changed, copied = await place.active(place.people.alice), await place.active(place.people.carol)
    bindings = f"{RBAC}/namespaces/{place.namespace}/rolebindings"
    label = [{"op": "replace", "path": "/metadata/labels/curfew.dev~1request-uid", "value": copied.uid}]
    grant = (await copied.binding_now()).done()
    kept = {key: grant["metadata"][key] for key in ("labels", "annotations", "ownerReferences")}
    async with disarmed(place, "curfew-managed-bindings", "deleted"):
        async with asyncio.timeout(SOON):
            while (await place.people.admin.patch(f"{bindings}/curfew-{changed.uid}", label)).status != 200:
                await a_moment()
        await changed.phase("Revoked")
        (await place.people.admin.post(bindings, {**grant, "metadata": {"name": "curfew", **kept}})).done()
        async with asyncio.timeout(SOON):
            while (await place.people.admin.get(f"{bindings}/curfew")).status != 404:
                await a_moment()

        assert changed.status["endReason"] == "BindingTampered"
        assert (await copied.binding_now()).done()["metadata"]["uid"] == grant["metadata"]["uid"]
        assert copied.status["phase"] == "Active"
    await until_metric(operator, "curfew-managed-bindings", 1.0, NOTICED)

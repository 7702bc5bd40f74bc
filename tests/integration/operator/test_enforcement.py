"""Our admission policies cannot protect themselves: switched off, nothing is granted, and everybody is told (promise P8)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Final

import pytest

from tests.integration.installed import SYSTEM
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.people import RBAC
from tests.integration.operator.place import SOON, Place, now
from tests.integration.operator.pulse import Pulse
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment
from tests.support.scale import soaks

KIND: Final = "validatingadmissionpolicybinding"

EVERY: Final = timedelta(seconds=30 if soaks() else 5)
"""Between two rounds of the probe: in `make soak` as it is unless somebody sets it."""

NOTICED: Final = EVERY + timedelta(seconds=5)
"""From the change of a policy to the end of granting: one round of the probe, and a little."""

OUT_OF_FORCE: Final[Mapping[str, str]] = {
    "curfew-operator-containment": "set to Warn",
    "curfew-request-decision": "deleted",
}
"""The policies, in the order in which they are told, and how each is taken out of force."""


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess]) -> Iterator[OperatorProcess]:
    """Return an operator that soon sees what is out of force."""
    process = new_operator(enforcement_every=f"{EVERY.seconds}s")
    process.start()
    try:
        process.await_ready()
        yield process
        process.await_ready()
    except BaseException:
        process.kill()
        raise
    process.stop()


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


async def until_metric(operator: OperatorProcess, policy: str, value: float) -> None:
    """Return when the metric says so."""
    async with asyncio.timeout(EVERY.seconds + SOON):
        while await asyncio.to_thread(operator.metric, "curfew_enforced", policy=policy) != value:
            await a_moment()


async def test_nothing_is_granted_while_a_policy_is_out_of_force(
    operator: OperatorProcess,
    place: Place,
    pulse: Pulse,
    read_log: Callable[[OperatorProcess], Evidence],
    measured: Callable[[str, timedelta], None],
) -> None:
    """Within a round no new grants, with a condition, an Event, a metric and a record; ends go on; restored, grants go on.

    An operator that is killed meanwhile records nothing twice, and the end of what its predecessor recorded.
    """
    active = await place.active(place.people.alice, duration="10m")
    waiting = await place.pending(place.people.carol)
    async with AsyncExitStack() as stack:
        for policy, how in OUT_OF_FORCE.items():
            await stack.enter_async_context(disarmed(place, policy, how))
        began = now()
        for policy in OUT_OF_FORCE:
            await until_metric(operator, policy, 0.0)
        noticed = now()
        measured("from the change of two policies until both are noticed", noticed - began)
        assert noticed - began < pulse.within(NOTICED, began, noticed)

        (await waiting.decide(place.people.bob)).done()
        await waiting.said("Active", "NotEnforced")
        assert all(policy in waiting.condition("Active")["message"] for policy in OUT_OF_FORCE)
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
        await asyncio.to_thread(operator.await_answer, lambda *_: True, "answer")
        await until_metric(operator, "curfew-request-immutable", 1.0)  # all were tried

    for policy in OUT_OF_FORCE:
        await until_metric(operator, policy, 1.0)
    await waiting.phase("Active", seconds=EVERY.seconds + SOON)
    written = [record for record in read_log(operator).records if record.event.startswith("enforcement.")]
    # A round may begin when one of the two is out of force, or in force again, and the other is not.
    *lost, restored = written
    assert {record.event for record in lost} == {"enforcement.lost"}
    assert restored.event == "enforcement.restored"
    policies = [record.block["detail"]["policies"] for record in lost]
    assert list(OUT_OF_FORCE) in policies
    assert all(told != again for told, again in pairwise(policies))
    assert restored.block["detail"]["policies"] == policies[-1]
    assert {record.block["detail"]["since"] for record in written} == {lost[0].block["detail"]["since"]}


async def test_a_grant_ends_whose_binding_is_made_anothers_and_nothing_takes_the_place_of_one(
    operator: OperatorProcess, place: Place
) -> None:
    """Whose grant a binding is, its name says, also while anybody may write our label on theirs."""
    changed, copied = [await place.active(who, duration="10m") for who in (place.people.alice, place.people.carol)]
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
    await until_metric(operator, "curfew-managed-bindings", 1.0)

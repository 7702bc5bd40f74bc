"""What others put into the cluster does not fill the operator's memory, whether or not it is any of its business."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.integration.operator.people import Body
from tests.integration.operator.place import Place
from tests.support.operator_process import OperatorProcess

MIB: Final = 2**20

MOST: Final = 200 * MIB
"""How much memory the operator takes at the most, in bytes, with roles of others. It takes about 120 MiB with none."""

MOST_OF_REQUESTS: Final = 320 * MIB
"""The same with large requests, each of which has to be worked on. The chart's limit is 512 MiB."""

SETTLED_SECONDS: Final = 3.0
"""How long after it is ready it is looked at: a watch has listed what there is by then."""

RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"


def a_large_role(namespace: str, name: str) -> Body:
    """Return a Role of about a mebibyte, which grants nothing to speak of."""
    names = [f"a-pod-with-a-long-name-{number:06d}" for number in range(30_000)]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": names, "verbs": ["get"]}],
    }


@pytest.fixture
def peak(new_operator: Callable[..., OperatorProcess], record_property: Callable[[str, object], None]) -> Any:
    """Return who starts an operator on what there is and returns its peak of memory, in bytes."""

    async def started() -> int:
        process = new_operator()
        process.start()
        try:
            await asyncio.to_thread(process.await_ready)
            await asyncio.sleep(SETTLED_SECONDS)
            most = process.peak_memory()
        finally:
            process.kill()
        record_property("peak of memory", f"{most / MIB:.0f} MiB")
        return most

    return started


async def test_roles_that_nobody_asks_for_are_not_read(place: Place, peak: Any) -> None:
    """Seventy of a mebibyte, made by somebody who may in a namespace that takes no part."""
    admin, outside = place.people.admin, await asyncio.to_thread(place.cluster.make_namespace, opted_in=False)
    try:
        for number in range(70):
            (await admin.post(f"{RBAC}/namespaces/{outside}/roles", a_large_role(outside, f"large-{number}"))).done()
        assert await peak() < MOST
    finally:
        await asyncio.to_thread(place.cluster.drop_namespace, outside)


async def test_what_hangs_on_requests_is_not_kept(place: Place, peak: Any) -> None:
    """Two hundred requests with annotations as large as the API server takes them, by somebody who may only ask."""
    note = {"example.com/note": "x" * (255 * 1024)}

    async def ask() -> None:
        for _ in range(50):
            body = place.request(place.people.alice)
            body["metadata"]["annotations"] = note
            (await place.people.alice.post(place.path, body)).done()

    await asyncio.gather(*(ask() for _ in range(4)))
    try:
        assert await peak() < MOST_OF_REQUESTS
    finally:
        await place.kubectl("delete", "accessrequests", "--all", "--wait=false", user="admin")


async def test_a_role_that_is_too_large_to_read_is_said_to_be(operator: OperatorProcess, place: Place) -> None:
    """By the policy that offers it."""
    (
        await place.people.admin.post(
            f"{RBAC}/namespaces/{place.namespace}/roles", a_large_role(place.namespace, "big")
        )
    ).done()
    name = f"p-{uuid.uuid4().hex[:6]}"
    await place.apply(
        {**place.policy(name), "spec": {**place.policy(name)["spec"], "roleRef": {"kind": "Role", "name": "big"}}}
    )

    def told() -> str | None:
        found = (b for b in place.sights.policies.objects.values() if b["metadata"]["name"] == name)
        conditions = [c for body in found for c in body.get("status", {}).get("conditions", ())]
        return next((c["message"] for c in conditions if c["reason"] == "RoleNotFound"), None)

    message = await place.sights.policies.until(told, "what is wrong with the policy", 10)
    assert "larger than 512 KiB" in message

"""What others put into the cluster and the bucket: the operator lives with it, and grants, with 512 MiB, as the pod has.

Each operator of any test has that limit (what it counts is in `tests/support/peak.py`). What commands make of a hostile log
is in tests/integration/test_under_512_mib.py.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest

from curfew.audit.segment import partition
from tests.integration.operator.people import RBAC, Body
from tests.integration.operator.place import Place, now
from tests.support.operator_process import OperatorProcess
from tests.support.scale import soaks

MIB: Final = 2**20

ASKING: Final = 4
"""How many ask at the same time."""

Through = Callable[[], Awaitable[object]]
Fill = Callable[[Place, OperatorProcess], AbstractAsyncContextManager[Through]]
"""Puts something there for as long as the context lasts. What it hands over waits until the operator has seen all of it."""


async def is_ready() -> None:
    """Wait for nothing: an operator that is ready has listed the cluster and read the log."""


def a_large_role(namespace: str, name: str) -> Body:
    """Return a Role of about a mebibyte, which grants nothing to speak of."""
    names = [f"a-pod-with-a-long-name-{number:06d}" for number in range(30_000)]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "resourceNames": names, "verbs": ["get"]}],
    }


@asynccontextmanager
async def many_large_roles(place: Place, _: OperatorProcess) -> AsyncIterator[Through]:
    """Made by somebody who may in a namespace that takes no part."""
    admin, outside = place.people.admin, await asyncio.to_thread(place.cluster.make_namespace, opted_in=False)
    try:
        for number in range(70 if soaks() else 35):
            (await admin.post(f"{RBAC}/namespaces/{outside}/roles", a_large_role(outside, f"large-{number}"))).done()
        yield is_ready
    finally:
        await asyncio.to_thread(place.cluster.drop_namespace, outside)


@asynccontextmanager
async def many_large_requests(place: Place, _: OperatorProcess) -> AsyncIterator[Through]:
    """As large as they may be, by somebody who may only ask."""
    number, note, reason = 200 if soaks() else 32, {"example.com/note": "<" * 8000}, "\U0001f525" * 1024

    async def ask() -> None:
        for _ in range(number // ASKING):
            body = place.request(place.people.alice, reason=reason)
            body["metadata"]["annotations"] = note
            (await place.people.alice.post(place.path, body)).done()

    def has_answered() -> bool:
        statuses = [body.get("status", {}) for body in place.sights.requests.objects.values()]
        answered = [status for status in statuses if status.get("phase") == "Pending" or "endReason" in status]
        return sum(1 for status in answered if status["phase"] == "Pending" or not status.get("outbox")) >= number

    await asyncio.gather(*(ask() for _ in range(ASKING)))
    try:
        yield lambda: place.sights.requests.until(has_answered, "an answer to each request", 60)
    finally:
        (await place.people.admin.delete(place.path)).done()


@asynccontextmanager
async def two_thousand_idle_connections(_: Place, operator: OperatorProcess) -> AsyncIterator[Through]:
    """Which never end their header."""
    program = f"""
import resource, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
def connected():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", {operator.port}), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.01)
opened = []
while True:
    opened = opened[-2000:] + [connected()]
    opened[-1].sendall(b"GET /healthz HTTP/1.1\\r\\n")
    if len(opened) == 2000:
        print("opened", flush=True)
"""
    opening = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert opening.stdout is not None
    try:
        yield opening.stdout.readline
    finally:
        opening.kill()
        await opening.wait()


@asynccontextmanager
async def objects_like_segments(place: Place, operator: OperatorProcess) -> AsyncIterator[Through]:
    """Put into the bucket by somebody who has its credentials, beside a log: locked, and so there for good."""
    operator.start()
    await asyncio.to_thread(operator.await_ready)
    operator.kill()
    s3, (_, _, bucket, prefix) = place.cluster.environment.s3.client(), operator.store.split("/")
    for number in range(6 if soaks() else 3):
        folder = partition(operator.log_id, (now() + timedelta(days=number % 3)).date())
        key = f"{prefix}/{folder}{10**11 + number:012d}-{number:016x}.jsonl.zst"
        await asyncio.to_thread(s3.put_object, Bucket=bucket, Key=key, Body=bytes(79 * MIB))
    for number in range(200):
        key = f"{prefix}/{partition(operator.log_id, now().date())}{number:012d}-{number:016x}.jsonl.zst"
        await asyncio.to_thread(s3.put_object, Bucket=bucket, Key=key, Body=b"x")
    yield is_ready


@pytest.mark.parametrize(
    ("fill", "most"),
    [
        pytest.param(many_large_roles, 200, id="many_large_roles"),
        pytest.param(many_large_requests, 200, id="many_large_requests"),
        pytest.param(two_thousand_idle_connections, 200, id="two_thousand_idle_connections"),
        pytest.param(objects_like_segments, 256, id="objects_like_segments"),
    ],
)
async def test_the_operator_lives_and_grants(
    new_operator: Callable[..., OperatorProcess],
    place: Place,
    fill: Fill,
    most: int,
    record_property: Callable[[str, object], None],
) -> None:
    """It is ready, gets through with what is there, grants, and ends what it granted. `most` is its peak, in MiB."""
    operator = new_operator()
    try:
        async with fill(place, operator) as through:
            operator.start()
            await asyncio.to_thread(operator.await_ready)
            async with asyncio.timeout(60):
                await through()
            asked = await place.ask(place.people.carol, "automatic")
            await asked.phase("Active", seconds=30)
            (await asked.decide(place.people.carol, "Cancel")).done()
            await asked.closed(seconds=30)
            await asyncio.to_thread(operator.healthz)
            peak, said = operator.peak_memory() // MIB, operator.said()
    finally:
        operator.kill()
    record_property("peak of memory", f"{peak} MiB")
    assert asked.status["phase"] == "Revoked"
    assert "MemoryError" not in said
    assert peak < most


async def test_a_role_that_is_too_large_to_read_is_said_to_be(operator: OperatorProcess, place: Place) -> None:
    """By the policy that offers it."""
    role = a_large_role(place.namespace, "big")
    (await place.people.admin.post(f"{RBAC}/namespaces/{place.namespace}/roles", role)).done()
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

"""What admission policies and the rules of the schema cost the API server: the calls of a life with both, without the ones,
and without either.

The operator is stopped for that: it grants nothing while its policies are not in force. Somebody with its token makes its
calls, and writes into each status what the operator wrote into one that has ended.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import orjson

from bench.lives.admission import Admission
from bench.lives.client import JSON_PATCH, MERGE_PATCH, ApiClient, open_client, session_with
from bench.lives.contender import Body, Order
from bench.lives.crowd import AT_ONCE, BATCH
from bench.lives.servers import BenchServers
from bench.lives.subject import Curfew
from bench.process import taken_by
from curfew.adapters.clock import SystemClock
from curfew.api.access_request import AccessRequest
from curfew.api.names import LABEL_CLOSED
from curfew.audit.receipt import Receipt
from curfew.core.bindings import write_binding

MANY: Final = 80
"""Lives in a batch."""

BATCHES: Final = 2
"""Of these, the cheaper one counts: other work on the machine makes a batch dearer, and nothing makes it cheaper."""

RECORDS: Final = [{"record": "x" * 1800}] * 2
"""As much as the outbox holds at first."""

ACCEPTED: Final = ("observedGeneration", "approvals", "terms", "decideBy", "conditions")
GRANTED: Final = ("approvals", "decidedAt", "startsAt", "grantedAt", "expiresAt", "grant", "reviews", "conditions")
ENDED: Final = ("endedAt", "endReason", "conditions")


class Replay:
    """Lives one after another, without an operator."""

    def __init__(
        self, contender: Curfew, admin: ApiClient, approver: ApiClient, operator: ApiClient, admission: Admission
    ) -> None:
        """Make no call."""
        self._contender = contender
        self._admission = admission
        self._admin, self._approver, self._operator = admin, approver, operator
        self._clock = SystemClock()
        self._batches = 0

    async def batch(self, told: Body, apiserver: int) -> float:
        """Return the milliseconds of a processor that the API server needs for a life, in a batch of them."""
        self._batches += 1
        batch, places = f"apart-{self._batches}", asyncio.Semaphore(AT_ONCE)

        async def live(number: int) -> None:
            async with places:
                person = self._contender.person.format(number % 100)
                await self._live(Order(batch, number, person, self._end()), told)

        before = taken_by(apiserver)
        async with asyncio.TaskGroup() as lives:
            for number in range(MANY):
                lives.create_task(live(number))
        took = taken_by(apiserver) - before
        await self._admin.ask("DELETE", f"{self._contender.requests}?labelSelector={BATCH}={batch}")
        return 1000 * took / MANY

    async def _live(self, order: Order, told: Body) -> None:
        path = f"{self._contender.requests}/{order.name}"
        made = await self._admin.ask("POST", self._contender.requests, self._manifest(order), person=order.person)
        await self._write(path, made, told, ACCEPTED, {"phase": "Pending", "outbox": RECORDS})
        approval = self._contender.approval(order.name)
        approved = await self._approver.ask("PATCH", f"{path}/status", approval, kind=JSON_PATCH)
        binding = write_binding(
            AccessRequest.model_validate(orjson.loads(approved)),
            starts_at=self._clock.now(),
            expires_at=order.ends,
            receipt=Receipt.from_json(told["grant"]["receipt"]),
        )
        bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._contender.namespace}/rolebindings"
        await self._operator.ask("POST", bindings, binding)
        active = await self._write(path, approved, told, GRANTED, {"phase": "Active", "outbox": RECORDS})
        await self._operator.ask("DELETE", f"{bindings}/{binding['metadata']['name']}")
        await self._write(path, active, told, ENDED, {"phase": "Expired", "outbox": []})
        await self._operator.ask("PATCH", path, {"metadata": {"labels": {LABEL_CLOSED: "true"}}}, kind=MERGE_PATCH)

    async def _write(self, path: str, held: bytes, told: Body, fields: Sequence[str], more: Body) -> bytes:
        version = orjson.loads(held)["metadata"]["resourceVersion"]
        status = {name: told[name] for name in fields} | dict(more)
        patch = {"metadata": {"resourceVersion": version}, "status": status}
        return await self._operator.ask("PATCH", f"{path}/status", patch, kind=MERGE_PATCH)

    def _manifest(self, order: Order) -> dict[str, Any]:
        manifest = self._admission.manifest(order)
        manifest["metadata"] = {**manifest["metadata"], "labels": {BATCH: order.batch}}
        return manifest

    def _end(self) -> Any:
        return self._clock.now() + timedelta(minutes=10)


async def measure_apart(servers: BenchServers, contender: Curfew, apiserver: int) -> Mapping[str, float]:
    """Return what both take of the API server's processor time for a life, in milliseconds. They are gone afterwards."""
    tls = ssl.create_default_context(cafile=str(servers.cluster.ca))
    token = {"Authorization": f"Bearer {servers.installation.operator_token()}"}
    async with (
        open_client(servers.cluster, servers.folder, "admin") as admin,
        open_client(servers.cluster, servers.folder, contender.approver) as approver,
        session_with(tls, token) as session,
    ):
        admission = Admission(admin, contender)
        replay = Replay(contender, admin, approver, ApiClient(servers.cluster.server, session), admission)
        listed = orjson.loads(await admin.ask("GET", contender.requests))["items"]
        told: Body = next(item["status"] for item in listed if item["status"].get("phase") == "Expired")

        async def least() -> float:
            return min([await replay.batch(told, apiserver) for _ in range(BATCHES)])

        whole = await least()
        await admission.drop_policies()
        bare = await least()
        await admission.drop_rules()
        barest = await least()
    return {"policies_ms": whole - bare, "rules_ms": bare - barest}

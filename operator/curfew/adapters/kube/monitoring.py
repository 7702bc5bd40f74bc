"""The calls of the monitor, on a real API server: `curfew.ports.MonitoredCluster`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from curfew.adapters.kube.bindings import KubeBindings
from curfew.adapters.kube.calling import (
    CORE,
    EVENTS,
    JSON,
    JSON_PATCH,
    LEASES,
    OURS,
    CallObserver,
    ask,
    ask_for_lines,
    nobody,
    observed,
    path_to,
)
from curfew.adapters.kube.connection import Connection, find_cluster
from curfew.core.activity.canary_calls import LEASE, REFUSED, SECRET, CanaryClass
from curfew.ports import ClusterError, DroppedEvents, Json, TooLarge, Unavailable

AGENT = f"curfew-monitor/{version('curfew')}"
"""The name that the monitor sends."""

_DEADLINE = 5.0  # seconds for one call
_CONNECTIONS = 8
_MOST_SERVERS = 100
_METRICS_DEADLINE = 20.0
_METRICS_BYTES = 2**26
_PAGE = 250
_PAGE_BYTES = 2**23  # an AlertResponse has a few kilobytes
_ANSWER_BYTES = 2**20  # an AccessRequest has up to 300 KiB

MOST_RESPONSES = 10_000
"""Most AlertResponses that are read."""


class KubeMonitor:
    """The monitor's calls, one method each."""

    def __init__(self, connection: Connection, namespace: str, observe: CallObserver = nobody) -> None:
        """Take the connection, Curfew's own namespace, and the observer that is called for each call."""
        self._server = connection.server
        self._namespace = namespace
        self._observe = observe
        self._session = connection.session(_CONNECTIONS, AGENT)
        self.bindings = KubeBindings(self._session, connection.server, observe)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, kubeconfig: Path | None, namespace: str, *, observe: CallObserver = nobody
    ) -> AsyncIterator[Self]:
        """Find the API server (`find_cluster`), or raise `NoCluster`. No call is made yet."""
        cluster = cls(await find_cluster(kubeconfig), namespace, observe)
        try:
            yield cluster
        finally:
            await cluster._session.close()

    async def write_activity(self, namespace: str, name: str, uid: str, activity: Mapping[str, Any]) -> None:
        """Set `status.activity` of exactly that AccessRequest, and nothing else."""
        # The status subresource does not compare UIDs in a merge patch; a JSON patch tests whatever it is to test.
        patch: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "add", "path": "/status/activity", "value": dict(activity)},
        ]
        await self._call(
            "write_activity",
            "PATCH",
            # Strict: an older CustomResourceDefinition would drop the fields that it does not know.
            path_to(OURS, namespace, "accessrequests", name, "status") + "?fieldValidation=Strict",
            patch,
            what=f"write what was done with AccessRequest {namespace}/{name}",
            content_type=JSON_PATCH,
        )

    async def delete_pod(self, namespace: str, name: str) -> str:
        """Delete a pod, with the time that it has to end (`terminationGracePeriodSeconds`), and return its UID."""
        path = path_to(CORE, namespace, "pods", name)
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        answer = await self._call("delete_pod", "DELETE", path, body, what=f"delete pod {namespace}/{name}")
        # A pod that runs nowhere is gone at once, and the answer is a Status.
        details = answer.get("details") if answer.get("kind") == "Status" else answer.get("metadata")
        return str((details or {}).get("uid") or "")

    async def create_event(self, manifest: Json) -> None:
        """Create an Event of events.k8s.io/v1 in the namespace that it names."""
        metadata = manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        path = path_to(EVENTS, namespace, "events")
        await self._call("create_event", "POST", path, manifest, what=f"create Event {namespace}/{name}")

    async def alert_responses(self) -> list[dict[str, Any]]:
        """Return all AlertResponses, without what nobody reads. Raise `TooLarge` if there are more than `MOST_RESPONSES`."""
        found: list[dict[str, Any]] = []
        query, limit = dict[str, str](), _PAGE
        while True:
            path = f"{path_to(OURS, '', 'alertresponses')}?{urlencode(query | {'limit': str(limit)})}"
            try:
                page = await self._call("alert_responses", "GET", path, what="list AlertResponses", most=_PAGE_BYTES)
            except TooLarge:  # annotations that somebody has filled must not keep all other answers from being read
                if limit == 1:
                    raise
                limit = max(1, limit // 8)
                continue
            found += (_without_extras(item) for item in page.get("items") or () if isinstance(item, dict))
            query = {"continue": str((page.get("metadata") or {}).get("continue") or "")}
            if not query["continue"]:
                return found
            if len(found) >= MOST_RESPONSES:
                raise TooLarge(
                    f"list AlertResponses: there are more than {MOST_RESPONSES:,}; delete those that resolve an alert, and "
                    "those that have ended"
                )

    async def api_servers(self) -> Mapping[str, str]:
        """Return the API servers that hold a lease: for the name of each lease its holder, another one after a restart."""
        query = {"labelSelector": "apiserver.kubernetes.io/identity=kube-apiserver", "limit": str(_MOST_SERVERS)}
        path = f"{path_to(LEASES, 'kube-system', 'leases')}?{urlencode(query)}"
        answer = await self._call("api_servers", "GET", path, what="count the API servers")
        leases = answer.get("items") or ()
        return {lease["metadata"]["name"]: str((lease.get("spec") or {}).get("holderIdentity")) for lease in leases}

    async def dropped_events(self) -> DroppedEvents:
        """Return how many audit events the API server that answers has given up."""
        what = "read how many audit events the API server has given up"
        return await observed(self._observe, "dropped_events", what, self._dropped_events())

    async def _dropped_events(self) -> DroppedEvents:
        server, number = "", 0.0
        url = f"{self._server}/metrics"
        async with aclosing(ask_for_lines(self._session, url, _METRICS_DEADLINE, _METRICS_BYTES)) as lines:
            async for line in lines:
                if line.startswith(b"process_start_time_seconds "):
                    server = line.split()[-1].decode()
                elif line.startswith(b"apiserver_audit_error_total"):
                    number += float(line.split()[-1])
        if not server:
            raise ValueError("it does not show when the API server was started")
        return DroppedEvents(server, int(number))

    async def canary(self, class_: CanaryClass, audit_id: str) -> None:
        """Make a test call under an Audit-ID. Any answer will do."""
        lease = path_to(LEASES, self._namespace, "leases", LEASE)
        match class_:
            case CanaryClass.GET:
                await self._make(class_, audit_id, "GET", lease)
            case CanaryClass.LIST_SECRETS:
                # RBAC allows a list by the name of one object if exactly that name is selected.
                query = urlencode({"fieldSelector": f"metadata.name={SECRET}"})
                await self._make(class_, audit_id, "GET", f"{path_to(CORE, self._namespace, 'secrets')}?{query}")
            case CanaryClass.UPDATE:
                # Without a version, the API server refuses to write; the refusal is an update in its audit log too.
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": LEASE, "namespace": self._namespace},
                }
                await self._make(class_, audit_id, "PUT", lease, body)
            case CanaryClass.REFUSED:
                await self._make(class_, audit_id, "GET", path_to(CORE, self._namespace, "configmaps", REFUSED))

    async def _make(self, class_: CanaryClass, audit_id: str, method: str, path: str, body: Json | None = None) -> None:
        call, what = f"canary_{class_.lower()}", f"make the test call {class_}"
        try:
            await self._call(call, method, path, body, what=what, headers={"Audit-ID": audit_id})
        except Unavailable:
            raise
        except ClusterError:
            return  # refused, not found, not written: it was answered

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        body: Json | Sequence[Json] | None = None,
        *,
        what: str,
        content_type: str = JSON,
        headers: Mapping[str, str] | None = None,
        most: int = _ANSWER_BYTES,
    ) -> dict[str, Any]:
        answering = ask(
            self._session,
            method,
            self._server + path,
            body,
            content_type,
            _DEADLINE,
            most,
            headers or {},
        )
        return await observed(self._observe, call, what, answering)


def _without_extras(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what nothing here reads, and what may be large."""
    if isinstance(meta := item.get("metadata"), dict):
        for unread in ("annotations", "labels", "managedFields"):
            meta.pop(unread, None)
    return item

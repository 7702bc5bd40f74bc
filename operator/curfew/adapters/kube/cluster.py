"""The calls that Curfew itself makes, one method each, as plain JSON and with a deadline.

They bypass the generated methods of `kubernetes.aio`, whose validation and models cost more CPU than the call. Nothing
is retried here: only the reconciler knows whether a call is still wanted.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp

from curfew.adapters.kube.calling import (
    ANSWER_BYTES,
    BATCH,
    CORE,
    EVENTS,
    JSON,
    MERGE_PATCH,
    OURS,
    RBAC,
    CallObserver,
    ask,
    items_of,
    nobody,
    observed,
    path_to,
)
from curfew.adapters.kube.connection import CompareClocks, Connection, find_cluster
from curfew.adapters.kube.failures import Absent
from curfew.adapters.kube.finished import FinishedReader
from curfew.adapters.kube.leases import KubeLeases
from curfew.adapters.kube.locks import LockReader
from curfew.adapters.kube.metadata import MetadataReader
from curfew.adapters.kube.probing import KubeProber
from curfew.adapters.kube.revoking import RevokingSessions
from curfew.api import names
from curfew.api.times import parse_time
from curfew.core.terms import ROLE_BYTES
from curfew.ports import Clock, ClosedRequest, Conflict, Held, Json, NotFound, ObjectSeen

_DEADLINE = 5.0  # seconds for one call
_CREATE_DEADLINE = 4.0  # the API server's own for a binding: it answers before we give up
_DELETE_DEADLINE = 3.0  # a revocation is tried again instead of waiting longer
_LIST_DEADLINE = 30.0  # seconds for one page
_PAGE = 50  # objects; the largest request, with annotations as large as the API server accepts, has 300 KiB
_CONNECTIONS = 32
_REVOKING_CONNECTIONS = 16  # connections of their own, so that no revocation waits behind other calls (promise P3)

_CRON_JOB_BYTES = 2**21  # etcd accepts no object of this size
_ROLE_READS = 4  # at a time: a role is as large as its author made it, up to ROLE_BYTES
_ROLES: Mapping[str, str] = MappingProxyType({"Role": "roles", "ClusterRole": "clusterroles"})
_CRDS: Mapping[str, str] = MappingProxyType(
    {"accesspolicies": "AccessPolicy", "accessrequests": "AccessRequest", "accesslocks": "AccessLock"}
)


class KubeCluster:
    """A real API server, as `curfew.ports.Cluster`."""

    def __init__(self, connection: Connection, observe: CallObserver = nobody) -> None:
        """Take the connection to the API server, and the observer that is called for each call."""
        self._connection = connection
        self._observe = observe
        self._session = connection.session(_CONNECTIONS)
        self._revoking = RevokingSessions(lambda: connection.session(_REVOKING_CONNECTIONS))
        self._probers: list[KubeProber] = []
        self._metadata = MetadataReader(connection, observe)
        self.finished = FinishedReader(connection, observe)
        self.locks = LockReader(connection, observe)
        self.leases = KubeLeases(connection, observe)
        self._role_reads = asyncio.Semaphore(_ROLE_READS)

    @classmethod
    @asynccontextmanager
    async def connect(cls, kubeconfig: Path | None = None, *, observe: CallObserver = nobody) -> AsyncIterator[Self]:
        """Find the API server (`find_cluster`), or raise `NoCluster`. No call is made yet."""
        cluster = cls(await find_cluster(kubeconfig), observe)
        try:
            yield cluster
        finally:
            await cluster.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.server

    def compare_clocks(self, clock: Clock, told: CompareClocks) -> None:
        """For each answer from now on, call `told` with the times of request and answer by `clock`, and its Date."""
        self._connection.compare_clocks(clock, told)

    async def make_session(self) -> tuple[str, aiohttp.ClientSession]:
        """Return the API server's URL and a new authenticated session for it. The caller closes the session."""
        return self.server, self._connection.session()

    def prober(self, namespace: str, account: str) -> KubeProber:
        """Return a prober: on connections of its own, it makes attempts as Curfew and as that service account.

        It is closed with the cluster.
        """
        prober = KubeProber(self._connection, self._observe, namespace, account)
        self._probers.append(prober)
        return prober

    async def close(self) -> None:
        """Close all connections. Calls under way fail with `Unavailable`."""
        ours: list[KubeProber | KubeLeases | RevokingSessions] = [*self._probers, self.leases, self._revoking]
        for each in (*ours, self._session):
            await each.close()

    async def missing_kinds(self) -> list[str]:
        """Return the names of our CustomResourceDefinitions that the API server does not serve."""
        try:
            served = await self._call("missing_kinds", "GET", OURS, what=f"ask which kinds of {names.GROUP} are served")
        except NotFound:
            served = {}
        plurals = {resource.get("name") for resource in served.get("resources") or ()}
        return [f"{plural}.{names.GROUP}" for plural in _CRDS if plural not in plurals]

    async def revision(self) -> int:
        """Return the number of the last change in the API server's state, read past all caches."""
        page = await self._call("revision", "GET", f"{OURS}/accesspolicies?limit=1", what="ask for the revision")
        return int(page["metadata"]["resourceVersion"])

    async def list_requests(self) -> list[dict[str, Any]]:
        """Return all AccessRequests that are not labelled closed, in all namespaces."""
        return await self._list("list_requests", f"{OURS}/accessrequests", f"!{names.LABEL_CLOSED}")

    def counted_requests(self) -> AsyncIterator[dict[str, Any]]:
        """Yield all AccessRequests that are labelled as counted, of all hours, a page at a time.

        Raise `Conflict` if the pages became too old in between.
        """
        return self._each("counted_requests", f"{OURS}/accessrequests", names.LABEL_COUNTED_IN)

    async def list_policies(self) -> list[dict[str, Any]]:
        """Return all AccessPolicies, in all namespaces."""
        return await self._list("list_policies", f"{OURS}/accesspolicies", "")

    async def list_bindings(self) -> list[dict[str, Any]]:
        """Return all RoleBindings that carry our label, in all namespaces."""
        return await self._list("list_bindings", f"{RBAC}/rolebindings", names.LABEL_REQUEST_UID, _DEADLINE)

    async def get_request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one AccessRequest, or None if there is none."""
        path = path_to(OURS, namespace, "accessrequests", name)
        return await self._get("get_request", path, f"read AccessRequest {namespace}/{name}")

    async def get_binding(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one RoleBinding, or None if there is none."""
        path = path_to(RBAC, namespace, "rolebindings", name)
        return await self._get("get_binding", path, f"read RoleBinding {namespace}/{name}")

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one ClusterRole (the namespace is ignored) or Role, or None if there is none.

        Raise `TooLarge` if it has more than `ROLE_BYTES`.
        """
        is_everywhere = kind == "ClusterRole"
        path = path_to(RBAC, "" if is_everywhere else namespace, _ROLES[kind], name)
        what = f"read {kind} {name}" if is_everywhere else f"read {kind} {namespace}/{name}"
        async with self._role_reads:
            return await self._get("get_role", path, what, most=ROLE_BYTES)

    async def list_roles(self, kind: str) -> tuple[Sequence[ObjectSeen], str]:
        """Return all objects of a kind (Role or ClusterRole), and the version at which they were listed."""
        return await self._metadata.list(path_to(RBAC, "", _ROLES[kind]))

    def watch_roles(self, kind: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Yield each change since a version, until the API server ends the watch. `Conflict`: it is no longer kept."""
        return self._metadata.watch(path_to(RBAC, "", _ROLES[kind]), version)

    async def create_binding(self, manifest: Json, within: timedelta) -> dict[str, Any]:
        """Create a RoleBinding and return it as stored. The API server itself gives up after `within`, or earlier.

        It would try for half a minute, also for a caller that is gone, and could store what has to be over by then.
        """
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        milliseconds = max(1, int(min(within.total_seconds(), _CREATE_DEADLINE) * 1000))  # 0 would be no limit
        path = f"{path_to(RBAC, namespace, 'rolebindings')}?timeout={milliseconds}ms"
        what = f"create RoleBinding {namespace}/{name}"
        return await self._call("create_binding", "POST", path, manifest, what=what)

    async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
        """Delete the RoleBinding with that UID. True: this call removed it. False: it was gone or is another one.

        Raise `Held` if it is still there and still grants access.
        """
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            async with self._revoking.session() as session:
                answer = await self._call(
                    "delete_binding",
                    "DELETE",
                    path_to(RBAC, namespace, "rolebindings", name),
                    options,
                    what=f"delete RoleBinding {namespace}/{name}",
                    session=session,
                    deadline=_DELETE_DEADLINE,
                )
        except (Absent, Conflict):
            return False
        # The API server answers with a Status if the object is gone, and with the object if it will only be deleted
        # later.
        if answer.get("kind") == "RoleBinding":
            finalizers = ", ".join(answer["metadata"].get("finalizers") or ["the API server does not name them"])
            raise Held(
                f"RoleBinding {namespace}/{name} was deleted but still grants, because finalizers keep it "
                f"({finalizers}). The owner of these finalizers has to remove them."
            )
        return True

    async def patch_request_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Json
    ) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessRequest and return it as stored."""
        return await self._patch_status(
            "patch_request_status", "accessrequests", namespace, name, uid, resource_version, status
        )

    async def patch_policy_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Json
    ) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessPolicy and return it as stored."""
        return await self._patch_status(
            "patch_policy_status", "accesspolicies", namespace, name, uid, resource_version, status
        )

    async def patch_lock_status(self, name: str, uid: str, resource_version: str, status: Json) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessLock and return it as stored."""
        return await self._patch_status("patch_lock_status", "accesslocks", "", name, uid, resource_version, status)

    async def label_closed(self, namespace: str, name: str, uid: str, counted_in: str = "") -> dict[str, Any]:
        """Label a finished AccessRequest so that our watches leave it out, and with the hour in which it is counted."""
        labels = {names.LABEL_CLOSED: "true"} | ({names.LABEL_COUNTED_IN: counted_in} if counted_in else {})
        return await self._call(
            "label_closed",
            "PATCH",
            path_to(OURS, namespace, "accessrequests", name),
            {"metadata": {"uid": uid, "labels": labels}},
            what=f"label AccessRequest {namespace}/{name} closed",
            content_type=MERGE_PATCH,
        )

    async def closed_requests(self) -> AsyncIterator[ClosedRequest]:
        """Yield all AccessRequests that are labelled closed, in all namespaces, page by page."""
        async for page in self._metadata.pages(f"{OURS}/accessrequests", f"{names.LABEL_CLOSED}=true"):
            for meta in (item["metadata"] for item in page.get("items") or ()):
                created = parse_time(meta["creationTimestamp"])
                yield ClosedRequest(sys.intern(meta["namespace"]), meta["name"], meta["uid"], created)

    async def delete_request(self, namespace: str, name: str, uid: str, resource_version: str) -> None:
        """Delete exactly that version of that AccessRequest. Raise `NotFound` if it is gone, `Conflict` if it is another."""
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
            "propagationPolicy": "Background",
        }
        path = path_to(OURS, namespace, "accessrequests", name)
        what = f"delete AccessRequest {namespace}/{name}"
        await self._call("delete_request", "DELETE", path, options, what=what)

    async def may_request(self, user: str, namespace: str, policy: str) -> bool:
        """Whether RBAC lets a user, by name and without their groups, request access under an AccessPolicy."""
        asked = {
            "group": names.GROUP,
            "resource": "accesspolicies",
            "verb": "request",
            "name": policy,
            "namespace": namespace,
        }
        what = f"ask whether {user} may request AccessPolicy {namespace}/{policy}"
        return await self._is_allowed("subjectaccessreviews", {"user": user, "resourceAttributes": asked}, what)

    async def may_bind(self, kind: str, namespace: str, name: str) -> bool:
        """Whether RBAC lets Curfew itself make a RoleBinding to that role in that namespace."""
        plural = "clusterroles" if kind == "ClusterRole" else "roles"
        what = f"ask whether Curfew may bind {kind} {name} in {namespace}"
        group = "rbac.authorization.k8s.io"
        for asked in (
            {"group": group, "resource": plural, "verb": "bind", "name": name, "namespace": namespace},
            {"group": group, "resource": "rolebindings", "verb": "create", "namespace": namespace},
        ):
            if not await self._is_allowed("selfsubjectaccessreviews", {"resourceAttributes": asked}, what):
                return False
        return True

    async def create_event(self, manifest: Json) -> None:
        """Create an Event of events.k8s.io/v1 in the namespace that it names."""
        metadata = manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        path = path_to(EVENTS, namespace, "events")
        await self._call("create_event", "POST", path, manifest, what=f"create Event {namespace}/{name}")

    async def get_config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one ConfigMap, or None if there is none."""
        path = path_to(CORE, namespace, "configmaps", name)
        return await self._get("get_config_map", path, f"read ConfigMap {namespace}/{name}")

    async def patch_config_map(self, namespace: str, name: str, resource_version: str, data: Mapping[str, str]) -> None:
        """Set some keys of exactly that version of a ConfigMap."""
        await self._call(
            "patch_config_map",
            "PATCH",
            path_to(CORE, namespace, "configmaps", name),
            {"metadata": {"resourceVersion": resource_version}, "data": dict(data)},
            what=f"write ConfigMap {namespace}/{name}",
            content_type=MERGE_PATCH,
        )

    async def get_cron_job(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one CronJob, or None if there is none."""
        path = path_to(BATCH, namespace, "cronjobs", name)
        return await self._get("get_cron_job", path, f"read CronJob {namespace}/{name}", _CRON_JOB_BYTES)

    async def _is_allowed(self, plural: str, spec: Json, what: str) -> bool:
        """Ask RBAC. An answer without a clear yes is a no (promise P8)."""
        answer = await self._call(
            "access_review", "POST", f"/apis/authorization.k8s.io/v1/{plural}", {"spec": spec}, what=what
        )
        return (answer.get("status") or {}).get("allowed") is True

    async def _patch_status(
        self, call: str, plural: str, namespace: str, name: str, uid: str, resource_version: str, status: Json
    ) -> dict[str, Any]:
        """Merge-patch the status of one version of one of our objects.

        The version alone is a safe condition: the status subresource does not compare UIDs, and no two objects ever
        share a version.
        """
        return await self._call(
            call,
            "PATCH",
            # Strict: an older CustomResourceDefinition would drop the fields that it does not know, records included.
            path_to(OURS, namespace, plural, name, "status") + "?fieldValidation=Strict",
            {"metadata": {"uid": uid, "resourceVersion": resource_version}, "status": status},
            what=f"write the status of {_CRDS[plural]} {f'{namespace}/' if namespace else ''}{name}",
            content_type=MERGE_PATCH,
        )

    async def _get(self, call: str, path: str, what: str, most: int = ANSWER_BYTES) -> dict[str, Any] | None:
        """Return one object, or None if there is none."""
        try:
            return await self._call(call, "GET", path, what=what, most=most)
        except Absent:
            return None

    async def _list(
        self, call: str, path: str, selector: str, deadline: float = _LIST_DEADLINE
    ) -> list[dict[str, Any]]:
        """Return all objects, page by page; start again if the pages became too old in between."""
        try:
            return [item async for item in self._each(call, path, selector, deadline)]
        except Conflict:
            return [item async for item in self._each(call, path, selector, deadline)]

    async def _each(
        self, call: str, path: str, selector: str, deadline: float = _LIST_DEADLINE
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield all objects in one series of pages."""
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            what = f"list {path.rpartition('/')[2]}"
            page = await self._call(call, "GET", f"{path}?{urlencode(query)}", what=what, deadline=deadline)
            for item in items_of(page):
                yield item
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        what: str,
        content_type: str = JSON,
        session: aiohttp.ClientSession | None = None,
        deadline: float = _DEADLINE,
        most: int = ANSWER_BYTES,
    ) -> dict[str, Any]:
        """Make one call, call the observer, and return the answer's JSON object or raise a `ClusterError`."""
        answering = ask(session or self._session, method, self.server + path, body, content_type, deadline, most)
        return await observed(self._observe, call, what, answering)

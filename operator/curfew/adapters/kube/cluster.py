"""The calls that Curfew makes itself, one method each, as plain JSON and with a deadline.

They go below the generated methods of `kubernetes.aio`, whose validation and models cost more CPU than the call.
Nothing is repeated here: the reconciler knows whether a call is still wanted.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from curfew.adapters.kube.connection import Connection, find_cluster, sent_at_most_once
from curfew.adapters.kube.failures import FAILURES, Absent, Refusal, cluster_error
from curfew.api import names
from curfew.ports import ClusterError, Conflict, Json, NotFound

CallObserver = Callable[[str, str, float], None]
"""Told of each call: the method's name, "Ok" or the kind of failure, and the seconds it took."""

OURS = f"/apis/{names.GROUP}/{names.VERSION}"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVENTS = "/apis/events.k8s.io/v1"

_DEADLINE = 5.0  # seconds for one call
_DELETE_DEADLINE = 3.0  # a revocation tries again rather than wait
_LIST_DEADLINE = 30.0  # seconds for one page
_CONNECT_DEADLINE = 2.0  # seconds to reach the API server, out of the above
_PAGE = 500  # objects
_CONNECTIONS = 32
_REVOKING_CONNECTIONS = 16  # of their own, so that no revocation waits behind other calls (promise P3)

_MERGE_PATCH = "application/merge-patch+json"
_CRDS: Mapping[str, str] = MappingProxyType({"accesspolicies": "AccessPolicy", "accessrequests": "AccessRequest"})


def _nobody(_call: str, _outcome: str, _seconds: float) -> None:
    """Tell nobody."""


class KubeCluster:
    """A real API server, as `curfew.ports.Cluster`."""

    def __init__(self, connection: Connection, observe: CallObserver = _nobody) -> None:
        """Take the way to the API server, and who is told of each call. The connection is closed with the cluster."""
        self._connection = connection
        self._observe = observe
        self._client = connection.client(_CONNECTIONS)
        self._revoking = connection.client(_REVOKING_CONNECTIONS)

    @classmethod
    @asynccontextmanager
    async def connect(cls, kubeconfig: Path | None = None, *, observe: CallObserver = _nobody) -> AsyncIterator[Self]:
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

    async def make_session(self) -> tuple[str, aiohttp.ClientSession]:
        """Return the API server's URL and a new authenticated session for it. Whoever takes the session closes it."""
        return self.server, self._connection.session()

    async def close(self) -> None:
        """Close all connections. Calls under way fail with `Unavailable`."""
        await self._client.close()
        await self._revoking.close()
        await self._connection.close()

    async def missing_kinds(self) -> list[str]:
        """Return the names of those of our CustomResourceDefinitions that the API server does not serve."""
        try:
            served = await self._call("missing_kinds", "GET", OURS, what=f"ask which kinds of {names.GROUP} are served")
        except NotFound:
            served = {}
        plurals = {resource.get("name") for resource in served.get("resources") or ()}
        return [f"{plural}.{names.GROUP}" for plural in _CRDS if plural not in plurals]

    async def list_requests(self) -> list[dict[str, Any]]:
        """Return all AccessRequests that are not labelled closed, in all namespaces."""
        return await self._list("list_requests", f"{OURS}/accessrequests", f"!{names.LABEL_CLOSED}")

    async def list_policies(self) -> list[dict[str, Any]]:
        """Return all AccessPolicies, in all namespaces."""
        return await self._list("list_policies", f"{OURS}/accesspolicies", "")

    async def list_bindings(self) -> list[dict[str, Any]]:
        """Return all RoleBindings that carry our label, in all namespaces."""
        return await self._list("list_bindings", f"{RBAC}/rolebindings", names.LABEL_REQUEST_UID)

    async def get_request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one AccessRequest, or None where there is none."""
        path = _path(OURS, namespace, "accessrequests", name)
        return await self._get("get_request", path, f"read AccessRequest {namespace}/{name}")

    async def get_binding(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one RoleBinding, or None where there is none."""
        path = _path(RBAC, namespace, "rolebindings", name)
        return await self._get("get_binding", path, f"read RoleBinding {namespace}/{name}")

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one ClusterRole (the namespace is ignored) or Role, or None where there is none."""
        if kind == "ClusterRole":
            return await self._get("get_role", _path(RBAC, "", "clusterroles", name), f"read ClusterRole {name}")
        return await self._get("get_role", _path(RBAC, namespace, "roles", name), f"read Role {namespace}/{name}")

    async def create_binding(self, manifest: Json) -> dict[str, Any]:
        """Create a RoleBinding and return it as stored."""
        metadata = manifest["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        return await self._call(
            "create_binding",
            "POST",
            _path(RBAC, namespace, "rolebindings"),
            manifest,
            what=f"create RoleBinding {namespace}/{name}",
        )

    async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
        """Delete the RoleBinding with that UID. True: this call removed it. False: it was gone or is another one.

        True is also said of one that somebody's finalizer still holds: only reading it back shows that it is gone.
        """
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        try:
            with sent_at_most_once():
                await self._call(
                    "delete_binding",
                    "DELETE",
                    _path(RBAC, namespace, "rolebindings", name),
                    options,
                    what=f"delete RoleBinding {namespace}/{name}",
                    client=self._revoking,
                    deadline=_DELETE_DEADLINE,
                )
        except (Absent, Conflict):
            return False
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

    async def label_closed(self, namespace: str, name: str, uid: str) -> dict[str, Any]:
        """Put the label that takes a finished AccessRequest out of our watches."""
        return await self._call(
            "label_closed",
            "PATCH",
            _path(OURS, namespace, "accessrequests", name),
            {"metadata": {"uid": uid, "labels": {names.LABEL_CLOSED: "true"}}},
            what=f"label AccessRequest {namespace}/{name} closed",
            content_type=_MERGE_PATCH,
        )

    async def may_request(self, user: str, namespace: str, policy: str) -> bool:
        """Whether RBAC lets a user, by name and without their groups, ask for an AccessPolicy."""
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
        path = _path(EVENTS, namespace, "events")
        await self._call("create_event", "POST", path, manifest, what=f"create Event {namespace}/{name}")

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

        It is the version that makes sure: the status subresource does not compare UIDs, and no two objects that ever
        were share a version.
        """
        return await self._call(
            call,
            "PATCH",
            # Strict: a CustomResourceDefinition older than we are would drop what it does not know, records included.
            _path(OURS, namespace, plural, name, "status") + "?fieldValidation=Strict",
            {"metadata": {"uid": uid, "resourceVersion": resource_version}, "status": status},
            what=f"write the status of {_CRDS[plural]} {namespace}/{name}",
            content_type=_MERGE_PATCH,
        )

    async def _get(self, call: str, path: str, what: str) -> dict[str, Any] | None:
        """Return one object, or None where there is none."""
        try:
            return await self._call(call, "GET", path, what=what)
        except Absent:
            return None

    async def _list(self, call: str, path: str, selector: str) -> list[dict[str, Any]]:
        """Return all objects, page by page; from the start again where the pages became too old in between."""
        try:
            return await self._pages(call, path, selector)
        except Conflict:
            return await self._pages(call, path, selector)

    async def _pages(self, call: str, path: str, selector: str) -> list[dict[str, Any]]:
        """Return all objects that one series of pages holds."""
        found: list[dict[str, Any]] = []
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            page = await self._call(
                call,
                "GET",
                f"{path}?{urlencode(query)}",
                what=f"list {path.rpartition('/')[2]}",
                deadline=_LIST_DEADLINE,
            )
            # The items of built-in kinds do not say what they are; their list does.
            about = {"apiVersion": page.get("apiVersion", ""), "kind": str(page.get("kind", "")).removesuffix("List")}
            found.extend(about | item for item in page.get("items") or ())
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return found

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        what: str,
        content_type: str = "application/json",
        client: ApiClient | None = None,
        deadline: float = _DEADLINE,
    ) -> dict[str, Any]:
        """Make one call, tell the observer, and return the answer's JSON object or raise a `ClusterError`."""
        loop = asyncio.get_running_loop()
        started, outcome = loop.time(), "Cancelled"
        try:
            answer = await _ask(client or self._client, method, self.server + path, body, content_type, deadline)
            outcome = "Ok"
        except FAILURES as cause:
            error = cluster_error(what, cause)
            outcome = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == ClusterError.__module__)
            raise error from cause
        finally:
            self._observe(call, outcome, loop.time() - started)
        return answer


async def _ask(
    client: ApiClient, method: str, url: str, body: Json | None, content_type: str, deadline: float
) -> dict[str, Any]:
    """Return the JSON object that the API server answers with, or raise one of `FAILURES`."""
    result = await client.call_api(
        method,
        url,
        header_params={**client.default_headers, "Accept": "application/json", "Content-Type": content_type},
        body=body,
        _request_timeout=aiohttp.ClientTimeout(total=deadline, sock_connect=_CONNECT_DEADLINE),
        _preload_content=False,
    )
    response: aiohttp.ClientResponse = result.response
    async with response:
        raw = await response.read()
    if response.status >= 300:
        raise Refusal(response.status, raw)
    answer = json.loads(raw)
    if not isinstance(answer, dict):
        raise ValueError(f"it is a JSON {type(answer).__name__}, not an object")  # noqa: TRY004  FAILURES knows this one
    return answer


def _path(group: str, namespace: str, plural: str, *rest: str) -> str:
    """Return a resource's path. An empty namespace: the kind is cluster-scoped."""
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    return "/".join((f"{group}{scope}/{plural}", *(quote(part, safe="") for part in rest)))

"""An HTTP server that speaks just enough of the Kubernetes API to put `KubeCluster` through its paces."""

import copy
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


def status(code: int, reason: str, message: str, **details: Any) -> web.Response:
    """Return a Kubernetes Status that refuses."""
    return web.json_response(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        },
        status=code,
    )


def always(answer: web.Response) -> Answer:
    """Return an answer that does not depend on what is asked."""

    async def give(_: web.Request) -> web.StreamResponse:
        return answer

    return give


@dataclass
class ApiServer:
    """Objects by the path of their collection, what was asked, and answers that take precedence over the truth."""

    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    scripted: list[Answer] = field(default_factory=list)
    token: str | None = None  # the only one accepted
    url: str = ""
    revision: int = 0

    def put(self, collection: str, name: str, **body: Any) -> dict[str, Any]:
        """Store an object and return it."""
        namespace = collection.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in collection else ""
        stored = {**copy.deepcopy(body)}
        meta = stored.setdefault("metadata", {})
        self.revision += 1
        meta |= {"name": name, "uid": meta.get("uid") or f"uid-{name}", "resourceVersion": str(self.revision)}
        if namespace:
            meta["namespace"] = namespace
        self.objects.setdefault(collection, {})[name] = stored
        return stored

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        raw = await request.read()
        body: Any = json.loads(raw) if raw else None
        self.asked.append(Asked(request.method, request.path, dict(request.query), dict(request.headers), body))
        if self.scripted:
            return await self.scripted.pop(0)(request)
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized", "Unauthorized")
        path = request.path.removesuffix("/status")
        if request.method == "POST":
            return self._create(path, body)
        collection, _, name = path.rpartition("/")
        if name in self.objects.get(collection, {}):
            return getattr(self, f"_{request.method.lower()}")(collection, name, body)  # type: ignore[no-any-return]
        if request.method == "GET" and self._is_collection(path):
            return self._list(path, request)
        if self._is_collection(collection):
            kind = collection.rpartition("/")[2]
            return status(404, "NotFound", f'{kind} "{name}" not found', name=name, kind=kind)
        return web.Response(status=404, text="404 page not found\n")

    def _is_collection(self, path: str) -> bool:
        """Whether some collection ends like this one, in a namespace or in all."""
        plural = path.rpartition("/")[2]
        return any(known.rpartition("/")[2] == plural for known in self.objects)

    def _create(self, collection: str, body: dict[str, Any]) -> web.Response:
        name = body["metadata"]["name"]
        if name in self.objects.get(collection, {}):
            kind = collection.rpartition("/")[2]
            return status(409, "AlreadyExists", f'{kind} "{name}" already exists', name=name, kind=kind)
        return web.json_response(self.put(collection, name, **body), status=201)

    def _get(self, collection: str, name: str, _: Any) -> web.Response:
        return web.json_response(self.objects[collection][name])

    def _delete(self, collection: str, name: str, body: Any) -> web.Response:
        uid = self.objects[collection][name]["metadata"]["uid"]
        wanted = ((body or {}).get("preconditions") or {}).get("uid", uid)
        if wanted != uid:
            message = f"Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            return status(409, "Conflict", message, name=name)
        del self.objects[collection][name]
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _patch(self, collection: str, name: str, body: dict[str, Any]) -> web.Response:
        stored = self.objects[collection][name]
        meta, wanted = stored["metadata"], body.get("metadata", {})
        if wanted.get("resourceVersion", meta["resourceVersion"]) != meta["resourceVersion"]:
            return status(
                409, "Conflict", "the object has been modified; please apply your changes to the latest version"
            )
        if wanted.get("uid", meta["uid"]) != meta["uid"]:
            cause = {"field": "metadata.uid", "reason": "FieldValueInvalid", "message": "field is immutable"}
            return status(422, "Invalid", "metadata.uid: Invalid value: field is immutable", causes=[cause])
        merged = _merge(stored, body)
        self.revision += 1
        merged["metadata"]["resourceVersion"] = str(self.revision)
        self.objects[collection][name] = merged
        return web.json_response(merged)

    def _list(self, path: str, request: web.Request) -> web.Response:
        prefix, _, plural = path.rpartition("/")
        found = [
            {key: value for key, value in item.items() if key not in {"apiVersion", "kind"}}
            for collection, items in sorted(self.objects.items())
            if collection.startswith(prefix) and collection.endswith(f"/{plural}")
            for _name, item in sorted(items.items())
        ]
        start, limit = int(request.query.get("continue") or 0), int(request.query.get("limit") or len(found) or 1)
        more = str(start + limit) if start + limit < len(found) else ""
        return web.json_response(
            {
                "kind": "ThingList",
                "apiVersion": prefix.removeprefix("/apis/"),
                "metadata": {"resourceVersion": str(self.revision), "continue": more},
                "items": found[start : start + limit],
            }
        )


def _merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge(merged.get(key), value)
    return merged


@asynccontextmanager
async def running(server: ApiServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[ApiServer]:
    """Serve on a free loopback port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()


def kubeconfig(path: Path, server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
    """Write a kubeconfig for one cluster and one user, and return its path."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "clusters": [{"name": "here", "cluster": {"server": server, **cluster}}],
                "users": [{"name": "me", "user": user or {"token": "t0"}}],
            }
        )
    )
    return path

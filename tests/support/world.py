"""A small world that implements the ports: an API server, a trail, a clock, and a way to make any call fail.

It keeps the rules that the real ones enforce (versions, UIDs, phases, create-only names), and its contract is held by the
suites in tests/contract against the real ones.
"""

import itertools
import pickle
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from curfew.api import names
from curfew.api.access_request import Phase
from curfew.api.phases import PHASE_CHANGES
from curfew.api.times import format_time, parse_time
from curfew.ports import AlreadyExists, ClosedRequest, Conflict, Forbidden, Held, Invalid, NotFound, Unavailable

Seen = Callable[[str, str, Mapping[str, Any]], None]
T = TypeVar("T")
Key = tuple[str, str, str]  # kind, namespace, name


def copied(body: T) -> T:
    """Return a deep copy, in a third of the time that `copy.deepcopy` takes."""
    copy: T = pickle.loads(pickle.dumps(body, pickle.HIGHEST_PROTOCOL))  # noqa: S301  it is what was just written
    return copy


class FakeClock:
    """A clock that a test turns."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._passed = timedelta(0)

    def now(self) -> datetime:
        """Return the instant that was set."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that have passed. Setting the clock does not change them."""
        return self._passed.total_seconds()

    def advance(self, **by: float) -> None:
        """Let time pass."""
        self._now += timedelta(**by)
        self._passed += timedelta(**by)

    def set(self, now: datetime) -> None:
        """Turn the clock to an instant."""
        self._now = now


class Crash(BaseException):
    """The process dies here."""


class FailurePlan:
    """Counts the calls to the world and makes the n-th fail: before or after its effect, or by the death of the process."""

    def __init__(self, at: int | None = None, *, how: type[BaseException] = Unavailable, after: bool = False) -> None:
        self.at, self.how, self.after = at, how, after
        self.calls: list[str] = []

    def before(self, call: str) -> None:
        """Count a call, and fail it before its effect where that is planned."""
        self.calls.append(call)
        if len(self.calls) == self.at and not self.after:
            raise self.how(f"{call} failed, as planned")

    def after_effect(self, call: str) -> None:
        """Fail a call whose effect is there, where that is planned: the answer is lost."""
        if len(self.calls) == self.at and self.after:
            raise self.how(f"the answer to {call} was lost, as planned")


class FakeCluster:
    """An API server for the kinds that Curfew uses. `seen` is told of each change, as a watch would."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._objects: dict[Key, dict[str, Any]] = {}
        self._revision = 100
        self._uids = itertools.count(1)
        self.watchers: list[Seen] = []
        self.failures = FailurePlan()
        self.refuse_bindings: str | None = None
        self.refuse_removals: str | None = None
        self.refuse_deletions: str | None = None
        self.is_down = False
        self.may_not_request: set[str] = set()
        self.may_bind_roles = True
        self.bindings_made: list[str] = []
        self.bindings_removed: list[tuple[str, datetime]] = []

    # --- what people do ---------------------------------------------------------------------------------------------

    def apply(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object, or replace its spec, rules and marks, as an administrator would."""
        key = _key(body)
        old = self._objects.get(key)
        new = copied(dict(body))
        if old is None:
            meta = new["metadata"]
            meta["uid"] = f"uid-{next(self._uids):04d}"
            meta["generation"] = 1
            meta.setdefault("creationTimestamp", format_time(self._clock.now().replace(microsecond=0)))
            new.pop("status", None)
        else:
            new["metadata"] = {**old["metadata"], **new["metadata"], "generation": old["metadata"]["generation"] + 1}
            new["status"] = old.get("status", {})
        return self._write(key, new)

    def decide(self, name: str, decision: Mapping[str, str], namespace: str = "payments") -> None:
        """Add a decision to a request's status, as a person would with kubectl patch."""
        body = copied(self._objects["AccessRequest", namespace, name])
        body["status"].setdefault("decisions", []).append(dict(decision))
        self._write(_key(body), body)

    def delete(self, kind: str, name: str, namespace: str = "payments") -> None:
        """Delete an object; the garbage collector removes what it owned."""
        body = self._remove((kind, namespace, name))
        uid = body["metadata"]["uid"]
        for key, other in tuple(self._objects.items()):
            if any(owner["uid"] == uid for owner in other["metadata"].get("ownerReferences", ())):
                self._remove(key)

    def edit_binding(self, name: str, change: Callable[[dict[str, Any]], None], namespace: str = "payments") -> None:
        """Change a binding, as somebody could who had switched the admission policies off."""
        body = copied(self._objects["RoleBinding", namespace, name])
        change(body)
        self._write(_key(body), body)

    def status(self, name: str, namespace: str = "payments") -> dict[str, Any]:
        """Return a request's status."""
        found: dict[str, Any] = self._objects["AccessRequest", namespace, name].get("status", {})
        return found

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        return [copied(body) for key, body in sorted(self._objects.items()) if key[0] == kind]

    # --- the port ---------------------------------------------------------------------------------------------------

    async def list_requests(self) -> list[dict[str, Any]]:
        """List open requests."""
        self._call("list requests")
        return [
            body for body in self.all("AccessRequest") if names.LABEL_CLOSED not in body["metadata"].get("labels", {})
        ]

    async def list_policies(self) -> list[dict[str, Any]]:
        """List policies."""
        self._call("list policies")
        return self.all("AccessPolicy")

    async def revision(self) -> int:
        """Return the number of the last change."""
        self._call("revision")
        return self._revision

    def snapshot(self) -> tuple[int, dict[Key, dict[str, Any]]]:
        """Return all that there is, as a backup of etcd holds it."""
        return self._revision, copied(self._objects)

    def restore(self, snapshot: tuple[int, dict[Key, dict[str, Any]]]) -> None:
        """Put a backup in the place of all that there is. No watch tells of it; the numbers go on from the old ones."""
        self._revision, self._objects = snapshot[0], copied(snapshot[1])

    async def list_bindings(self) -> list[dict[str, Any]]:
        """List our bindings."""
        self._call("list bindings")
        return [
            body for body in self.all("RoleBinding") if names.LABEL_REQUEST_UID in body["metadata"].get("labels", {})
        ]

    async def get_request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Get a request."""
        return self._get("AccessRequest", namespace, name)

    async def get_binding(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Get a binding."""
        return self._get("RoleBinding", namespace, name)

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Get a role."""
        return self._get(kind, namespace if kind == "Role" else "", name)

    async def may_request(self, user: str, namespace: str, policy: str) -> bool:
        """Ask RBAC about a user."""
        self._call("may request")
        return user not in self.may_not_request

    async def may_bind(self, kind: str, namespace: str, name: str) -> bool:
        """Ask RBAC about ourselves."""
        self._call("may bind")
        return self.may_bind_roles

    async def create_binding(self, manifest: Mapping[str, Any], within: timedelta) -> dict[str, Any]:
        """Create a binding."""
        self._call("create binding")
        key = _key(manifest)
        if self.refuse_bindings is not None:
            raise Forbidden(self.refuse_bindings)
        if key in self._objects:
            raise AlreadyExists(f"rolebindings {key[2]} already exists")
        body = copied(dict(manifest))
        body["metadata"]["uid"] = f"uid-{next(self._uids):04d}"
        body["metadata"]["creationTimestamp"] = format_time(self._clock.now().replace(microsecond=0))
        self.bindings_made.append(key[2])
        created = self._write(key, body)
        self.failures.after_effect("create binding")
        return created

    async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
        """Delete a binding."""
        self._call("delete binding")
        if self.refuse_removals is not None:
            raise Forbidden(self.refuse_removals)
        key = ("RoleBinding", namespace, name)
        body = self._objects.get(key)
        if body is None or body["metadata"]["uid"] != uid:
            return False
        if held := body["metadata"].get("finalizers"):
            if "deletionTimestamp" not in body["metadata"]:
                body["metadata"]["deletionTimestamp"] = format_time(self._clock.now().replace(microsecond=0))
                self._write(key, body)
            raise Held(f"RoleBinding {namespace}/{name} still grants, because finalizers keep it ({', '.join(held)})")
        self._remove(key)
        self.failures.after_effect("delete binding")
        return True

    async def patch_request_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Patch a request's status."""
        self._call(f"patch status {status.get('phase', '')}".strip())
        body = self._found("AccessRequest", namespace, name, uid, resource_version)
        old = body.get("status", {})
        body["status"] = _merge(old, status)
        _keep_history(old, body["status"])
        patched = self._write(_key(body), body)
        self.failures.after_effect("patch status")
        return patched

    async def patch_policy_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Patch a policy's status."""
        self._call("patch policy status")
        body = self._found("AccessPolicy", namespace, name, uid, resource_version)
        body["status"] = _merge(body.get("status", {}), status)
        patched = self._write(_key(body), body)
        self.failures.after_effect("patch policy status")
        return patched

    async def patch_lock_status(
        self, name: str, uid: str, resource_version: str, status: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Patch a lock's status."""
        self._call("patch lock status")
        body = self._found("AccessLock", "", name, uid, resource_version)
        body["status"] = _merge(body.get("status", {}), status)
        patched = self._write(_key(body), body)
        self.failures.after_effect("patch lock status")
        return patched

    async def list_locks(self) -> tuple[list[dict[str, Any]], str]:
        """List locks, and the version."""
        self._call("list locks")
        return self.all("AccessLock"), str(self._revision)

    async def counted_requests(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what is labelled as counted."""
        self._call("counted requests")
        for body in self.all("AccessRequest"):
            if names.LABEL_COUNTED_IN in body["metadata"].get("labels", {}):
                yield body

    async def label_closed(self, namespace: str, name: str, uid: str, counted_in: str = "") -> dict[str, Any]:
        """Label a request closed."""
        self._call("label closed")
        body = self._found("AccessRequest", namespace, name, uid, None)
        body["metadata"].setdefault("labels", {})[names.LABEL_CLOSED] = "true"
        if counted_in:
            body["metadata"]["labels"][names.LABEL_COUNTED_IN] = counted_in
        labelled = self._write(_key(body), body)
        self.failures.after_effect("label closed")
        return labelled

    async def closed_requests(self) -> AsyncIterator[ClosedRequest]:
        """List closed requests, without what is in them."""
        self._call("list closed requests")
        for body in self.all("AccessRequest"):
            meta = body["metadata"]
            if meta.get("labels", {}).get(names.LABEL_CLOSED) == "true":
                yield ClosedRequest(meta["namespace"], meta["name"], meta["uid"], parse_time(meta["creationTimestamp"]))

    async def delete_request(self, namespace: str, name: str, uid: str, resource_version: str) -> None:
        """Delete a request."""
        self._call("delete request")
        if self.refuse_deletions is not None:
            raise Forbidden(self.refuse_deletions)
        self._found("AccessRequest", namespace, name, uid, resource_version)
        self.delete("AccessRequest", name, namespace)
        self.failures.after_effect("delete request")

    # --- inside -----------------------------------------------------------------------------------------------------

    def _call(self, call: str) -> None:
        if self.is_down:
            raise Unavailable("the API server does not answer")
        self.failures.before(call)

    def _get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self._call(f"get {kind}")
        return copied(self._objects.get((kind, namespace, name)))

    def _found(self, kind: str, namespace: str, name: str, uid: str, version: str | None) -> dict[str, Any]:
        body = self._objects.get((kind, namespace, name))
        if body is None:
            raise NotFound(f"{kind} {namespace}/{name} not found")
        meta = body["metadata"]
        if meta["uid"] != uid or (version is not None and meta["resourceVersion"] != version):
            raise Conflict(f"{kind} {namespace}/{name} was changed meanwhile")
        return copied(body)

    def _write(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        verb = "MODIFIED" if key in self._objects else "ADDED"
        self._revision += 1
        body["metadata"]["resourceVersion"] = str(self._revision)
        self._objects[key] = body
        self._tell(verb, key[0], body)
        return copied(body)

    def _remove(self, key: Key) -> dict[str, Any]:
        body = self._objects.pop(key)
        self._revision += 1
        body["metadata"]["resourceVersion"] = str(self._revision)
        if key[0] == "RoleBinding":
            self.bindings_removed.append((key[2], self._clock.now()))
        self._tell("DELETED", key[0], body)
        return body

    def _tell(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        for seen in self.watchers:
            seen(verb, kind, copied(body))


def _key(body: Mapping[str, Any]) -> Key:
    meta = body["metadata"]
    return (body["kind"], meta.get("namespace", ""), meta["name"])


def _merge(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Apply a JSON merge patch (RFC 7386)."""
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            before = merged.get(key)
            merged[key] = _merge(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _keep_history(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse what the rules of the custom resource refuse (promise P6)."""
    before, after = old.get("phase"), new.get("phase")
    if before != after and (after is None or Phase(after) not in PHASE_CHANGES[Phase(before) if before else None]):
        raise Invalid(f"phase cannot be rewound: {before} to {after}")
    if "expiresAt" in old and "expiresAt" not in new:
        raise Invalid("expiresAt cannot be removed")
    if "expiresAt" in old and new["expiresAt"] > old["expiresAt"]:
        raise Invalid("expiresAt can never be extended")
    if old.get("decisions", []) != new.get("decisions", [])[: len(old.get("decisions", []))]:
        raise Invalid("decisions are append-only")

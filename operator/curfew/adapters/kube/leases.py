"""Leases of coordination.k8s.io/v1, on connections of their own: no renewal waits behind other calls."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from curfew.adapters.kube.calling import JSON, LEASES, CallObserver, ask, observed, path_to
from curfew.adapters.kube.connection import Connection
from curfew.adapters.kube.failures import Absent
from curfew.ports import AlreadyExists, Conflict, Invalid, Lease, NotFound

_DEADLINE: Final = 2.0  # seconds for one call: less than for how long a leader leads after a renewal
_CONNECTIONS: Final = 2
_LEASE_BYTES: Final = 2**21  # etcd accepts no object of this size


class KubeLeases:
    """The Leases of one API server, as `curfew.ports.Leases`."""

    def __init__(self, connection: Connection, observe: CallObserver) -> None:
        self._server = connection.server
        self._observe = observe
        self._session = connection.session(_CONNECTIONS)

    async def read_lease(self, namespace: str, name: str) -> Lease | None:
        """Return a Lease, or None if there is none."""
        try:
            return _read(await self._call("read_lease", "GET", namespace, name))
        except Absent:
            return None

    async def create_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Make a Lease and return it as stored. Raise `AlreadyExists` if there is one."""
        # RBAC can limit a PUT to one name, but not a POST. Without a version, it makes a Lease and replaces none.
        body = _manifest(namespace, name, lease, {})
        try:
            return _read(await self._call("create_lease", "PUT", namespace, name, body))
        except (Invalid, Conflict) as error:
            raise AlreadyExists(str(error)) from error

    async def replace_lease(self, namespace: str, name: str, lease: Lease) -> Lease:
        """Write a Lease in place of exactly its `version` and return it as stored."""
        # Without the UID, a PUT would make a Lease that was deleted, whatever the version.
        body = _manifest(namespace, name, lease, {"resourceVersion": lease.version, "uid": lease.uid})
        try:
            return _read(await self._call("replace_lease", "PUT", namespace, name, body))
        except Absent as error:
            raise NotFound(str(error)) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _call(
        self, call: str, method: str, namespace: str, name: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        url = self._server + path_to(LEASES, namespace, "leases", name)
        what = f"{'read' if method == 'GET' else 'write'} Lease {namespace}/{name}"
        answering = ask(self._session, method, url, body, JSON, _DEADLINE, _LEASE_BYTES)
        return await observed(self._observe, call, what, answering)


def _manifest(namespace: str, name: str, lease: Lease, version: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": namespace, "name": name, **version},
        "spec": {
            "holderIdentity": lease.holder,
            "leaseDurationSeconds": max(1, round(lease.duration.total_seconds())),
            "acquireTime": _written(lease.acquired),
            "renewTime": _written(lease.renewed),
            "leaseTransitions": lease.transitions,
        },
    }


def _read(body: Mapping[str, Any]) -> Lease:
    """Return the Lease in an object of the API server. What cannot be read counts as missing."""
    found = body.get("spec")
    spec = found if isinstance(found, Mapping) else {}
    holder, seconds, transitions = (
        spec.get(key) for key in ("holderIdentity", "leaseDurationSeconds", "leaseTransitions")
    )
    return Lease(
        holder=holder if isinstance(holder, str) else "",
        duration=timedelta(seconds=seconds if isinstance(seconds, int) else 0),
        acquired=_time(spec.get("acquireTime")),
        renewed=_time(spec.get("renewTime")),
        transitions=transitions if isinstance(transitions, int) else 0,
        version=str(body["metadata"]["resourceVersion"]),
        uid=str(body["metadata"]["uid"]),
    )


def _written(at: datetime | None) -> str | None:
    """Return a time as the API server wants a MicroTime: with six digits after the point."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at is not None else None


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and at.tzinfo is not None else None

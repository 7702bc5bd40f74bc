"""Making an AccessLock and seeing whether Curfew keeps to it, for who ends everything. The operator has no right to."""

from collections.abc import Mapping
from typing import Any

from curfew.adapters.kube.calling import JSON, OURS, CallObserver, ask, nobody, observed
from curfew.adapters.kube.connection import Connection
from curfew.api.names import API_VERSION

_DEADLINE = 5.0  # seconds for one call
_WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_LOCKS = f"{OURS}/accesslocks"


class KubeLocker:
    """Locks of one API server, as `curfew.ports.Locker`."""

    def __init__(self, connection: Connection, observe: CallObserver = nobody) -> None:
        self._server = connection.server
        self._session = connection.session(1)
        self._observe = observe

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def lock_everything(self, prefix: str, reason: str, ends_at: str) -> str:
        """Make a lock on everything, in the caller's own name, and return the lock's name."""
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        who = await self._call("who_am_i", "POST", _WHO, asked, what="ask who we are")
        spec = {
            "target": {"everything": True},
            "reason": reason,
            "endsAt": ends_at,
            "submittedBy": who["status"]["userInfo"]["username"],
        }
        manifest = {
            "apiVersion": API_VERSION,
            "kind": "AccessLock",
            "metadata": {"generateName": prefix},
            "spec": spec,
        }
        made = await self._call("lock_everything", "POST", _LOCKS, manifest, what="lock everything")
        return str(made["metadata"]["name"])

    async def is_in_force(self, name: str) -> bool:
        """Whether Curfew keeps to that lock, as its status shows."""
        lock = await self._call("get_lock", "GET", f"{_LOCKS}/{name}", what=f"read AccessLock {name}")
        conditions = (lock.get("status") or {}).get("conditions") or ()
        return any(one.get("type") == "InForce" and one.get("status") == "True" for one in conditions)

    async def _call(
        self, call: str, method: str, path: str, body: Mapping[str, Any] | None = None, *, what: str
    ) -> dict[str, Any]:
        answering = ask(self._session, method, self._server + path, body, JSON, _DEADLINE)
        return await observed(self._observe, call, what, answering)

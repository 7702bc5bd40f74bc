"""How many pods of a Deployment there are to be, and how many are ready."""

from curfew.adapters.kube.calling import JSON, CallObserver, ask, nobody, observed, path_to
from curfew.adapters.kube.connection import Connection

_APPS = "/apis/apps/v1"
_DEADLINE = 5.0  # seconds for one call


class KubeWorkloads:
    """Deployments of one API server."""

    def __init__(self, connection: Connection, observe: CallObserver = nobody) -> None:
        self._server = connection.server
        self._session = connection.session(1)
        self._observe = observe

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def replicas(self, namespace: str, name: str) -> tuple[int, int]:
        """Return how many pods are ready, and how many are to be. Raise a `ClusterError`."""
        url = self._server + path_to(_APPS, namespace, "deployments", name)
        answering = ask(self._session, "GET", url, None, JSON, _DEADLINE)
        found = await observed(self._observe, "get_deployment", f"read Deployment {namespace}/{name}", answering)
        ready = (found.get("status") or {}).get("readyReplicas") or 0
        return int(ready), int((found.get("spec") or {}).get("replicas") or 0)

"""The API server, as far as the monitor uses it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from curfew.core.activity.canary_calls import CanaryClass
from curfew.core.activity.noticing.binding import BindingKey, SeenBinding


@dataclass(frozen=True, slots=True)
class DroppedEvents:
    """How many audit events one API server has given up since its start."""

    server: str  # which process: when it was started, in seconds since 1970; another text after a restart
    number: int


class MonitoredCluster(Protocol):
    """The API server whose calls are monitored. Each call has a deadline and raises a `ClusterError`."""

    async def write_activity(self, namespace: str, name: str, uid: str, activity: Mapping[str, Any]) -> None:
        """Set `status.activity` of exactly that AccessRequest, and nothing else.

        Raise `NotFound` if it is gone, and `Invalid` if another request has its name now or the API server does not accept
        what was sent.
        """
        ...

    async def api_servers(self) -> Mapping[str, str]:
        """Return the API servers that hold a lease: for the name of each lease its holder, another one after a restart."""
        ...

    async def dropped_events(self) -> DroppedEvents:
        """Return how many audit events the API server that answers has given up. Raise `Forbidden` without the right to ask."""
        ...

    async def canary(self, class_: CanaryClass, audit_id: str) -> None:
        """Make a test call under an Audit-ID. Any answer will do: the call counts when its audit event arrives.

        Raise `Unavailable` if there is no answer.
        """
        ...


class PodDeleter(Protocol):
    """Where the monitor deletes pods. Each call has a deadline and raises a `ClusterError`."""

    async def delete_pod(self, namespace: str, name: str) -> str:
        """Delete a pod, with the time that it has to end (`terminationGracePeriodSeconds`), and return its UID.

        Raise `NotFound` if it is gone, and `Forbidden` without the right.
        """
        ...


class BindingSource(Protocol):
    """Where bindings are read. Each call has a deadline, reads a bounded answer, and raises a `ClusterError`."""

    async def binding(self, key: BindingKey) -> SeenBinding | None:
        """Return a binding, or None if the API server has none of that name. Raise `Forbidden` without the right."""
        ...

    def bindings(self, kind: str) -> AsyncIterator[SeenBinding]:
        """Yield all bindings of a kind, page by page. Raise `Conflict` if it took so long that there is no next page."""
        ...

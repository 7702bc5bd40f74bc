"""The API server: the calls that Curfew makes, and how they may fail.

ClusterError
├── Unavailable        no answer, or one that says "later"; the call may or may not have happened
├── NotFound           there is no such object (or no such kind)
├── AlreadyExists      a create met an object of that name
├── Conflict           the object is not the one, or not the version, that the caller read
├── Held               a finalizer keeps an object that was deleted
├── Forbidden          RBAC or an admission policy says no; the message is the API server's
├── TooLarge           the answer has more bytes than Curfew reads
└── Invalid            the API server does not accept what was sent; the message is the API server's
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from curfew.core.probes import Attempt, Canary

Json = Mapping[str, Any]
"""A JSON object as the API server sends and accepts it."""


class ClusterError(Exception):
    """The API server did not do what was asked. `str(error)` is a sentence for people."""


class Unavailable(ClusterError):
    """No answer, or one that says "later". The call may or may not have happened."""


class NotFound(ClusterError):
    """There is no such object, or no such kind."""


class AlreadyExists(ClusterError):
    """A create met an object of that name."""


class Conflict(ClusterError):
    """The object is not the one, or not the version, that the caller had read."""


class Held(ClusterError):
    """A deleted object is still there and still in effect: a finalizer holds it."""


class Forbidden(ClusterError):
    """RBAC or an admission policy says no; the message is the API server's."""


class Invalid(ClusterError):
    """The API server does not accept what was sent; the message is the API server's."""


class TooLarge(ClusterError):
    """The answer has more bytes than Curfew reads."""


class LockStatuses(Protocol):
    """Where the status of an AccessLock is written. Each call has a deadline and raises a `ClusterError`."""

    async def patch_lock_status(self, name: str, uid: str, resource_version: str, status: Json) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessLock and return it as stored."""
        ...


class Cluster(LockStatuses, Protocol):
    """The API server, as far as Curfew uses it. Each call has a deadline and raises a `ClusterError`."""

    async def revision(self) -> int:
        """Return the number of the last change in the API server's state, read past all caches."""
        ...

    async def list_requests(self) -> list[dict[str, Any]]:
        """Return all AccessRequests that are not labelled closed, in all namespaces."""
        ...

    async def list_policies(self) -> list[dict[str, Any]]:
        """Return all AccessPolicies, in all namespaces."""
        ...

    async def list_bindings(self) -> list[dict[str, Any]]:
        """Return all RoleBindings that carry our label, in all namespaces."""
        ...

    async def get_request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one AccessRequest, or None if there is none."""
        ...

    async def get_binding(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one RoleBinding, or None if there is none."""
        ...

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one ClusterRole (the namespace is ignored) or Role, or None if there is none.

        Raise `TooLarge` if it has more than `core.terms.ROLE_BYTES`.
        """
        ...

    async def may_request(self, user: str, namespace: str, policy: str) -> bool:
        """Whether RBAC lets a user, by name and without their groups, request access under an AccessPolicy."""
        ...

    async def may_bind(self, kind: str, namespace: str, name: str) -> bool:
        """Whether RBAC lets Curfew itself make a RoleBinding to that role in that namespace."""
        ...

    async def create_binding(self, manifest: Json, within: timedelta) -> dict[str, Any]:
        """Create a RoleBinding and return it as stored. The API server itself gives up after `within`, or earlier."""
        ...

    async def delete_binding(self, namespace: str, name: str, uid: str) -> bool:
        """Delete the RoleBinding with that UID. True: this call removed it. False: it was gone or is another one.

        Raise `Held` if it is still there and still grants access.
        """
        ...

    async def patch_request_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Json
    ) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessRequest and return it as stored."""
        ...

    async def patch_policy_status(
        self, namespace: str, name: str, uid: str, resource_version: str, status: Json
    ) -> dict[str, Any]:
        """Merge-patch the status of exactly that version of that AccessPolicy and return it as stored."""
        ...

    async def label_closed(self, namespace: str, name: str, uid: str, counted_in: str = "") -> dict[str, Any]:
        """Label a finished AccessRequest so that our watches leave it out, and with the hour in which it is counted."""
        ...

    def counted_requests(self) -> AsyncIterator[Json]:
        """Yield all AccessRequests that are labelled as counted, of all hours, a page at a time."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """One version of an object, without its contents. A bookmark has no uid: it only reports the current version."""

    type: str  # ADDED, MODIFIED, DELETED or BOOKMARK
    namespace: str
    name: str
    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class ClosedRequest:
    """An AccessRequest that carries the label curfew.dev/closed, without its contents."""

    namespace: str
    name: str
    uid: str
    created: datetime


class ClosedRequests(Protocol):
    """Where finished AccessRequests are found and deleted. Each call has a deadline and raises a `ClusterError`."""

    def closed_requests(self) -> AsyncIterator[ClosedRequest]:
        """Yield all AccessRequests that are labelled closed, in all namespaces, page by page."""
        ...

    async def get_request(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one AccessRequest whole, as `Cluster.get_request` does."""
        ...

    async def delete_request(self, namespace: str, name: str, uid: str, resource_version: str) -> None:
        """Delete exactly that version of that AccessRequest. Raise `NotFound` if it is gone, `Conflict` if it is another."""
        ...


class FinishedRequests(Protocol):
    """Where finished AccessRequests are read whole. Each call raises a `ClusterError`."""

    def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all AccessRequests that are labelled closed, page by page. Raise `Conflict` if the pages became too old."""
        ...

    def watch(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
        """Yield, for each change since a version, the version after it and the request as it is now; None: it is gone.

        A version alone is a sign of life. Raise `Conflict` if the first version is no longer kept.
        """
        ...


class RoleSource(Protocol):
    """Where roles are listed and watched without their contents. Each call raises a `ClusterError`."""

    async def list_roles(self, kind: str) -> tuple[Sequence[ObjectSeen], str]:
        """Return all objects of a kind (Role or ClusterRole), and the version at which they were listed."""
        ...

    def watch_roles(self, kind: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Yield each change since a version, until the API server ends the watch. `Conflict`: it is no longer kept."""
        ...

    async def get_role(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one role whole, as `Cluster.get_role` does."""
        ...


class LockSource(Protocol):
    """Where AccessLocks are listed and watched. Each call raises a `ClusterError`."""

    async def list_locks(self) -> tuple[Sequence[dict[str, Any]], str]:
        """Return all AccessLocks, and the version at which they were listed."""
        ...

    def watch_locks(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield the type and the AccessLock of each change since a version, until the API server ends the watch.

        Any other type is a sign of life: its object holds only the version. Raise `Conflict` if the first version is no
        longer kept.
        """
        ...


class Locker(Protocol):
    """Where everything is locked. Each call has a deadline and raises a `ClusterError`."""

    async def lock_everything(self, prefix: str, reason: str, ends_at: str) -> str:
        """Make an AccessLock on everything, in the caller's own name, and return its name."""
        ...

    async def is_in_force(self, name: str) -> bool:
        """Whether Curfew keeps to that AccessLock, as its status shows."""
        ...


class Noticeboard(Protocol):
    """Where the newest checkpoint is put for all to see. Each call has a deadline and raises a `ClusterError`."""

    async def get_config_map(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one ConfigMap, or None if there is none."""
        ...

    async def patch_config_map(self, namespace: str, name: str, resource_version: str, data: Mapping[str, str]) -> None:
        """Set some keys of exactly that version of a ConfigMap."""
        ...


class CronJobs(Protocol):
    """Where the sweeper's CronJob is read. Each call has a deadline and raises a `ClusterError`."""

    async def get_cron_job(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one CronJob, or None if there is none. Raise `TooLarge` if it has more than 2 MiB."""
        ...


class Prober(Protocol):
    """Makes attempts that must be refused, to check it. Each call has a deadline and raises a `ClusterError`."""

    async def attempt(self, attempt: Attempt) -> str | None:
        """Make an attempt without effect. Return the refusal in the API server's words, or None if it was allowed.

        Only "Forbidden" is a refusal. Any other error that prevents the attempt is raised.
        """
        ...

    async def place(self, canary: Canary) -> None:
        """Create, as the probe's service account, the object that attempts are made on; it may already exist."""
        ...

"""What the doctor read from the cluster. What could not be read is None, and is named in `unread`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from curfew.core.guidance.objects import parts

Json = Mapping[str, Any]
Objects = Sequence[Json] | None
"""Objects as the API server lists them, each with its kind; None if they could not be read."""

COMPONENT: Final = "app.kubernetes.io/component"
"""The label that the chart gives to the parts of Curfew: operator, monitor, sweeper."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """When something in Curfew's namespace stops being valid."""

    what: str  # such as `Secret curfew-monitor-tls, tls.crt`
    at: datetime
    is_token: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One look at a cluster. Times are aware and in UTC; `now` is by the API server's clock, cut to the second."""

    namespace: str  # where Curfew is installed
    now: datetime
    own_clock_ahead: timedelta = timedelta()  # the certain part
    deployments: Objects = None
    config_maps: Objects = None
    settings: Mapping[str, Json] = field(default_factory=dict)  # by `namespace/name` of their ConfigMap
    lease: Objects = None  # the one of the operators, or none
    cron_job: Objects = None  # the sweeper's, or none
    pods: Objects = None  # of Curfew, in its namespace
    guards: Objects = None  # ValidatingAdmissionPolicies and their bindings
    definitions: Objects = None
    cluster_rbac: Objects = None  # ClusterRoles and ClusterRoleBindings
    namespace_rbac: Objects = None  # Roles and RoleBindings
    policies: Objects = None  # AccessPolicies
    token_secrets: Objects = None  # names of Secrets in Curfew's namespace that hold a token for ever, and whose
    expiries: Sequence[Expiry] | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)  # of each process that answered: its pod, and its text
    monitor_metrics: Mapping[str, str] = field(default_factory=dict)
    unread: Sequence[Unread] = ()

    def components(self, name: str) -> list[Json]:
        """Return the Deployments of a part of Curfew, in Curfew's namespace."""
        return [
            one
            for one in self.deployments or ()
            if text(one, "metadata", "labels", COMPONENT) == name
            and text(one, "metadata", "namespace") == self.namespace
        ]

    def account(self, component: str, default: str) -> str:
        """Return the name of the service account that a part of Curfew runs as."""
        found = [text(one, "spec", "template", "spec", "serviceAccountName") for one in self.components(component)]
        return next((name for name in found if name), default)


def text(body: object, *path: str) -> str:
    """Return the text at a path; an empty one if there is none."""
    found = at(body, *path)
    return found if isinstance(found, str) else ""


def at(body: object, *path: str) -> Any:
    """Return what is at a path, or None."""
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def number(body: object, *path: str) -> int:
    """Return the whole number at a path, or 0."""
    found = at(body, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def items(body: object, *path: str) -> tuple[Json, ...]:
    """Return the objects in the list at a path; nothing if there is none."""
    return parts(at(body, *path[:-1]) if path[:-1] else body, path[-1])


def title(body: Json) -> str:
    """Return an object's kind and name, with its namespace."""
    where = text(body, "metadata", "namespace")
    return f"{text(body, 'kind')} {where + '/' if where else ''}{text(body, 'metadata', 'name')}"

"""The test calls by which the monitor finds out whether the feed of audit events is whole: one for each class of call.

An audit policy can leave out reads, or Secrets, or writes, or what was refused. So one call of each class is made, under an
Audit-ID that nobody can guess, and must arrive as an audit event.
"""

from dataclasses import dataclass
from enum import StrEnum

from curfew.core.activity.call import Call


class CanaryClass(StrEnum):
    """A class of calls that an audit policy can leave out."""

    GET = "Get"
    LIST_SECRETS = "ListSecrets"
    UPDATE = "Update"
    REFUSED = "Refused"


LEASE = "curfew-monitor"
"""The Lease in Curfew's own namespace that is read and written."""

SECRET = "curfew-monitor-canary"  # noqa: S105  a name
"""The Secret that is listed; it need not exist."""

REFUSED = "curfew-monitor-refused"
"""The ConfigMap that the monitor has no right to read."""


@dataclass(frozen=True, slots=True)
class _Shape:
    verb: str
    resource: str
    code: int | None = None  # the only answer that proves the class


_SHAPES = {
    CanaryClass.GET: _Shape("get", "leases"),
    CanaryClass.LIST_SECRETS: _Shape("list", "secrets"),
    CanaryClass.UPDATE: _Shape("update", "leases"),
    CanaryClass.REFUSED: _Shape("get", "configmaps", 403),
}


def is_canary(class_: CanaryClass, namespace: str, call: Call) -> bool:
    """Whether a call has the shape of the test call of a class; `namespace` is Curfew's own."""
    shape = _SHAPES[class_]
    return (
        (call.verb, call.resource, call.namespace) == (shape.verb, shape.resource, namespace)
        and call.code is not None
        and shape.code in (None, call.code)
    )

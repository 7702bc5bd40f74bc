"""Which calls change what guards Curfew.

An admission policy of somebody else can only refuse more, so only ours count; a mutating policy can put words into anybody's
mouth, so each one counts.
"""

import re
from typing import Final

from curfew.api.names import CHECKPOINT_CONFIG_MAP, GROUP, granted_by
from curfew.core.activity import classify
from curfew.core.activity.call import Call, CallStage
from curfew.core.activity.effect import Effect
from curfew.core.activity.noticing.records import GuardPart

_VALIDATING: Final = frozenset({"validatingadmissionpolicies", "validatingadmissionpolicybindings"})
_MUTATING: Final = frozenset({"mutatingadmissionpolicies", "mutatingadmissionpolicybindings"})
_RIGHTS: Final = frozenset({"clusterroles", "clusterrolebindings", "roles", "rolebindings"})
_PARTS: Final = frozenset(
    {
        ("apps", "deployments"),
        ("batch", "cronjobs"),
        ("", "serviceaccounts"),
        ("", "configmaps"),
        ("", "secrets"),
        ("", "services"),
    }
)
"""Of what Curfew is installed from, in its own namespace."""

_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_GRANT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CONTROLLER: Final = "system:serviceaccount:kube-system:deployment-controller"
"""It notes the number of a roll-out on each Deployment."""


def guard_in(call: Call, namespace: str) -> tuple[GuardPart, bool] | None:
    """Return what kind of guard a call has changed, or may have, and whether it is ours; None for any other call.

    Whoever calls chooses how long they wait: a call that ended with a timeout may have done everything.

    `namespace` is Curfew's own.
    """
    is_write = call.verb in _WRITES and call.stage in (CallStage.RESPONSE_COMPLETE, CallStage.PANIC)
    part = _part(call, namespace) if is_write else None
    if part is None or classify.effect(call) not in (Effect.CHANGED, Effect.UNSURE):
        return None
    return part, _is_ours(call)


def _part(call: Call, namespace: str) -> GuardPart | None:
    match call.group, call.resource, call.subresource:
        case "admissionregistration.k8s.io", resource, "" if resource in _MUTATING:
            return GuardPart.ADMISSION
        case "admissionregistration.k8s.io", resource, "" if resource in _VALIDATING:
            return GuardPart.ADMISSION if _is_named(call) else None
        case "apiextensions.k8s.io", "customresourcedefinitions", "":
            return GuardPart.KINDS if not call.name or call.name.endswith(f".{GROUP}") else None
        # Only its status is what Curfew writes; a write of anything else is somebody's, whoever it is.
        case group, "accesslocks", "" if group == GROUP:
            return GuardPart.LOCKS
        case "rbac.authorization.k8s.io", resource, "" if resource in _RIGHTS:
            return GuardPart.INSTALLATION if _is_right(call, namespace) else None
        case "", "namespaces", "" if call.name == namespace:
            return GuardPart.INSTALLATION
        case group, resource, "" | "scale" if (group, resource) in _PARTS and call.namespace == namespace:
            return GuardPart.INSTALLATION if _is_named(call) and not _is_routine(call, namespace) else None
    return None


def _is_named(call: Call) -> bool:
    """Whether an object has a name of ours, or the call is about all of them."""
    return not call.name or call.name == "curfew" or call.name.startswith("curfew-")


def _is_right(call: Call, namespace: str) -> bool:
    """Whether it is a right that the chart gives; grants are named after their requests."""
    if not call.name:
        return call.namespace in ("", namespace)
    return _is_named(call) and not _GRANT.fullmatch(granted_by(call.name) or "")


def _is_routine(call: Call, namespace: str) -> bool:
    """Whether it is what Curfew and Kubernetes themselves write all the time."""
    is_own = call.caller.name.startswith(f"system:serviceaccount:{namespace}:")
    return (is_own and call.name == CHECKPOINT_CONFIG_MAP) or call.caller.name == _CONTROLLER


def _is_ours(call: Call) -> bool:
    return call.resource not in _MUTATING or call.name.startswith("curfew-")

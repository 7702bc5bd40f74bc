"""What each of our admission policies must refuse: attempts that change nothing and prove that the policy is in force.

Admission policies cannot protect themselves: an administrator of the cluster can take one out of force with a keystroke.
So each policy is tried, again and again, with an attempt that only this policy refuses. A service account that can do
nothing useful makes most attempts. What a policy forbids to Curfew itself, only Curfew itself can try.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from curfew.api import names

CANARY_REQUEST = names.SELF_TEST_REQUEST
"""The AccessRequest that attempts are made on. It asks for a policy that does not exist, so it fails and is kept."""

CANARY_POLICY = names.SELF_TEST_POLICY
"""The AccessPolicy that attempts are made on. It offers a role without rules, and nobody may ask for it."""

_FORGED = "curfew-probe-forged"  # objects that are never made, and a person who does not exist
_RBAC = "rbac.authorization.k8s.io"


UNTRIED: Mapping[str, str] = {
    "curfew-decision-reason": "it brings an answer of Curfew's forward",
    "curfew-request-terms": "it brings an answer of Curfew's forward",
    "curfew-request-deletion": "without it, people could end the access of others, and give none",
}
"""The admission policies that are not tried, and why. Even without them, nobody gets access that they should not have."""


class Speaker(StrEnum):
    """Who makes an attempt."""

    PROBE = "Probe"  # the service account that can do nothing useful
    OPERATOR = "Operator"  # Curfew itself


@dataclass(frozen=True, slots=True)
class Canary:
    """An object that must exist so that attempts can be made on it. The probe's service account creates it."""

    plural: str
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that only one admission policy refuses. It is always tried without effect."""

    policy: str  # the policy that must refuse the attempt
    deed: str  # what is attempted, for use in sentences
    speaker: Speaker
    verb: Literal["create", "patch", "delete"]
    plural: str
    namespace: str
    name: str
    body: Mapping[str, Any]  # what is created, a merge patch, or the options of a deletion
    subresource: str = ""
    canary: Canary | None = None


def attempts(namespace: str, account: str) -> tuple[Attempt, ...]:
    """Return one attempt for each of our admission policies, for Curfew in `namespace`.

    `account` is the name of the probe's service account there. The chart gives the same name to the Role without rules and
    to the RoleBinding without our label.
    """
    request = _canary_request(namespace, account)
    policy = _canary_policy(namespace, account)
    on_request: dict[str, Any] = {
        "plural": "accessrequests",
        "namespace": namespace,
        "name": CANARY_REQUEST,
        "canary": request,
    }
    decision = {"status": {"decisions": [{"by": _FORGED, "decision": "Approve"}]}}
    return (
        Attempt(
            "curfew-request-identity",
            "asking in somebody else's name",
            Speaker.PROBE,
            "create",
            "accessrequests",
            namespace,
            _FORGED,
            _request(namespace, _FORGED, policy=_FORGED, requester=_FORGED, submitter=_FORGED),
        ),
        Attempt(
            "curfew-request-decision",
            "deciding in somebody else's name",
            Speaker.PROBE,
            "patch",
            body=decision,
            subresource="status",
            **on_request,
        ),
        Attempt(
            "curfew-request-immutable",
            "putting a finalizer on a request",
            Speaker.PROBE,
            "patch",
            body={"metadata": {"finalizers": [f"{names.GROUP}/{_FORGED}"]}},
            **on_request,
        ),
        Attempt(
            "curfew-request-no-orphan",
            "deleting a request without its grant",
            Speaker.PROBE,
            "delete",
            body={"propagationPolicy": "Orphan"},
            **on_request,
        ),
        Attempt(
            "curfew-managed-bindings",
            "making a grant that is not Curfew's",
            Speaker.PROBE,
            "create",
            "rolebindings",
            namespace,
            _FORGED,
            _grant(namespace, account),
        ),
        Attempt(
            "curfew-policy-no-escalation",
            "offering a role that the author could not bind",
            Speaker.PROBE,
            "create",
            "accesspolicies",
            namespace,
            _FORGED,
            _policy(namespace, _FORGED, "ClusterRole", "cluster-admin"),
        ),
        Attempt(
            "curfew-policy-status",
            "writing the status of a policy",
            Speaker.PROBE,
            "patch",
            "accesspolicies",
            namespace,
            CANARY_POLICY,
            {"status": {"risk": [_FORGED]}},
            "status",
            policy,
        ),
        Attempt(
            "curfew-locks",
            "locking access as the probe",
            Speaker.PROBE,
            "create",
            "accesslocks",
            "",
            _FORGED,
            _LOCK,
        ),
        Attempt(
            "curfew-alert-response",
            "resolving an alert as the probe",
            Speaker.PROBE,
            "create",
            "alertresponses",
            "",
            _FORGED,
            _RESPONSE,
        ),
        Attempt(
            "curfew-operator-containment",
            "deleting, as Curfew, a binding that is not Curfew's",
            Speaker.OPERATOR,
            "delete",
            "rolebindings",
            namespace,
            account,
            {},
        ),
        Attempt(
            "curfew-operator-decides-nothing",
            "deciding as Curfew",
            Speaker.OPERATOR,
            "patch",
            body=decision,
            subresource="status",
            **on_request,
        ),
        Attempt(
            "curfew-operator-labels-only",
            "changing a request as Curfew",
            Speaker.OPERATOR,
            "patch",
            body={"metadata": {"annotations": {f"{names.GROUP}/{_FORGED}": "x"}}},
            **on_request,
        ),
        Attempt(
            "curfew-monitor-containment",
            "writing, as Curfew, what was done with an access",
            Speaker.OPERATOR,
            "patch",
            body={"status": {"activity": {"changes": "No"}}},
            subresource="status",
            **on_request,
        ),
    )


def _canary_request(namespace: str, account: str) -> Canary:
    submitter = f"system:serviceaccount:{namespace}:{account}"
    asked = _request(namespace, CANARY_REQUEST, policy=account, requester=account, submitter=submitter)
    return Canary("accessrequests", asked)


def _canary_policy(namespace: str, account: str) -> Canary:
    return Canary("accesspolicies", _policy(namespace, CANARY_POLICY, "Role", account))


_WHY = "Curfew uses this to try what must be refused, to check that its admission policies are in force."


def _request(namespace: str, name: str, *, policy: str, requester: str, submitter: str) -> Mapping[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "policyName": policy,
            "requester": requester,
            "submittedBy": submitter,
            "duration": "1m",
            "reason": _WHY,
        },
    }


def _policy(namespace: str, name: str, kind: str, role: str) -> Mapping[str, Any]:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "description": f"Offers nothing. {_WHY}",
            "roleRef": {"kind": kind, "name": role},
            "maxDuration": "1m",
        },
    }


# If it were made, it would cover nobody: no person has that name.
_LOCK: Mapping[str, Any] = {
    "apiVersion": names.API_VERSION,
    "kind": "AccessLock",
    "metadata": {"name": _FORGED},
    "spec": {"target": {"person": _FORGED}, "submittedBy": _FORGED, "reason": _WHY},
}

# If it were made, it would resolve nothing: no alert has that id.
_RESPONSE: Mapping[str, Any] = {
    "apiVersion": names.API_VERSION,
    "kind": "AlertResponse",
    "metadata": {"name": _FORGED},
    "spec": {"action": "Resolve", "alert": "0" * 32, "submittedBy": _FORGED, "reason": _WHY},
}


def _grant(namespace: str, role: str) -> Mapping[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": _FORGED, "namespace": namespace, "labels": {names.LABEL_REQUEST_UID: _FORGED}},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": _FORGED}],
    }

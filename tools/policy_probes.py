"""For each admission policy of the chart, an attempt that it alone refuses: nothing else tells that it is in force."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from tools.servers.cluster import Done
from tools.servers.errors import ServersError
from tools.servers.pki import ADMIN

IN_FORCE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.1

PROBE_USER: Final = "curfew-probe@example.com"
"""May create policies, and could not bind what they offer."""

MASTERS: Final = ("system:masters",)
"""The group that RBAC refuses nothing, so that it is the policy that answers."""

RBAC: Final = "rbac.authorization.k8s.io"

Json = Mapping[str, Any]


class Asker(Protocol):
    """Somebody who can ask the API server in anybody's name."""

    def kubectl_as(self, name: str, *args: str, groups: Sequence[str] = (), stdin: str | None = None) -> Done:
        """Run kubectl as a user, and return what it said, whatever it was."""
        ...


def await_all(asker: Asker, namespace: str, operator: str) -> None:
    """Return when each policy refuses what it is there to refuse; `operator` is who the operator is to the API server.

    Makes a few objects in `namespace`, which is the caller's to remove.
    """
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": canaries(namespace)})
    # Admission knows a new kind a moment later than the API server serves it, and each kind at a moment of its own.
    for kind in ("accesspolicy", "accessrequest"):
        until_it_says(
            lambda: asker.kubectl_as(ADMIN, "apply", "--filename=-", stdin=objects), f"{kind}.curfew.dev/canary "
        )
    for policy, probe in probes(asker, namespace, operator).items():
        until_it_says(probe, policy)


def until_it_says(attempt: Callable[[], Done], words: str) -> None:
    """Try again and again until the words are in the answer."""
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while words not in (said := (done := attempt()).stdout + done.stderr):
        if time.monotonic() > deadline:
            raise ServersError(f"After {IN_FORCE_SECONDS:.0f} s nobody speaks of {words}; the answer is: {said}")
        time.sleep(PAUSE_SECONDS)


def canaries(namespace: str) -> list[Json]:
    """Return what the probes need to be there: a request, a policy, and somebody who may create policies."""
    meta = {"name": "probe", "namespace": namespace}
    return [
        _a_request(namespace, "canary"),
        _a_policy(namespace, "canary"),
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [{"apiGroups": ["curfew.dev"], "resources": ["accesspolicies"], "verbs": ["create"]}],
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "probe"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": PROBE_USER}],
        },
    ]


def probes(asker: Asker, namespace: str, operator: str) -> Mapping[str, Callable[[], Done]]:
    """Return the attempts, by the policy that refuses them. They need the canaries, and change nothing."""
    dry = ("--namespace", namespace, "--dry-run=server")
    # Curfew never sets this mark. An operator that runs soon closes the canary, and what changes nothing is refused by nobody.
    marked = {"curfew.dev/canary": "true"}
    labelled = _a_request(namespace, "other")
    labelled["metadata"]["labels"] = marked
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "stray", "namespace": namespace, "labels": {"curfew.dev/request-uid": "x"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody"}],
    }

    def create(manifest: Json, user: str = ADMIN, groups: Sequence[str] = ()) -> Callable[[], Done]:
        text = json.dumps(manifest)
        return lambda: asker.kubectl_as(user, "create", *dry, "--filename=-", groups=groups, stdin=text)

    def patch(kind: str, body: Json, *options: str, user: str = ADMIN) -> Callable[[], Done]:
        arguments = ("patch", kind, "canary", *dry, "--type=merge", f"--patch={json.dumps(body)}", *options)
        return lambda: asker.kubectl_as(user, *arguments, groups=() if user == ADMIN else MASTERS)

    status = "--subresource=status"
    activity = {"status": {"activity": {"changes": "No"}}}
    decision = {"status": {"decisions": [{"by": "someone", "decision": "Approve"}]}}
    return {
        "curfew-request-identity": create(labelled),
        "curfew-alert-response": create(_a_response()),
        # Not by a phase, for the same reason.
        "curfew-request-decision": patch("accessrequest", decision, status),
        "curfew-request-immutable": patch("accessrequest", {"metadata": {"labels": marked}}),
        "curfew-request-no-orphan": lambda: asker.kubectl_as(
            ADMIN, "delete", "accessrequest", "canary", "--cascade=orphan", *dry
        ),
        "curfew-managed-bindings": create(binding),
        "curfew-operator-containment": create(binding, operator, MASTERS),
        "curfew-operator-decides-nothing": patch("accessrequest", decision, status, user=operator),
        "curfew-monitor-containment": patch("accessrequest", activity, status, user=operator),
        "curfew-operator-labels-only": patch("accessrequest", {"metadata": {"labels": {"x": "y"}}}, user=operator),
        "curfew-policy-no-escalation": create(_a_policy(namespace, "other"), PROBE_USER),
        "curfew-locks": create(_a_lock()),
        "curfew-policy-status": patch("accesspolicy", {"status": {"risk": ["None"]}}, status),
    }


def _a_request(namespace: str, name: str) -> dict[str, Any]:
    """Return a request of the admin's."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "policyName": "canary",
            "requester": ADMIN,
            "submittedBy": ADMIN,
            "duration": "1m",
            "reason": "a canary",
        },
    }


def _a_response() -> dict[str, Any]:
    """Return a silence that is over before it begins. Who makes it would be filled in, and be right."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AlertResponse",
        "metadata": {"name": "canary"},
        "spec": {
            "action": "Silence",
            "detector": "ManyRequests",
            "reason": "a canary",
            "endsAt": "2021-01-01T00:00:00Z",
            "submittedBy": ADMIN,
        },
    }


def _a_lock() -> Json:
    """Return a lock on nobody, that is over before it begins."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessLock",
        "metadata": {"name": "canary"},
        "spec": {
            "target": {"person": "nobody"},
            "reason": "a canary",
            "submittedBy": ADMIN,
            "endsAt": "2021-01-01T00:00:00Z",
        },
    }


def _a_policy(namespace: str, name: str) -> dict[str, Any]:
    """Return a policy that offers what PROBE_USER could not bind."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"roleRef": {"kind": "ClusterRole", "name": "view"}, "maxDuration": "1m"},
    }

"""For each admission policy of the chart, an attempt that it alone refuses: nothing else tells that it is in force."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, Protocol

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to the API server: to create, apply, patch or delete this object, in somebody's name."""

    verb: Literal["create", "apply", "patch", "delete"]
    manifest: Json
    patch: Json | None = None
    subresource: str = ""
    user: str = ADMIN
    groups: Sequence[str] = ()
    is_dry: bool = True
    """Whether nothing is stored."""


class Asker(Protocol):
    """Somebody who can ask the API server in anybody's name."""

    def attempt(self, attempt: Attempt) -> Done:
        """Make a call, and return what was said, whatever it was. What is deleted leaves orphans."""
        ...


def await_all(asker: Asker, namespace: str, operator: str) -> None:
    """Return when each policy refuses what it is there to refuse; `operator` is who the operator is to the API server.

    Makes a few objects in `namespace`, which is the caller's to remove.
    """
    # Admission knows a new kind a moment later than the API server serves it, and each kind at a moment of its own.
    for canary in canaries(namespace):
        _until(partial(asker.attempt, Attempt("apply", canary, is_dry=False)), _was_done, "a canary is made")
    for policy, attempt in probes(namespace, operator).items():
        until_it_says(partial(asker.attempt, attempt), policy)


def until_it_says(attempt: Callable[[], Done], words: str) -> None:
    """Try again and again until the words are in the answer."""
    _until(attempt, lambda done: words in done.stdout + done.stderr, f"somebody speaks of {words}")


def _until(attempt: Callable[[], Done], is_enough: Callable[[Done], bool], what: str) -> None:
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while not is_enough(done := attempt()):
        if time.monotonic() > deadline:
            said = done.stdout + done.stderr
            raise ServersError(f"After {IN_FORCE_SECONDS:.0f} s it is not so that {what}; the answer is: {said}")
        time.sleep(PAUSE_SECONDS)


def _was_done(done: Done) -> bool:
    return done.returncode == 0


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


def probes(namespace: str, operator: str) -> Mapping[str, Attempt]:
    """Return the attempts, by the policy that refuses them. They need the canaries, and change nothing."""
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
    request, policy = _a_request(namespace, "canary"), _a_policy(namespace, "canary")

    def patch(manifest: Json, body: Json, subresource: str = "", user: str = ADMIN) -> Attempt:
        return Attempt("patch", manifest, body, subresource, user, () if user == ADMIN else MASTERS)

    activity = {"status": {"activity": {"changes": "No"}}}
    decision = {"status": {"decisions": [{"by": "someone", "decision": "Approve"}]}}
    return {
        "curfew-request-identity": Attempt("create", labelled),
        "curfew-alert-response": Attempt("create", _a_response()),
        # Not by a phase, for the same reason.
        "curfew-request-decision": patch(request, decision, "status"),
        "curfew-request-immutable": patch(request, {"metadata": {"labels": marked}}),
        "curfew-request-no-orphan": Attempt("delete", request),
        "curfew-managed-bindings": Attempt("create", binding),
        "curfew-operator-containment": Attempt("create", binding, user=operator, groups=MASTERS),
        "curfew-operator-decides-nothing": patch(request, decision, "status", operator),
        "curfew-monitor-containment": patch(request, activity, "status", operator),
        "curfew-operator-labels-only": patch(request, {"metadata": {"labels": {"x": "y"}}}, user=operator),
        "curfew-policy-no-escalation": Attempt("create", _a_policy(namespace, "other"), user=PROBE_USER),
        "curfew-locks": Attempt("create", _a_lock()),
        "curfew-policy-status": patch(policy, {"status": {"risk": ["None"]}}, "status"),
    }


def unsigned(namespace: str) -> Sequence[Json]:
    """Return a request, a lock and a response that do not say who asks: where that is filled in, nobody misses it."""
    made = [_a_request(namespace, "unsigned"), _a_lock(), _a_response()]
    for one in made:
        one["spec"] = {name: value for name, value in one["spec"].items() if name not in ("requester", "submittedBy")}
    return made


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


def _a_lock() -> dict[str, Any]:
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

"""What is there before anybody plays: namespaces, roles, bindings, guards, a node, and a pod that runs on it."""

import time
from collections.abc import Callable
from typing import Any, Final

from tests.recorded.audit_events.people import GROUP, QUOTED, QUOTED_BINDING, STRANGE, WORK, Caller, binding, rule

NAMESPACE: Final = "team-a"
GRANT: Final = "curfew-6e1c1b0e-4c6a-4a51-9a57-0c3f5cf3a001"
ALICE: Final = "alice@example.com"
BOB: Final = "bob@example.com"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"

_VAP = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Return a pod."""
    containers = [{"name": "main", "image": "registry.invalid/main:1"}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def set_up(admin: Caller, kubelet_port: int) -> None:
    """Make everything, and return when it is in force."""

    def make(path: str, body: Any) -> None:
        code, answer = admin.call("setup", "POST", path, body)
        assert code == 201, answer

    for name, labels in (
        (NAMESPACE, {}),
        ("with-bodies", {}),
        ("restricted", {"pod-security.kubernetes.io/enforce": "restricted"}),
    ):
        make("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    _roles(make)
    _guard(make)
    _node(admin, make, kubelet_port)
    _await(lambda: allowed(admin, ALICE, "create") and refused(admin))
    for namespace in (NAMESPACE, "restricted", "with-bodies"):
        account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default"
        _await(lambda account=account: admin.call("setup", "GET", account)[0] == 200)  # type: ignore[misc]


def _roles(make: Callable[[str, Any], None]) -> None:
    roles = {
        "work": WORK,
        "impersonate": [rule("core", "users groups", "impersonate")],
        "constrained": [
            rule("authentication.k8s.io", "users", "impersonate:user-info"),
            rule("core", "pods", "impersonate-on:user-info:list"),
        ],
        "standing": [rule("core", "configmaps", "list")],
        "nodes": [rule("core", "nodes/proxy", "get")],
    }
    for name, rules in roles.items():
        make(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    alice, bob = {"kind": "User", "name": ALICE}, {"kind": "User", "name": BOB}
    for namespace in (NAMESPACE, "restricted", "with-bodies"):
        make(f"{RBAC}/namespaces/{namespace}/rolebindings", binding("RoleBinding", GRANT, "work", alice))
    for name, role, subject in (
        (QUOTED_BINDING, "work", {"kind": "User", "name": QUOTED}),
        ("strange", "work", {"kind": "User", "name": STRANGE}),
        ("on-call", "work", {"kind": "Group", "name": GROUP}),
        ("bob", "work", bob),
        ("deployer", "work", {"kind": "ServiceAccount", "name": "deployer", "namespace": NAMESPACE}),
    ):
        make(f"{RBAC}/namespaces/{NAMESPACE}/rolebindings", binding("RoleBinding", name, role, subject))
    dora = {"kind": "User", "name": "dora@example.com"}
    for name, role, subject in (
        ("impersonators", "impersonate", alice),
        ("constrained", "constrained", dora),
        ("standing", "standing", bob),
        ("nodes", "nodes", alice),
    ):
        make(f"{RBAC}/clusterrolebindings", binding("ClusterRoleBinding", name, role, subject))


def _guard(make: Callable[[str, Any], None]) -> None:
    rules = [
        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "DELETE"], "resources": ["configmaps"]}
    ]
    spec = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [
            {"expression": "object == null || object.metadata.?name.orValue('') != 'forbidden'", "reason": "Forbidden"},
            {"expression": "oldObject == null || oldObject.metadata.name != 'kept'", "reason": "Forbidden"},
        ],
        "auditAnnotations": [{"key": "seen", "valueExpression": "'seen'"}],
    }
    make(f"{ADMISSION}/validatingadmissionpolicies", {**_VAP, "metadata": {"name": "guard"}, "spec": spec})
    bound = {"policyName": "guard", "validationActions": ["Deny", "Audit"]}
    make(
        f"{ADMISSION}/validatingadmissionpolicybindings",
        {
            "apiVersion": _VAP["apiVersion"],
            "kind": f"{_VAP['kind']}Binding",
            "metadata": {"name": "guard"},
            "spec": bound,
        },
    )


def _node(admin: Caller, make: Callable[[str, Any], None], kubelet_port: int) -> None:
    make("/api/v1/nodes", {"metadata": {"name": "node-1"}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet_port}},
    }
    merge = {"Content-Type": "application/merge-patch+json"}
    code, answer = admin.call("setup", "PATCH", "/api/v1/nodes/node-1/status", {"status": status}, merge)
    assert code == 200, answer
    _await(lambda: admin.call("setup", "POST", PODS, pod("runs", nodeName="node-1"))[0] == 201)
    _await(lambda: admin.call("setup", "POST", PODS, pod("waits"))[0] == 201)
    running = {"phase": "Running", "podIP": "10.1.2.3", "conditions": []}
    code, answer = admin.call("setup", "PATCH", f"{PODS}/runs/status", {"status": running}, merge)
    assert code == 200, answer


def allowed(admin: Caller, user: str, verb: str) -> bool:
    """Tell whether RBAC lets a user do something to pods; the API server hears of bindings a moment after they are made."""
    attributes = {"namespace": NAMESPACE, "verb": verb, "resource": "pods"}
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    _, answer = admin.call("setup", "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def refused(admin: Caller) -> bool:
    """Tell whether the guard is in force."""
    named = {"metadata": {"name": "forbidden"}}
    code, _ = admin.call("setup", "POST", "/api/v1/namespaces/default/configmaps?dryRun=All", named)
    return code == 403


def _await(holds: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "the stage was not set in time"
        time.sleep(0.1)

"""A cluster with the chart installed and its admission policies in force."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.servers.environment import Environment
from tools.servers.pki import ADMIN, PEOPLE

CHART: Final = Path(__file__).parents[2] / "charts" / "curfew"
SYSTEM: Final = "curfew-system"
OPERATOR: Final = f"system:serviceaccount:{SYSTEM}:curfew"
SWEEPER: Final = f"system:serviceaccount:{SYSTEM}:curfew-sweeper"

GRANTABLE: Final = ("view", "edit", "payments-debug", "curfew-test")
"""The ClusterRoles that the chart is installed with; a test makes the last two where it needs them."""

RBAC: Final = "rbac.authorization.k8s.io"

MASTERS: Final = ("system:masters",)
"""The group that RBAC refuses nothing."""

IN_FORCE_SECONDS: Final = 30.0

Json = Mapping[str, Any]
Done = subprocess.CompletedProcess[str]


class Installed:
    """What a test asks of the cluster. All that it makes, it makes in namespaces of its own."""

    def __init__(self, environment: Environment) -> None:
        """Install nothing yet."""
        self.environment = environment

    def install(self) -> None:
        """Install the chart as a person would, and return when each of its policies refuses what it is there to refuse."""
        self.environment.helm(
            *("install", "curfew", str(CHART), "--namespace", SYSTEM, "--create-namespace"),
            *("--set", f"roles={{{','.join(GRANTABLE)}}}"),
        )
        self.kubectl(
            "wait", "--for=condition=Established", "crd/accessrequests.curfew.dev", "crd/accesspolicies.curfew.dev"
        )
        self._await_policies()

    def uninstall(self) -> None:
        """Take everything away again, for clusters that outlive the tests."""
        self.environment.helm("uninstall", "curfew", "--namespace", SYSTEM, "--ignore-not-found")

    def kubectl(self, *args: str, user: str = ADMIN, stdin: str | None = None, check: bool = True) -> Done:
        """Run kubectl as a person with a certificate of theirs (alice, bob, carol, dave, admin)."""
        return self.environment.kubectl(*args, user=user, stdin=stdin, check=check)

    def kubectl_as(self, name: str, *args: str, groups: Sequence[str] = (), stdin: str | None = None) -> Done:
        """Run kubectl as any user, service accounts included, and let the answer speak; people come with their certificate."""
        for person, user in {**PEOPLE, ADMIN: ADMIN}.items():
            if user == name and not groups:
                return self.kubectl(*args, user=person, stdin=stdin, check=False)
        impersonated = [f"--as={name}", *(f"--as-group={group}" for group in groups)]
        return self.kubectl(*impersonated, *args, stdin=stdin, check=False)

    def apply(self, *manifests: Json) -> None:
        """Apply manifests as the admin."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(items))

    def make_namespace(self, *, opted_in: bool = True) -> str:
        """Make a namespace of a new name and return it."""
        name = f"t-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        if opted_in:
            self.opt_in(name)
        return name

    def drop_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it, without waiting for it."""
        self.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")

    def opt_in(self, namespace: str, roles: Sequence[str] = ()) -> None:
        """Let a namespace take part, with Roles of its own that may be granted, by what the chart would put there."""
        wanted = ["--set", f"namespaces[0].name={namespace}"]
        if roles:
            wanted += ["--set", f"namespaces[0].roles={{{','.join(roles)}}}"]
        rendered = self.environment.helm(
            *("template", "curfew", str(CHART), "--namespace", SYSTEM, "--show-only", "templates/granter.yaml"),
            *("--set", f"roles={{{','.join(GRANTABLE)}}}", *wanted),
        )
        self.kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=rendered.stdout)

    def opt_out(self, namespace: str) -> None:
        """Let a namespace leave again."""
        for kind, name in [("rolebinding", "curfew-granter"), ("rolebinding", "curfew-granter-roles")]:
            self.kubectl("delete", kind, name, "--namespace", namespace, "--ignore-not-found")

    def operator_token(self, duration_seconds: int = 3600) -> str:
        """Return a token of the operator's service account."""
        return self.environment.cluster.token("curfew", SYSTEM, duration_seconds)

    def sweeper_token(self, duration_seconds: int = 3600) -> str:
        """Return a token of the sweeper's service account."""
        return self.environment.cluster.token("curfew-sweeper", SYSTEM, duration_seconds)

    def operator_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for the operator with a token of its service account: its rights are the chart's."""
        return self.environment.cluster.kubeconfig_for_token(path, self.operator_token())

    def sweeper_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for the sweeper with a token of its service account."""
        return self.environment.cluster.kubeconfig_for_token(path, self.sweeper_token())

    @property
    def stamps_identity(self) -> bool:
        """Tell whether the cluster fills in who asks."""
        return self.kubectl("get", "mutatingadmissionpolicy", "curfew-stamp-identity", check=False).returncode == 0

    def _await_policies(self) -> None:
        """Ask each policy, without effect, for what it must refuse, until it does: nothing else tells that it is in force."""
        namespace = self.make_namespace(opted_in=False)
        canaries = json.dumps({"apiVersion": "v1", "kind": "List", "items": canary_objects(namespace)})
        # Admission knows a new kind a moment later than the API server serves it.
        _until_it_says(
            lambda: self.kubectl("apply", "--filename=-", stdin=canaries, check=False), "accesspolicy.curfew.dev"
        )
        for policy, probe in probes(self, namespace).items():
            _until_it_says(probe, policy)
        self.drop_namespace(namespace)


def _until_it_says(attempt: Callable[[], Done], words: str) -> None:
    """Try again and again until the words are in the answer. Each attempt takes a process its time, so there is no pause."""
    deadline = time.monotonic() + IN_FORCE_SECONDS
    while words not in (said := (done := attempt()).stdout + done.stderr):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody speaks of {words}; the answer is: {said}")


PROBE_USER: Final = "curfew-probe@example.com"


def a_request(namespace: str, name: str) -> dict[str, Any]:
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


def a_policy(namespace: str, name: str) -> dict[str, Any]:
    """Return a policy that offers what PROBE_USER could not bind."""
    return {
        "apiVersion": "curfew.dev/v1alpha1",
        "kind": "AccessPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"roleRef": {"kind": "ClusterRole", "name": "view"}, "maxDuration": "1m"},
    }


def canary_objects(namespace: str) -> list[Json]:
    """Return what the probes need to be there: a request, a policy, and somebody who may create policies."""
    meta = {"name": "probe", "namespace": namespace}
    return [
        a_request(namespace, "canary"),
        a_policy(namespace, "canary"),
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


def probes(cluster: Installed, namespace: str) -> Mapping[str, Callable[[], Done]]:
    """Return for each admission policy an attempt that it alone refuses. They need the canaries, and change nothing."""
    dry = ("--namespace", namespace, "--dry-run=server")
    closed = {"curfew.dev/closed": "true"}
    labelled = a_request(namespace, "other")
    labelled["metadata"]["labels"] = closed
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "stray", "namespace": namespace, "labels": {"curfew.dev/request-uid": "x"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody"}],
    }

    def create(manifest: Json, *, user: str = "", groups: Sequence[str] = ()) -> Callable[[], Done]:
        text = json.dumps(manifest)
        if user:
            return lambda: cluster.kubectl_as(user, "create", *dry, "--filename=-", groups=groups, stdin=text)
        return lambda: cluster.kubectl("create", *dry, "--filename=-", stdin=text, check=False)

    def patch(kind: str, body: Json, *options: str, user: str = ADMIN) -> Callable[[], Done]:
        arguments = ("patch", kind, "canary", *dry, "--type=merge", f"--patch={json.dumps(body)}", *options)
        # With all rights there are, so that it is the policy that answers.
        return lambda: cluster.kubectl_as(user, *arguments, groups=() if user == ADMIN else MASTERS)

    status = "--subresource=status"
    decision = {"status": {"decisions": [{"by": "someone", "decision": "Approve"}]}}
    return {
        "curfew-request-identity": create(labelled),
        "curfew-request-decision": patch("accessrequest", {"status": {"phase": "Failed"}}, status),
        "curfew-request-immutable": patch("accessrequest", {"metadata": {"labels": closed}}),
        "curfew-request-no-orphan": lambda: cluster.kubectl(
            "delete", "accessrequest", "canary", "--cascade=orphan", *dry, check=False
        ),
        "curfew-managed-bindings": create(binding),
        "curfew-operator-containment": create(binding, user=OPERATOR, groups=MASTERS),
        "curfew-operator-decides-nothing": patch("accessrequest", decision, status, user=OPERATOR),
        "curfew-operator-labels-only": patch("accessrequest", {"metadata": {"labels": {"x": "y"}}}, user=OPERATOR),
        "curfew-policy-no-escalation": create(a_policy(namespace, "other"), user=PROBE_USER),
        "curfew-policy-status": patch("accesspolicy", {"status": {"risk": ["None"]}}, status),
    }

"""The cluster that all integration tests share: the chart is installed, and every test has namespaces of its own."""

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final

import yaml

from tests.support.api import Api, succeed, until
from tools.installation import CHART, MONITOR, OPERATOR, SWEEPER, SYSTEM, Installation
from tools.policy_probes import MASTERS, RBAC
from tools.servers.cluster import Done

__all__ = [
    "BUCKET",
    "CHART",
    "GRANTABLE",
    "MASTERS",
    "MONITOR",
    "OPERATOR",
    "RBAC",
    "SWEEPER",
    "SYSTEM",
    "Done",
    "Installed",
]

BUCKET: Final = ("--set", "config.audit.url=s3://curfew-trail/main")
"""Where the trail would be written: the chart wants to be told, though tests start operators of their own."""

GRANTABLE: Final = ("view", "edit", "payments-debug", "curfew-test")
"""The ClusterRoles that the chart is installed with; a test makes the last two where it needs them."""

PLACEHOLDER: Final = "the-namespace-that-takes-part"
"""What the chart is rendered for once, and replaced by each namespace's own name."""


class Installed(Installation):
    """What a test asks of the cluster. All that it makes, it makes in namespaces of its own."""

    def install(self, *options: str) -> None:
        """Install the chart with the monitor, as a person would; return when each policy refuses what it is to refuse."""
        values = ("--set", f"roles={{{','.join(GRANTABLE)}}}", "--set", "monitor.enabled=true")
        super().install(*BUCKET, *values, *options)

    @cached_property
    def api(self) -> Api:
        """Return the API server itself, for what needs no kubectl."""
        return Api(self.environment.cluster)

    def close(self) -> None:
        """Hang up."""
        self.api.close()

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests as the admin."""
        for manifest in manifests:
            self.api.apply(manifest)

    def make_namespace(self, name: str = "", *, opted_in: bool = True) -> str:
        """Make a namespace, of a new name unless one is given, and return its name."""
        name = name or f"t-{uuid.uuid4().hex[:10]}"
        succeed(self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        if opted_in:
            self.opt_in(name)
        return name

    def drop_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it, without waiting for it."""
        done = self.api.ask("DELETE", f"/api/v1/namespaces/{name}")
        assert done.returncode == 0 or "not found" in done.stderr, done.stderr

    def opt_in(self, namespace: str, roles: Sequence[str] = ()) -> None:
        """Let a namespace take part, with Roles of its own that may be granted, by what the chart would put there."""
        for manifest in self._granter(tuple(roles)):
            # As Helm, so that a later upgrade finds nobody else's fields.
            self.api.apply(_in_namespace(manifest, namespace), manager="helm")
        self.await_right(OPERATOR, "create", "rolebindings", namespace=namespace)
        for role in roles:
            self.await_right(OPERATOR, "bind", f"roles/{role}", namespace=namespace)
            self.await_named(namespace, role)

    def let_pods_be_deleted(self, namespace: str) -> None:
        """Let the monitor delete pods in a namespace, by what the chart would put there."""
        for manifest in self._pod_deleter():
            self.api.apply(_in_namespace(manifest, namespace), manager="helm")
        self.await_right(MONITOR, "delete", "pods", namespace=namespace)

    @cache  # noqa: B019  one, for a cluster that lives as long as the tests
    def _pod_deleter(self) -> Sequence[dict[str, Any]]:
        """Return what the chart puts into a namespace where the monitor may delete pods, for the placeholder."""
        rendered = self.environment.helm(
            *("template", "curfew", str(CHART), "--namespace", SYSTEM, "--show-only=templates/monitor-rbac.yaml"),
            *(*BUCKET, "--set", "monitor.enabled=true", "--set", f"monitor.deletePods={{{PLACEHOLDER}}}"),
        )
        manifests = [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]
        return [manifest for manifest in manifests if manifest["metadata"].get("namespace") == PLACEHOLDER]

    @cache  # noqa: B019  as many as there are sets of roles, for a cluster that lives as long as the tests
    def _granter(self, roles: tuple[str, ...]) -> Sequence[dict[str, Any]]:
        """Return what the chart puts into a namespace that takes part, for the placeholder."""
        wanted = ["--set", f"namespaces[0].name={PLACEHOLDER}"]
        if roles:
            wanted += ["--set", f"namespaces[0].roles={{{','.join(roles)}}}"]
        # Admission knows the Roles as well. It learns them for one namespace at a time, which is enough for a test.
        files = ["granter.yaml", *(["policies/operator-containment.yaml"] if roles else [])]
        rendered = self.environment.helm(
            *("template", "curfew", str(CHART), "--namespace", SYSTEM),
            *(f"--show-only=templates/{file}" for file in files),
            *(*BUCKET, "--set", f"roles={{{','.join(GRANTABLE)}}}", *wanted),
        )
        return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]

    def await_named(self, namespace: str, role: str) -> None:
        """Return when admission lets a Role be granted, and minds only that the grant has no owner."""
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "curfew-x", "namespace": namespace, "labels": {"curfew.dev/request-uid": "x"}},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody"}],
        }
        until(
            lambda: "is owned by its request" in self.api.create(binding, user=OPERATOR, dryRun="All").stderr,
            f"that the Role {role} may be granted",
        )

    def opt_out(self, namespace: str) -> None:
        """Let a namespace leave again."""
        for name in ("curfew-granter", "curfew-granter-roles"):
            self.api.ask("DELETE", f"/apis/{RBAC}/v1/namespaces/{namespace}/rolebindings/{name}")
        self.await_right(OPERATOR, "create", "rolebindings", namespace=namespace, answer="no")

    def await_right(self, user: str, *question: str, namespace: str, answer: str = "yes") -> None:
        """Return when the API server answers so to `kubectl auth can-i`."""
        verb, resource, *options = question
        subresource = "".join(options).removeprefix("--subresource=")
        plural, slash, name = resource.partition("/")
        if plural in ("roles", "clusterroles", "rolebindings", "clusterrolebindings"):
            resource = f"{plural}.{RBAC}{slash}{name}"
        until(
            lambda: self.api.may(user, verb, resource, namespace, subresource) is (answer == "yes"),
            f"that the answer is {answer} if {user} asks to {verb} {resource} in {namespace}",
        )

    @property
    def stamps_identity(self) -> bool:
        """Tell whether the cluster fills in who asks."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/curfew-stamp-identity"
        return self.api.ask("GET", path).returncode == 0


def _in_namespace(manifest: Mapping[str, Any], namespace: str) -> dict[str, Any]:
    """Return what the chart renders for a namespace of this name."""
    moved: dict[str, Any] = json.loads(json.dumps(manifest).replace(PLACEHOLDER, namespace))
    return moved

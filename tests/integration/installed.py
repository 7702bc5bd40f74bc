"""The cluster that all integration tests share: the chart is installed, and every test has namespaces of its own."""

import json
import uuid
from collections.abc import Sequence
from typing import Final

from tools.installation import CHART, OPERATOR, SWEEPER, SYSTEM, Installation
from tools.policy_probes import MASTERS, RBAC, until_it_says
from tools.servers.cluster import Done

__all__ = ["BUCKET", "CHART", "GRANTABLE", "MASTERS", "OPERATOR", "RBAC", "SWEEPER", "SYSTEM", "Done", "Installed"]

BUCKET: Final = ("--set", "config.audit.url=s3://curfew-trail/main")
"""Where the trail would be written: the chart wants to be told, though tests start operators of their own."""

GRANTABLE: Final = ("view", "edit", "payments-debug", "curfew-test")
"""The ClusterRoles that the chart is installed with; a test makes the last two where it needs them."""


class Installed(Installation):
    """What a test asks of the cluster. All that it makes, it makes in namespaces of its own."""

    def install(self, *options: str) -> None:
        """Install the chart as a person would, and return when each of its policies refuses what it is there to refuse."""
        super().install(*BUCKET, "--set", f"roles={{{','.join(GRANTABLE)}}}", *options)

    def make_namespace(self, name: str = "", *, opted_in: bool = True) -> str:
        """Make a namespace, of a new name unless one is given, and return its name."""
        name = name or f"t-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        if opted_in:
            self.opt_in(name)
        return name

    def opt_in(self, namespace: str, roles: Sequence[str] = ()) -> None:
        """Let a namespace take part, with Roles of its own that may be granted, by what the chart would put there."""
        wanted = ["--set", f"namespaces[0].name={namespace}"]
        if roles:
            wanted += ["--set", f"namespaces[0].roles={{{','.join(roles)}}}"]
        # Admission knows the Roles as well. It learns them for one namespace at a time, which is enough for a test.
        files = ["granter.yaml", *(["policies/operator-containment.yaml"] if roles else [])]
        rendered = self.environment.helm(
            *("template", "curfew", str(CHART), "--namespace", SYSTEM),
            *(f"--show-only=templates/{file}" for file in files),
            *(*BUCKET, "--set", f"roles={{{','.join(GRANTABLE)}}}", *wanted),
        )
        # As Helm, so that a later upgrade finds nobody else's fields.
        apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=helm", "--filename=-")
        self.kubectl(*apply, stdin=rendered.stdout)
        self.await_right(OPERATOR, "create", "rolebindings", namespace=namespace)
        for role in roles:
            self.await_right(OPERATOR, "bind", f"roles/{role}", namespace=namespace)
            self.await_named(namespace, role)

    def await_named(self, namespace: str, role: str) -> None:
        """Return when admission lets a Role be granted, and minds only that the grant has no owner."""
        binding = {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "curfew-x", "namespace": namespace, "labels": {"curfew.dev/request-uid": "x"}},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "nobody"}],
        }
        create = ("create", "--dry-run=server", "--filename=-")
        until_it_says(lambda: self.kubectl_as(OPERATOR, *create, stdin=json.dumps(binding)), "is owned by its request")

    def opt_out(self, namespace: str) -> None:
        """Let a namespace leave again."""
        for kind, name in [("rolebinding", "curfew-granter"), ("rolebinding", "curfew-granter-roles")]:
            self.kubectl("delete", kind, name, "--namespace", namespace, "--ignore-not-found")
        self.await_right(OPERATOR, "create", "rolebindings", namespace=namespace, answer="no")

    def await_right(self, user: str, *question: str, namespace: str, answer: str = "yes") -> None:
        """Return when `kubectl auth can-i` answers so: the API server learns of new rights a moment after they are stored."""
        ask = ("auth", "can-i", *question, f"--namespace={namespace}")
        until_it_says(lambda: self.kubectl_as(user, *ask), f"{answer}\n")

    @property
    def stamps_identity(self) -> bool:
        """Tell whether the cluster fills in who asks."""
        return self.kubectl("get", "mutatingadmissionpolicy", "curfew-stamp-identity", check=False).returncode == 0

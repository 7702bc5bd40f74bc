"""The cluster that all integration tests share: the chart is installed, and every test has namespaces of its own."""

import json
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Final

import yaml

from tests.support.api import APPLY, MERGE, Api, succeed, until
from tools.installation import CHART, KINDS, MONITOR, OPERATOR, SWEEPER, SYSTEM, Installation
from tools.policy_probes import MASTERS, RBAC, Attempt, await_all, unsigned
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

OURS: Final = "/apis/curfew.dev/v1alpha1"
AUTHENTICATION: Final = "authentication.k8s.io/v1"

PLACEHOLDER: Final = "the-namespace-that-takes-part"
"""What the chart is rendered for once, and replaced by each namespace's own name."""


class Installed(Installation):
    """What a test asks of the cluster. All that it makes, it makes in namespaces of its own."""

    def install(self, *options: str) -> None:
        """Install the chart with the monitor, as a person would; return when each policy refuses what it is to refuse."""
        values = ("--set", f"roles={{{','.join(GRANTABLE)}}}", "--set", "monitor.enabled=true")
        # The API server refuses what it does not know anyway; tests/integration/chart installs without this option.
        super().install(*BUCKET, *values, "--disable-openapi-validation", *options)

    def await_in_force(self) -> None:
        """Return when the kinds are served and each admission policy refuses what it is there to refuse."""
        until(self._serves_all_kinds, "all kinds")
        namespace = self.make_namespace(opted_in=False)
        try:
            await_all(self, namespace, OPERATOR)
            if self.stamps_identity:
                until(lambda: self._fills_in_who_asks(namespace), "that who asks is filled in")
        finally:
            # A namespace goes slowly, and what is left in it would be the first thing that the operator sees.
            for plural in ("accessrequests", "accesspolicies"):
                succeed(self.api.ask("DELETE", f"{OURS}/namespaces/{namespace}/{plural}"))
            self.drop_namespace(namespace)

    def _serves_all_kinds(self) -> bool:
        plurals = [kind.partition(".")[0] for kind in KINDS]
        told = self.api.ask("GET", OURS)
        known = {each["name"] for each in json.loads(told.stdout)["resources"]} if told.returncode == 0 else set()
        return known.issuperset(plurals) and all(
            self.api.ask("GET", f"{OURS}/{plural}").returncode == 0 for plural in plurals
        )

    def _fills_in_who_asks(self, namespace: str) -> bool:
        tried = [self.attempt(Attempt("create", made)) for made in unsigned(namespace)]
        return not any("Required value" in done.stderr for done in tried)

    def attempt(self, attempt: Attempt) -> Done:
        """Make a call, and return what was said, whatever it was. What is deleted leaves orphans."""
        asked: dict[str, Any] = {"user": attempt.user, "groups": attempt.groups}
        query = {"dryRun": "All"} if attempt.is_dry else {}
        if attempt.verb == "create":
            return self.api.create(attempt.manifest, **asked, **query)
        path = self.api.path_of(attempt.manifest)
        if attempt.verb == "delete":
            return self.api.ask("DELETE", path, **asked, propagationPolicy="Orphan", **query)
        if attempt.verb == "apply":
            options = {"content_type": APPLY, "fieldManager": "kubectl"}
            return self.api.ask("PATCH", path, attempt.manifest, **asked, **options, **query)
        path = f"{path}/{attempt.subresource}" if attempt.subresource else path
        return self.api.ask("PATCH", path, attempt.patch, content_type=MERGE, **asked, **query)

    def token(self, account: str, duration_seconds: int = 3600) -> str:
        """Return a token of a service account in Curfew's namespace."""
        path = f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/{account}/token"
        wanted = {"kind": "TokenRequest", "apiVersion": AUTHENTICATION, "spec": {"expirationSeconds": duration_seconds}}
        return str(json.loads(succeed(self.api.ask("POST", path, wanted)))["status"]["token"])

    def read(self, plural: str, name: str) -> dict[str, Any]:
        """Return an object of Curfew's namespace."""
        path = f"/api/v1/namespaces/{SYSTEM}/{plural}/{name}"
        return dict(json.loads(succeed(self.api.ask("GET", path))))

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

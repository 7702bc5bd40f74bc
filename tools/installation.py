"""Curfew in a cluster, installed by its chart as a person would install it: what the demo and the tests build on."""

import base64
import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tools import policy_probes
from tools.policy_probes import Attempt
from tools.servers.cluster import Done
from tools.servers.environment import Environment
from tools.servers.pki import ADMIN, PEOPLE, write_private

CHECKOUT: Final = Path(__file__).parents[1]
CHART: Final = CHECKOUT / "charts" / "curfew"
SYSTEM: Final = "curfew-system"
OPERATOR: Final = f"system:serviceaccount:{SYSTEM}:curfew"
SWEEPER: Final = f"system:serviceaccount:{SYSTEM}:curfew-sweeper"
MONITOR: Final = f"system:serviceaccount:{SYSTEM}:curfew-monitor"
SIGNING_KEY: Final = "curfew-signing-key"
KINDS: Final = (
    "accessrequests.curfew.dev",
    "accesspolicies.curfew.dev",
    "accesslocks.curfew.dev",
    "alertresponses.curfew.dev",
)
"""What the chart defines."""
MONITOR_SIGNING_KEY: Final = "curfew-monitor-signing-key"


class Installation:
    """What the demo and the tests ask of a cluster that the chart was, or will be, installed in."""

    def __init__(self, environment: Environment) -> None:
        """Install nothing yet."""
        self.environment = environment

    def install(self, *options: str) -> None:
        """Install the chart with these options of helm's, and return when all of it is in force."""
        self.environment.helm("install", "curfew", str(CHART), "--namespace", SYSTEM, "--create-namespace", *options)
        self.await_in_force()

    def await_in_force(self) -> None:
        """Return when the kinds are served and each admission policy refuses what it is there to refuse."""
        kinds = [f"crd/{kind}" for kind in KINDS]
        # A definition that is too young to have any condition makes the second of these fail instead of wait.
        self.kubectl("wait", "--for=jsonpath={.status.conditions}", *kinds)
        self.kubectl("wait", "--for=condition=Established", *kinds)
        namespace = f"probe-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", namespace)
        try:
            policy_probes.await_all(self, namespace, OPERATOR)
        finally:
            # A namespace goes slowly, and what is left in it would be the first thing that the operator sees.
            self.kubectl("delete", "accessrequests,accesspolicies", "--all", "--namespace", namespace, check=False)
            self.drop_namespace(namespace)

    def attempt(self, attempt: Attempt) -> Done:
        """Make a call by kubectl, and return what was said, whatever it was. What is deleted leaves orphans."""
        meta, kind = attempt.manifest["metadata"], str(attempt.manifest["kind"]).lower()
        dry = ["--dry-run=server"] if attempt.is_dry else []
        where = [f"--namespace={meta['namespace']}"] if "namespace" in meta else []
        if attempt.verb == "patch":
            body = f"--patch={json.dumps(attempt.patch)}"
            arguments = ["patch", kind, meta["name"], "--type=merge", body, f"--subresource={attempt.subresource}"]
        elif attempt.verb == "delete":
            arguments = ["delete", kind, meta["name"], "--cascade=orphan"]
        else:
            arguments = [attempt.verb, "--filename=-"]
        stdin = json.dumps(attempt.manifest)
        return self.kubectl_as(attempt.user, *arguments, *where, *dry, groups=attempt.groups, stdin=stdin)

    def uninstall(self) -> None:
        """Take away what helm takes away; the definitions and the signing key stay. No pod runs here, so no hook does."""
        self.environment.helm("uninstall", "curfew", "--namespace", SYSTEM, "--ignore-not-found", "--no-hooks")

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

    def apply(self, *manifests: Mapping[str, Any]) -> None:
        """Apply manifests as the admin."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "--filename=-", stdin=json.dumps(items))

    def drop_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it, without waiting for it."""
        self.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")

    def token(self, account: str, duration_seconds: int = 3600) -> str:
        """Return a token of a service account in Curfew's namespace."""
        return self.environment.cluster.token(account, SYSTEM, duration_seconds)

    def operator_token(self, duration_seconds: int = 3600) -> str:
        """Return a token of the operator's service account."""
        return self.token("curfew", duration_seconds)

    def sweeper_token(self, duration_seconds: int = 3600) -> str:
        """Return a token of the sweeper's service account."""
        return self.token("curfew-sweeper", duration_seconds)

    def monitor_token(self, duration_seconds: int = 3600) -> str:
        """Return a token of the monitor's service account."""
        return self.token("curfew-monitor", duration_seconds)

    def operator_kubeconfig(self, path: Path, duration_seconds: int = 3600) -> Path:
        """Write a kubeconfig for the operator with a token of its service account: its rights are the chart's."""
        return self.environment.cluster.kubeconfig_for_token(path, self.operator_token(duration_seconds))

    def sweeper_kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig for the sweeper with a token of its service account."""
        return self.environment.cluster.kubeconfig_for_token(path, self.sweeper_token())

    def monitor_kubeconfig(self, path: Path, duration_seconds: int = 3600) -> Path:
        """Write a kubeconfig for the monitor with a token of its service account."""
        return self.environment.cluster.kubeconfig_for_token(path, self.monitor_token(duration_seconds))

    def read(self, plural: str, name: str) -> dict[str, Any]:
        """Return an object of Curfew's namespace."""
        shown = self.kubectl("get", plural, name, "--namespace", SYSTEM, "--output=json")
        return dict(json.loads(shown.stdout))

    def signing_key(self, path: Path, secret: str = SIGNING_KEY) -> Path:
        """Write the key that signs the trail, or the monitor's log, as it is in the chart's Secret."""
        return write_private(path, base64.b64decode(self.read("secrets", secret)["data"]["key.pem"]))

    def settings(self, config_map_name: str = "curfew") -> dict[str, Any]:
        """Return the settings of the operator, or of the monitor, as they are in the chart's ConfigMap."""
        config_map = self.read("configmaps", config_map_name)
        settings: dict[str, Any] = yaml.safe_load(config_map["data"]["config.yaml"])
        return settings

"""The servers that lives are measured on: etcd waits for the disk, and the bucket has Object Lock."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.lives.contender import Body
from tools.installation import SYSTEM, Installation
from tools.servers.environment import Environment
from tools.servers.processes import clean_environ

BUCKET: Final = "curfew-bench"
RBAC: Final = "rbac.authorization.k8s.io"


class BenchServers:
    """A control plane of our own and a bucket; what every contender needs there is made by `prepare`."""

    def __init__(self, environment: Environment) -> None:
        """Make nothing yet."""
        self.environment = environment
        self.installation = Installation(environment)
        self.folder: Path = environment.folder
        self.cluster = environment.control_plane

    def prepare(self) -> None:
        """Make the role that is granted, and the bucket."""
        self.environment.s3.make_bucket(BUCKET)
        self.create_namespace(SYSTEM)
        self.apply({**_role("payments-debug", "", ["pods"], ["get", "list"]), "kind": "ClusterRole"})

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables of a process that reaches all of it, and nothing of the user's own."""
        plain = {name: value for name, value in clean_environ().items() if not name.startswith("AWS_")}
        return {**plain, **self.environment.environ(), "XDG_CACHE_HOME": str(self.folder / "cache")}

    def apply(self, *manifests: Body) -> None:
        """Apply manifests as the admin."""
        self.installation.apply(*manifests)

    def create_namespace(self, name: str) -> None:
        """Make a namespace, unless it is there."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def define(self, definition: Body) -> None:
        """Define a kind, and return when it is served."""
        self.apply(definition)
        name = f"crd/{definition['metadata']['name']}"
        self.installation.kubectl("wait", "--for=jsonpath={.status.conditions}", name)
        self.installation.kubectl("wait", "--for=condition=Established", name)

    def let_everybody(self, namespace: str, group: str, people: Sequence[str], approver: str) -> None:
        """Give the rights that people need to ask, and that the approver needs to decide, in the group's own kinds."""
        kinds = ["accessrequests", "accessrequests/status", "accesspolicies"]
        asking = _role("ask", group, kinds, ["create", "get", "list", "patch", "request", "watch"])
        deciding = _role("decide", group, [*kinds, "accesspolicies/owners"], ["approve", "get", "patch", "revoke"])
        for role, users in ((asking, people), (deciding, [approver])):
            role["metadata"]["namespace"] = namespace
            name = role["metadata"]["name"]
            self.apply(role, _bound(namespace, name, [{"kind": "User", "name": user} for user in users]))

    def admin_account(self, name: str, namespace: str) -> Path:
        """Make a service account that may do everything, and return a kubeconfig with a token of it."""
        meta = {"name": name, "namespace": namespace}
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
                "subjects": [{"kind": "ServiceAccount", **meta}],
            },
        )
        path = self.folder / f"{name}.kubeconfig"
        return self.cluster.kubeconfig_for_token(path, self.cluster.token(name, namespace))


@contextmanager
def bench_servers(*, durable: bool = True) -> Iterator[BenchServers]:
    """Start them; nothing of it runs after the block. `durable` makes etcd wait for the disk, as in production."""
    with Environment(choice="local", durable=durable) as environment:
        servers = BenchServers(environment)
        servers.prepare()
        yield servers


def _role(name: str, group: str, kinds: Sequence[str], verbs: Sequence[str]) -> dict[str, Any]:
    rules = [{"apiGroups": [group], "resources": kinds, "verbs": verbs}]
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}


def _bound(namespace: str, role: str, subjects: Sequence[Body]) -> Body:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": role, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
        "subjects": subjects,
    }

"""Who holds which role: bindings joined with their roles, as RBAC has them now. Other authorizers are not known here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from curfew.api.names import LABEL_REQUEST_UID
from curfew.core.doctor.facts import Json, at, items, text, title

SERVICE_ACCOUNT: Final = "system:serviceaccount:"

_BOOTSTRAPPING: Final = "kubernetes.io/bootstrapping"  # on the bindings that the API server makes itself
_EVERYBODY: Final = frozenset(
    {
        "system:anonymous",
        "group system:authenticated",
        "group system:serviceaccounts",
        "group system:unauthenticated",
    }
)


@dataclass(frozen=True, slots=True)
class Holding:
    """A role that one subject holds by one binding."""

    subject: str  # `bob@example.com`, `group sre` or `system:serviceaccount:NAMESPACE:NAME`
    namespace: str  # where it holds; empty for everywhere
    binding: str  # its kind and name
    role_kind: str
    role: str
    rules: tuple[Json, ...]
    is_grant: bool  # Curfew made the binding
    is_built_in: bool  # the API server made the binding, for a part of Kubernetes or for its own administrators

    @property
    def is_everybodys(self) -> bool:
        """Whether the subject is everybody, or every service account."""
        return self.subject in _EVERYBODY or self.subject.startswith("group system:serviceaccounts:")

    def path(self, rule: str) -> str:
        """Return by which binding, role and rule the subject has a right."""
        return f"{self.binding} → {self.role_kind} {self.role} → {rule}"


def holdings(cluster_rbac: Iterable[Json], namespace_rbac: Iterable[Json]) -> Iterator[Holding]:
    """Yield what each subject of each binding holds. A binding whose role does not exist gives nothing."""
    found = [*cluster_rbac, *namespace_rbac]
    rules = {
        (text(one, "kind"), text(one, "metadata", "namespace"), text(one, "metadata", "name")): items(one, "rules")
        for one in found
        if text(one, "kind").endswith("Role")
    }
    for one in found:
        if not text(one, "kind").endswith("Binding"):
            continue
        namespace = text(one, "metadata", "namespace")
        role = text(one, "roleRef", "kind"), text(one, "roleRef", "name")
        held = rules.get((role[0], namespace if role[0] == "Role" else "", role[1]), ())
        labels = at(one, "metadata", "labels") or {}
        for subject in dict.fromkeys(_subjects(one, namespace)):
            yield Holding(
                subject,
                namespace,
                title(one),
                *role,
                held,
                is_grant=bool(namespace) and LABEL_REQUEST_UID in labels,
                is_built_in=_is_built_in(subject) and (_BOOTSTRAPPING in labels or subject == "group system:masters"),
            )


def _subjects(binding: Json, home: str) -> Iterator[str]:
    for one in items(binding, "subjects"):
        kind, name = text(one, "kind"), text(one, "name")
        if kind == "ServiceAccount":
            yield f"{SERVICE_ACCOUNT}{text(one, 'namespace') or home}:{name}"
        elif kind in ("User", "Group") and name:
            yield name if kind == "User" else f"group {name}"


def _is_built_in(subject: str) -> bool:
    """Whether a subject is a part of Kubernetes, such as a controller; not what people can be, or be a member of."""
    if subject in _EVERYBODY or subject.startswith("group system:serviceaccounts:"):
        return False
    if subject.startswith(SERVICE_ACCOUNT):
        return subject.startswith(f"{SERVICE_ACCOUNT}kube-system:")
    return subject.startswith(("system:", "group system:"))

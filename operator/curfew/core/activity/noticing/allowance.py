"""Which bindings to governed roles are meant to be there besides grants."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_OF_THE_CLUSTER: Final = frozenset(
    {
        "Group system:masters",
        "Group system:nodes",
        "Group system:node-proxier",
        "Group system:monitoring",
        "Group system:bootstrappers",
        "Group system:bootstrappers:kubeadm:default-node-token",
        "User system:admin",
        "User system:apiserver",
        "User system:kube-apiserver",
        "User system:kube-controller-manager",
        "User system:kube-proxy",
        "User system:kube-scheduler",
        "User system:konnectivity-server",
        "User system:volume-scheduler",
    }
)
"""The parts of Kubernetes itself. No other name is one because it looks like it: anybody who can get a certificate, or may
impersonate, can be `system:whatever`."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is allowed: all that is given has to fit, and what is empty fits everything. At least one is given."""

    binding: str = ""  # KIND/NAMESPACE/NAME, or ClusterRoleBinding/NAME
    namespace: str = ""
    role: str = ""  # KIND/NAME
    subject: str = ""  # "User alice", "Group team" or "ServiceAccount namespace/name"

    def fits(self, *, kind: str, namespace: str, name: str, role: str, subject: str) -> bool:
        """Whether it allows that a binding gives a role to a subject."""
        binding = f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"
        return (
            self.binding in ("", binding)
            and self.namespace in ("", namespace)
            and self.role in ("", role)
            and self.subject in ("", subject)
        )


def not_allowed(
    subjects: Iterable[str], allowed: Iterable[Allowance], *, kind: str, namespace: str, name: str, role: str
) -> tuple[str, ...]:
    """Return the subjects to which a binding gives a role although nothing allows it. The cluster's own parts are allowed."""
    known = tuple(allowed)
    return tuple(
        subject
        for subject in subjects
        if not is_of_the_cluster(subject)
        and not any(one.fits(kind=kind, namespace=namespace, name=name, role=role, subject=subject) for one in known)
    )


def is_of_the_cluster(subject: str) -> bool:
    """Whether a subject is a part of Kubernetes itself, such as its administrators' group, and not everybody or a workload."""
    return subject in _OF_THE_CLUSTER

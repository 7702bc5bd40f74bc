"""A binding that gives a governed role to somebody, and is no grant."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OutsideBinding:
    """The binding, as the API server has it. All texts are bounded where it is read."""

    kind: str  # RoleBinding or ClusterRoleBinding
    namespace: str  # empty for a ClusterRoleBinding
    name: str
    uid: str
    role: str  # kind and name with a slash between: ClusterRole/payments-debug
    subjects: tuple[str, ...]  # "User alice", "Group team" or "ServiceAccount namespace/name", the first ones
    more_subjects: int  # how many there are besides
    made_at: datetime | None  # aware, in UTC

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.kind} {self.name}" + (f" in {self.namespace}" if self.namespace else "")

"""The roles that the company hands out, and what its policies offer."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from curfew.api.access_policy import AccessPolicy, Mode
from curfew.audit.canonical import digest
from curfew.audit.record import PolicyRef, RoleRef

Rules = list[dict[str, list[str]]]

READ: Final = ["get", "list", "watch"]
LOOK: Final[Rules] = [{"apiGroups": [""], "resources": ["pods", "pods/log", "services", "events"], "verbs": READ}]

RULES: Final[dict[str, Rules]] = {
    "logs": LOOK,
    "scale": [*LOOK, {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "update", "patch"]}],
    "debug": [*LOOK, {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}],
    "jobs": [*LOOK, {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "delete"]}],
    "secrets": [*LOOK, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}],
    "admin": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    "migrate": [
        *LOOK,
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ],
}
"""The rules of each role. `admin` and `migrate` allow making access that outlives the grant; the others do not."""


def role(name: str) -> RoleRef:
    """Return a role as a story pins it: its digest is that of its rules."""
    return RoleRef("ClusterRole", f"company-{name}", f"role-{name}", digest(RULES[name]))


@dataclass(frozen=True, slots=True)
class Offer:
    """What a policy offers: the story's view of it, and what decides how it is used."""

    namespace: str
    name: str
    role: str
    mode: Mode = Mode.REVIEW
    decide_within: timedelta = timedelta(hours=1)
    generation: int = 1

    @property
    def ref(self) -> PolicyRef:
        """The policy as a story pins it."""
        return PolicyRef(self.name, self.uid, self.generation)

    @property
    def uid(self) -> str:
        """The UID of the policy."""
        return f"policy-{self.namespace}-{self.name}"

    def to_policy(self, **spec: Any) -> AccessPolicy:
        """Return the policy itself; `spec` is what this version of it has instead of what is usual."""
        within = f"{self.decide_within // timedelta(minutes=1)}m"
        return AccessPolicy.model_validate(
            {
                "metadata": {
                    "name": self.name,
                    "namespace": self.namespace,
                    "uid": self.uid,
                    "generation": self.generation,
                    "managedFields": [{"manager": "flux", "time": "2026-08-01T08:00:00Z"}],
                },
                "spec": {
                    "roleRef": {"kind": "ClusterRole", "name": role(self.role).name},
                    "maxDuration": "8h",
                    "decideWithin": within,
                    "approval": {"mode": str(self.mode)},
                    "reason": {"minLength": 10},
                    "allowPermanence": self.role in ("admin", "migrate"),
                    **spec,
                },
            }
        )


OFFERS: Final = (
    ("logs", "logs", Mode.AUTOMATIC),
    ("debug", "debug", Mode.REVIEW),
    ("scale", "scale", Mode.REVIEW),
    ("jobs", "jobs", Mode.REVIEW),
    ("secrets", "secrets", Mode.REVIEW),
    ("admin", "admin", Mode.REVIEW),
    ("oncall", "debug", Mode.REVIEW),
    ("emergency", "admin", Mode.BREAK_GLASS),
)
"""The policies of each team: name, role and mode. `oncall` is there for nights and weekends, and its detectors are told."""


def offers_of(namespace: str) -> dict[str, Offer]:
    """Return the policies of a team, by name. One of them leaves the whole day to decide, the others the usual hour."""
    return {
        name: Offer(namespace, name, of, mode, timedelta(hours=8 if name == "jobs" else 1)) for name, of, mode in OFFERS
    }

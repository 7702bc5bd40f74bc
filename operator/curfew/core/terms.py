"""What was approved is what is granted: the request, the policy and the role's rules, pinned (promise P5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest, PinnedRole, PolicyRef, Terms
from curfew.audit.canonical import digest
from curfew.core.risk import risks


@dataclass(frozen=True, slots=True)
class Role:
    """A Role or ClusterRole as it was read."""

    kind: str
    name: str
    uid: str
    rules: tuple[Mapping[str, Any], ...]

    @property
    def rules_digest(self) -> str:
        """The SHA-256 of the rules in canonical JSON, in hex."""
        return digest(list(self.rules))


def read_role(body: Mapping[str, Any]) -> Role:
    """Read a Role or ClusterRole. An aggregated ClusterRole holds the rules that its controller wrote into it."""
    meta = body["metadata"]
    return Role(kind=body["kind"], name=meta["name"], uid=meta["uid"], rules=tuple(body.get("rules") or ()))


def pin(request: AccessRequest, policy: AccessPolicy, role: Role) -> Terms:
    """Return the terms of a request as policy and role stand now."""
    pinned_policy = PolicyRef(name=policy.metadata.name, uid=policy.metadata.uid, generation=policy.metadata.generation)
    pinned_role = PinnedRole(kind=role.kind, name=role.name, uid=role.uid, rules_digest=role.rules_digest)
    whole = {
        "request": {"uid": request.metadata.uid, "spec": _plain(request.spec)},
        "policy": {**_plain(pinned_policy), "spec": _plain(policy.spec)},
        "role": _plain(pinned_role),
    }
    return Terms(digest=digest(whole), policy=pinned_policy, role=pinned_role, risk=risks(role.rules))


def difference(pinned: Terms, now: Terms) -> str | None:
    """Return in words what has changed since the terms were pinned, or None."""
    changes = []
    if pinned.policy.uid != now.policy.uid:
        changes.append(f"AccessPolicy {pinned.policy.name} was deleted and made anew")
    elif pinned.policy.generation != now.policy.generation:
        changes.append(
            f"AccessPolicy {pinned.policy.name} was changed "
            f"(generation {pinned.policy.generation}, now {now.policy.generation})"
        )
    if (pinned.role.kind, pinned.role.name) != (now.role.kind, now.role.name):
        changes.append(f"the role is {now.role.kind} {now.role.name}, was {pinned.role.kind} {pinned.role.name}")
    elif pinned.role.uid != now.role.uid:
        changes.append(f"{pinned.role.kind} {pinned.role.name} was deleted and made anew")
    elif pinned.role.rules_digest != now.role.rules_digest:
        changes.append(f"the rules of {pinned.role.kind} {pinned.role.name} were changed")
    if not changes and pinned.digest != now.digest:
        changes.append("the request is not the one whose terms were pinned")
    return "; ".join(changes) or None


def _plain(model: Any) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(
        by_alias=True, exclude_unset=True, mode="json"
    )  # a new default must not change old digests
    return plain

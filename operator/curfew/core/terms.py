"""What was approved is what is granted: the request, the policy and the role's rules, pinned (promise P5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curfew.api.access_policy import AccessPolicy, Approval
from curfew.api.access_request import AccessRequest, PinnedPolicy, PinnedRole, PinnedStage, RightBy, Terms
from curfew.audit.canonical import digest
from curfew.core.risk import permanent, risks

ROLE_BYTES = 2**19
"""The largest role, in bytes of JSON, that is read. A larger role cannot be asked for or held."""


@dataclass(frozen=True, slots=True)
class RoleSeen:
    """What the watch last saw of a role: enough to see that the role changed, and how. An empty UID: it was deleted."""

    uid: str
    rules_digest: str
    permanent: tuple[str, ...] = ()  # the risks that allow making access that outlives a grant
    is_aggregated: bool = False  # a controller writes its rules, and may write them in several steps


@dataclass(frozen=True, slots=True)
class Role:
    """A Role or ClusterRole as it was read."""

    kind: str
    name: str
    uid: str
    rules: tuple[Mapping[str, Any], ...]
    is_aggregated: bool = False

    @property
    def seen(self) -> RoleSeen:
        """What is remembered of the role."""
        return RoleSeen(self.uid, self.rules_digest, permanent(risks(self.rules)), self.is_aggregated)

    @property
    def rules_digest(self) -> str:
        """The SHA-256 of the rules in canonical JSON, in hex."""
        return digest(list(self.rules))


def read_role(body: Mapping[str, Any]) -> Role:
    """Read a Role or ClusterRole. An aggregated ClusterRole holds the rules that its controller wrote into it."""
    meta = body["metadata"]
    return Role(
        kind=body["kind"],
        name=meta["name"],
        uid=meta["uid"],
        rules=tuple(body.get("rules") or ()),
        is_aggregated=bool(body.get("aggregationRule")),
    )


def pin(request: AccessRequest, policy: AccessPolicy, role: Role, right: RightBy | None = None) -> Terms:
    """Return the terms of a request as policy and role are now. The right is not part of the digest."""
    pinned_policy = PinnedPolicy(
        name=policy.metadata.name, uid=policy.metadata.uid, generation=policy.metadata.generation
    )
    pinned_role = PinnedRole(kind=role.kind, name=role.name, uid=role.uid, rules_digest=role.rules_digest)
    whole = {
        "request": {"uid": request.metadata.uid, "spec": _plain(request.spec)},
        "policy": {**_plain(pinned_policy), "spec": _plain(policy.spec)},
        "role": _plain(pinned_role),
    }
    return Terms(
        digest=digest(whole),
        policy=pinned_policy,
        role=pinned_role,
        risk=risks(role.rules),
        mode=policy.spec.approval.mode,
        on_role_change=policy.spec.on_role_change,
        on_end=policy.spec.on_end,
        allow_permanence=policy.spec.allow_permanence,
        stages=pin_stages(policy.spec.approval),
        right=right,
    )


def pin_stages(approval: Approval) -> tuple[PinnedStage, ...]:
    """Return the stages of a policy with their groups; one without a name if it has no stages."""
    if approval.stages:
        return tuple(PinnedStage(name=stage.name, groups=stage.groups) for stage in approval.stages)
    return (PinnedStage(name="", groups=approval.groups),)


def difference(pinned: Terms, now: Terms) -> str | None:
    """Return in words what has changed since the terms were pinned, or None."""
    changes = []
    if pinned.policy.uid != now.policy.uid:
        changes.append(f"AccessPolicy {pinned.policy.name} was deleted and created again")
    elif pinned.policy.generation != now.policy.generation:
        changes.append(
            f"AccessPolicy {pinned.policy.name} was changed "
            f"(generation {pinned.policy.generation}, now {now.policy.generation})"
        )
    if (pinned.role.kind, pinned.role.name) != (now.role.kind, now.role.name):
        changes.append(f"the role is {now.role.kind} {now.role.name}, was {pinned.role.kind} {pinned.role.name}")
    elif (changed := role_change(pinned.role, RoleSeen(now.role.uid, now.role.rules_digest))) is not None:
        changes.append(changed)
    changes += _foreign(pinned, now)
    if not changes and pinned.digest != now.digest:
        changes.append("the request is not the one whose terms were pinned")
    return "; ".join(changes) or None


def _foreign(pinned: Terms, now: Terms) -> list[str]:
    """Return in words how the terms differ from the policy that they name: then somebody other than Curfew wrote them.

    A field that is not set was pinned by an earlier version, which did not know groups.
    """
    have_groups = any(stage.groups for stage in now.stages)
    words = {
        "stages": "the approvers differ from the policy",
        "mode": "the approval mode differs from the policy",
        "on_role_change": "onRoleChange differs from the policy",
        "on_end": "onEnd differs from the policy",
        "allow_permanence": "allowPermanence differs from the policy",
    }
    return [
        words[name]
        for name in words
        if getattr(pinned, name) != getattr(now, name)
        and (name in pinned.model_fields_set or (name == "stages" and have_groups))
    ]


def role_change(pinned: PinnedRole, seen: RoleSeen | None) -> str | None:
    """Return in words how a role differs from what was pinned, or None. Also None if the role was not seen yet."""
    if seen is None or (seen.uid, seen.rules_digest) == (pinned.uid, pinned.rules_digest):
        return None
    if not seen.uid:
        return f"{pinned.kind} {pinned.name} was deleted"
    if seen.uid != pinned.uid:
        return f"{pinned.kind} {pinned.name} was deleted and created again"
    return f"the rules of {pinned.kind} {pinned.name} were changed"


def _plain(model: Any) -> dict[str, Any]:
    plain: dict[str, Any] = model.model_dump(
        by_alias=True, exclude_unset=True, mode="json"
    )  # a new default must not change old digests
    return plain

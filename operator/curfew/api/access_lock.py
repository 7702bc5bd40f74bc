"""AccessLock: whom, or what, nothing is granted to while it is there."""

from typing import Literal

from pydantic import Field

from curfew.api.access_policy import DNS_LABEL
from curfew.api.characters import LONGEST_NAME
from curfew.api.meta import Condition, Model, ObjectMeta
from curfew.api.names import API_VERSION
from curfew.api.times import Time

LONGEST_REASON = 512
"""Most characters of a reason: it is part of the sentence with which requests are refused."""

PLACE = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


class LockTarget(Model):
    """What is locked: exactly one of the four."""

    person: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "A user, as the API server names them (kubectl auth whoami). Letter case makes no difference. The lock covers "
            "each request that this user made or that was made for them, in every namespace."
        ),
    )
    policy: str | None = Field(
        default=None,
        min_length=3,
        max_length=127,
        pattern=PLACE,
        description="An AccessPolicy, as NAMESPACE/NAME. The lock covers each request under it.",
    )
    namespace: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description="A namespace. The lock covers each request in it.",
    )
    everything: bool | None = Field(
        default=None, description="With the value true, the lock covers each request in the cluster."
    )


class AccessLockSpec(Model):
    """What is locked, why, and until when. Only endsAt may be changed, and only to an earlier time."""

    target: LockTarget = Field(description="What is locked: exactly one of person, policy, namespace and everything.")
    reason: str = Field(
        min_length=1,
        max_length=LONGEST_REASON,
        description="Why, in a sentence. It is shown to the people whose access ends, and it is in the record.",
    )
    ends_at: Time | None = Field(
        default=None,
        description=(
            "When the lock ends by itself, such as 2026-11-23T20:00:00Z. Without it, the lock holds until it is deleted. "
            "It can be brought closer, and never put off."
        ),
    )
    submitted_by: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "The user who creates this lock; always the caller. On Kubernetes 1.36 and later, it is filled in; on earlier "
            "versions, it is required."
        ),
    )


class AccessLockStatus(Model):
    """What the lock has done. Written by Curfew."""

    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    in_force_since: Time | None = Field(default=None, description="When Curfew first kept to the lock.")
    grants_ended: int | None = Field(
        default=None,
        ge=0,
        description="How many grants were ended because of the lock. After a crash, it can be too low; the record is exact.",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=4,
        description="InForce: whether the lock holds now.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


class AccessLock(Model):
    """While an AccessLock is there, Curfew ends the grants that it covers and refuses requests for new ones.

    Who may make one, and who may lift it by deleting it, is plain RBAC. It ends access whatever state the log, the policy
    or the role is in.
    """

    api_version: Literal["curfew.dev/v1alpha1"] = API_VERSION
    kind: Literal["AccessLock"] = "AccessLock"
    metadata: ObjectMeta
    spec: AccessLockSpec = Field(description="What is locked, why, and until when.")
    status: AccessLockStatus = Field(
        default_factory=AccessLockStatus, description="What the lock has done. Written by Curfew."
    )

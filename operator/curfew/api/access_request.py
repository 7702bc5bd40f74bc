"""AccessRequest: one person asks for one policy's access, for a time, with a reason."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from curfew.api.access_policy import Groups, Mode, OnEnd, OnRoleChange, RoleKind
from curfew.api.activity import LenientActivity
from curfew.api.characters import LONGEST_NAME
from curfew.api.meta import STORED_DEFAULT, Condition, Model, ObjectMeta
from curfew.api.names import API_VERSION
from curfew.api.times import Duration, Time

CAMEL_CASE = "^[A-Z][A-Za-z0-9]*$"


class Phase(StrEnum):
    """Where a request is in its life."""

    PENDING = "Pending"
    APPROVED = "Approved"
    ACTIVE = "Active"
    DENIED = "Denied"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    EXPIRED = "Expired"
    REVOKED = "Revoked"
    FAILED = "Failed"


class DecisionKind(StrEnum):
    """What a person can decide about a request."""

    APPROVE = "Approve"
    DENY = "Deny"
    REVOKE = "Revoke"
    CANCEL = "Cancel"
    REVIEW = "Review"
    KEEP = "Keep"


class AccessRequestSpec(Model):
    """Who asks, for which policy, for how long, and why. It can never be changed."""

    policy_name: str = Field(
        min_length=1, max_length=63, description="Name of the AccessPolicy in this namespace that is asked for."
    )
    requester: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "The user who is to get the access, as the API server names them (kubectl auth whoami). On Kubernetes "
            "1.36 and later, it can be left out and is set to the caller; on earlier versions, it is required. To ask "
            "for somebody else, the caller needs the verb request-on-behalf on the policy."
        ),
    )
    submitted_by: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description=(
            "The user who creates this request; always the caller. On Kubernetes 1.36 and later, it is filled in; on "
            "earlier versions, it is required, and is the same as requester if you ask for yourself."
        ),
    )
    duration: Duration = Field(
        description=(
            "How long the access lasts once it is granted, in whole hours, minutes and seconds, such as 45m or "
            "1h30m. At least 1m, at most 744h, and at most the maxDuration of the policy and the chart's limits.maxGrant."
        )
    )
    not_before: Time | None = Field(
        default=None,
        description=(
            "When the access begins, such as 2026-11-23T20:00:00Z. Without it, the access begins as soon as it is "
            "approved. It can be at most the policy's maxLeadTime away."
        ),
    )
    not_after: Time | None = Field(
        default=None,
        description=(
            "When the access must end, such as 2026-11-23T22:00:00Z, however late it begins: the grant is cut at that "
            "time, and nothing is granted if no time is left. Without it, the access lasts for its whole duration."
        ),
    )
    reason: str = Field(
        min_length=1, max_length=1024, description="Why the access is needed, for those who decide and for the record."
    )
    ticket: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The ticket, incident or change that the request belongs to, such as INC-4711. A policy can require it.",
    )


class Decision(Model):
    """One person's decision. The only thing that people write into the status."""

    by: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="The user who decides; always the caller, as the API server names them.",
    )
    decision: DecisionKind = Field(
        description=(
            "Approve or Deny while Pending; Revoke to end what is Approved or Active; Cancel is for the requester and "
            "is possible until the end; Review confirms that somebody has looked at a grant that was taken by "
            "breaking the glass; Keep, with a reason, accepts what the grant has left behind."
        )
    )
    stage: str | None = Field(
        default=None,
        max_length=63,
        description="The stage of the policy for which the decision is made. If left out, the decision is made for any stage.",
    )
    reason: str | None = Field(
        default=None, max_length=1024, description="The reason for the decision, for the requester and for the record."
    )


class Review(Model):
    """What Curfew made of one decision."""

    by: str = Field(max_length=LONGEST_NAME, description="The user who decided.")
    decision: DecisionKind = Field(description="What they decided.")
    stage: str | None = Field(default=None, max_length=63, description="The stage for which they decided.")
    seen_at: Time = Field(description="When Curfew first saw the decision.")
    effect: str = Field(
        max_length=64,
        pattern=CAMEL_CASE,
        description="The effect of the decision, in one CamelCase word: Counted (an approval), TookEffect (any other "
        "decision), or why it had none.",
    )


class PinnedPolicy(Model):
    """The policy as it was when the request was accepted."""

    name: str = Field(max_length=253, description="Name of the AccessPolicy.")
    uid: str = Field(
        max_length=64,
        description="UID of the AccessPolicy. A policy created later under the same name has another UID.",
    )
    generation: int = Field(ge=0, description="The metadata.generation of the AccessPolicy.")


class PinnedRole(Model):
    """The role as it was when the request was accepted."""

    kind: RoleKind = Field(description="ClusterRole or Role.")
    name: str = Field(max_length=253, description="Name of the role.")
    uid: str = Field(
        max_length=64, description="UID of the role. A role created later under the same name has another UID."
    )
    rules_digest: str = Field(max_length=64, description="SHA-256 of the role's rules, in hex.")


class PinnedStage(Model):
    """Who may approve, as the policy had it when the request was accepted."""

    name: str = Field(max_length=63, description="Name of the stage; empty for a policy without stages.")
    groups: Groups = Field(
        default=(),
        description="Groups of people. An approver must be in one of them. Without groups, the verb is enough.",
    )


class RightBy(StrEnum):
    """Whether RBAC let the requester ask by their own name, when the request was accepted."""

    NAME = "ByName"
    GROUP = "NotByName"


class Terms(Model):
    """What was asked for and is approved, pinned when the request was accepted.

    If any of it has changed when the grant is due, nothing is granted.
    """

    digest: str = Field(max_length=64, description="SHA-256 over request, policy and role, in hex.")
    policy: PinnedPolicy = Field(description="The policy that was asked for.")
    role: PinnedRole = Field(description="The role that will be bound.")
    mode: Mode = Field(default=Mode.REVIEW, description="How requests under the policy are decided.")
    on_role_change: OnRoleChange = Field(
        default=OnRoleChange.REVOKE,
        description="What happens to the grant if the role's rules are changed while it is active: Revoke or Keep.",
    )
    on_end: OnEnd = Field(
        default=OnEnd.REPORT,
        description="What happens to pods with open connections when the grant ends: Report or DeletePods.",
    )
    stages: tuple[PinnedStage, ...] = Field(
        default=(),
        max_length=8,
        description="The stages of the policy, or one without a name: admission refuses approvals for any other.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    allow_permanence: bool = Field(
        default=False,
        description="Whether the policy allows a role with which a person could create access that outlives the grant.",
    )
    risk: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        default=(),
        max_length=32,
        description="What is risky in the role, one CamelCase word each.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    right: RightBy | None = Field(
        default=None,
        description=(
            "How the requester has the right to ask: by their own name (ByName: Curfew checks the right again at the "
            "grant) or through a group (NotByName: Curfew does not check it again, because it does not know the "
            "groups of somebody who does not make the call)."
        ),
    )


class GrantReceipt(Model):
    """The place in the log of the record that announced the grant, and the log's size and root at that time."""

    log: str = Field(max_length=64, description="Id of the log.")
    index: int = Field(ge=0, description="Position of the record in the log, from 0.")
    size: int = Field(ge=0, description="Number of records in the log when this receipt was made.")
    root: str = Field(max_length=64, description="Merkle tree root (RFC 6962) over all of them, in hex.")


class Grant(Model):
    """The binding that gives the access."""

    binding: str = Field(max_length=253, description="Name of the RoleBinding in this namespace.")
    uid: str = Field(max_length=64, description="UID of the RoleBinding.")
    receipt: GrantReceipt | None = Field(
        default=None,
        description=(
            "Proof that the grant was recorded before it was made. A grant in mode BreakGlass under a policy with "
            "whenNotRecorded: Grant may have none."
        ),
    )


class SealedRecord(Model):
    """An audit record, as it will be in the log, and Curfew's own seal on it: without one it is not believed."""

    record: str = Field(default="", max_length=131072, description="The record, in canonical JSON.")
    seal: str = Field(
        default="",
        max_length=64,
        description="HMAC-SHA256 of the record, for this request, with a secret that only Curfew has.",
    )


class AccessRequestStatus(Model):
    """The state of the request. Written by Curfew, except for the decisions. The operator writes all but the activity."""

    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    phase: Phase | None = Field(
        default=None,
        description=(
            "Pending waits for approvals, Approved for its start or for the record, Active is granted. Denied, "
            "TimedOut, Cancelled, Expired, Revoked and Failed are final. Expired and Revoked are set only once the "
            "binding is gone."
        ),
    )
    decisions: tuple[Decision, ...] = Field(
        default=(),
        max_length=32,
        description=(
            "The decisions of people. Each person adds their own, with kubectl patch --subresource=status; no "
            "decision is ever removed."
        ),
        # The default gives a JSON patch something to add to before Curfew has seen the request.
        json_schema_extra={
            STORED_DEFAULT: [],
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["by", "decision"],
        },
    )
    reviews: tuple[Review, ...] = Field(
        default=(),
        max_length=32,
        description="What Curfew found out about each decision: when it was first seen, and whether it counted.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["by", "decision"]},
    )
    approvals: str = Field(default="", max_length=16, description="Approvals that count, of those needed, such as 1/2.")
    terms: Terms | None = Field(
        default=None, description="What was asked for and is approved, pinned when the request was accepted."
    )
    decide_by: Time | None = Field(default=None, description="When the request times out unless it is decided before.")
    decided_at: Time | None = Field(default=None, description="When it was decided.")
    starts_at: Time | None = Field(default=None, description="When the granted window begins.")
    granted_at: Time | None = Field(default=None, description="When the binding was in place.")
    expires_at: Time | None = Field(default=None, description="When the access ends. It is never moved to later.")
    active_until: Time | None = Field(
        default=None,
        description="When the access ends, while the access exists. The field is removed with the access; expiresAt stays.",
    )
    review_by: Time | None = Field(
        default=None,
        description="After breaking the glass: when somebody must have reviewed it, with a Review decision.",
    )
    ended_at: Time | None = Field(
        default=None, description="When the binding was known to be gone, or the request was over."
    )
    end_reason: str | None = Field(
        default=None,
        max_length=64,
        pattern=CAMEL_CASE,
        description="Why it ended, in one CamelCase word, such as DurationElapsed or RevokedByApprover.",
    )
    counted_in: Time | None = Field(
        default=None,
        description=(
            "If the request was refused and has no records of its own: the beginning of the hour whose record "
            "request.rejections_counted counts it. A request is counted there if the person had 20 requests refused "
            "in that namespace and hour before it. The field is never changed."
        ),
    )
    counted_with_others: bool | None = Field(
        default=None,  # a default written by the API server would make setting the field a change
        description="Whether it is counted together with the requests of other people, because too many people had "
        "requests refused.",
    )
    grant: Grant | None = Field(
        default=None, description="The binding that gives the access, and the proof of its record."
    )
    outbox: tuple[SealedRecord, ...] = Field(
        default=(),
        max_length=64,
        description="Audit records that were not yet known to be in the log when this status was written. Those that are in "
        "the log leave with the next change. An entry without a valid seal is left out, and that is recorded.",
        json_schema_extra={"x-kubernetes-list-type": "atomic"},
    )
    activity: LenientActivity = Field(
        default=None,
        description="What was done with the access, and whether anything was changed with it. Written by the monitor alone, "
        "if there is one (curfew monitor).",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=12,
        description=(
            "Ready: Curfew has understood the request (this does not mean that it is granted). Approved: all people "
            "who must agree have agreed. Active: whether the access exists, and if not, why. Recorded: everything "
            "that happened is in the log, or sealed in outbox on its way there. Stalled: the request failed for good."
        ),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


class AccessRequest(Model):
    """An AccessRequest asks for access for one person, for a time, under a policy of its namespace."""

    api_version: Literal["curfew.dev/v1alpha1"] = API_VERSION
    kind: Literal["AccessRequest"] = "AccessRequest"
    metadata: ObjectMeta
    spec: AccessRequestSpec = Field(description="Who asks, for what, for how long, and why. It can never be changed.")
    status: AccessRequestStatus = Field(
        default_factory=AccessRequestStatus,
        description="The state of the request. Written by Curfew, except for the decisions.",
        json_schema_extra={"default": {}},
    )

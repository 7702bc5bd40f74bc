"""AccessPolicy: what access may be requested in a namespace, for how long, and who must agree."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from curfew.api.meta import STORED_DEFAULT, Condition, Model, ObjectMeta
from curfew.api.names import API_VERSION
from curfew.api.times import Duration, Time

DNS_LABEL = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"


class RoleKind(StrEnum):
    """The kinds of role that a grant can bind."""

    CLUSTER_ROLE = "ClusterRole"
    ROLE = "Role"


class Mode(StrEnum):
    """How it is decided whether a request is granted."""

    REVIEW = "Review"
    AUTOMATIC = "Automatic"
    BREAK_GLASS = "BreakGlass"


class WhenNotRecorded(StrEnum):
    """What happens to a break-glass request while the log cannot be written."""

    WAIT = "Wait"
    GRANT = "Grant"


class OnRoleChange(StrEnum):
    """What happens to a grant if its role is edited or deleted in the meantime."""

    REVOKE = "Revoke"
    KEEP = "Keep"


class OnEnd(StrEnum):
    """What happens to the connections into pods that are still open when a grant ends."""

    REPORT = "Report"
    DELETE_PODS = "DeletePods"


class OfferedRole(Model):
    """The one role that a grant binds, in the policy's own namespace."""

    kind: RoleKind = Field(
        description="ClusterRole, or Role for a role of this namespace. Either is granted in this namespace only."
    )
    name: str = Field(
        min_length=1,
        max_length=253,
        description="Name of the role. The author of the policy must be allowed to bind it.",
    )


class ReasonRule(Model):
    """What a reason must look like."""

    min_length: int = Field(
        default=1, ge=1, le=1024, description="The minimum number of characters in a reason. By default 1."
    )


class TicketRule(Model):
    """The requirements for the ticket of a request."""

    required: bool = Field(default=False, description="Whether a request must name a ticket. By default it need not.")
    pattern: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description=(
            "Regular expression (RE2 syntax) that a ticket must match as a whole, such as INC-[0-9]+. Without it, any "
            "text matches."
        ),
    )


Groups = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
    Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
]
"""Names of groups, as the API server knows them for the user who makes the call."""


class Stage(Model):
    """A group of approvers, some of whom must agree."""

    name: str = Field(
        min_length=1,
        max_length=63,
        pattern=DNS_LABEL,
        description=(
            "Name of the stage, a DNS label such as owners. RBAC defines who may decide for it: people with the verb "
            "approve on "
            "accesspolicies/NAME-OF-THE-STAGE (or on accesspolicies, for approvals that name no stage and count for any)."
        ),
    )
    count: int = Field(
        default=1, ge=1, le=10, description="How many different people must approve for this stage. By default 1."
    )
    groups: Groups = Field(
        default=(),
        description=(
            "Groups of people. An approver of this stage must be in one of them and have the verb approve. By "
            "default, the verb is enough."
        ),
    )


class Approval(Model):
    """How it is decided whether a request is granted."""

    mode: Mode = Field(
        default=Mode.REVIEW,
        description=(
            "Review (the default) waits for people. Automatic grants without people, still bounded and recorded. "
            "BreakGlass grants at once, warns everybody, and requires a review afterwards."
        ),
    )
    count: int = Field(
        default=1,
        ge=1,
        le=10,
        description="In mode Review without stages: how many different people must approve. By default 1.",
    )
    stages: tuple[Stage, ...] = Field(
        default=(),
        max_length=8,
        description=(
            "In mode Review: the groups of people who must agree. All of them must. One person counts only once over "
            "all stages. With stages, approval.count is not used."
        ),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    groups: Groups = Field(
        default=(),
        description=(
            "Without stages: groups of people. An approver (in mode BreakGlass, a reviewer) must be in one of them "
            "and have the verb approve. By default, the verb is enough, and verbs: ['*'] includes it."
        ),
    )
    reason: ReasonRule | None = Field(
        default=None,
        description=(
            "The requirements for the reason of an Approve or Deny decision. Without them, no reason is needed. An "
            "Approve without the required reason does not count; a Deny always counts."
        ),
    )
    when_not_recorded: WhenNotRecorded = Field(
        default=WhenNotRecorded.WAIT,
        description=(
            "In mode BreakGlass, while the log cannot be written: Wait (the default) grants nothing until it can be "
            "written. Grant grants at once, and keeps the records, sealed, in the request's status until they are in the log."
        ),
        json_schema_extra={STORED_DEFAULT: None},
    )


class Limits(Model):
    """How much one person may have at a time under this policy."""

    active_per_requester: int = Field(
        default=1, ge=1, le=100, description="The most grants that one person may hold at a time. By default 1."
    )
    pending_per_requester: int = Field(
        default=3, ge=1, le=100, description="The most undecided requests that one person may have. By default 3."
    )
    once_per_name: bool = Field(
        default=False,
        description=(
            "Whether each request name can be used only once under this policy, even after the request was deleted or "
            "the namespace was restored from a backup. By default false."
        ),
        json_schema_extra={STORED_DEFAULT: None},
    )


class AccessPolicySpec(Model):
    """What may be asked for, for how long, and who must agree."""

    description: str | None = Field(
        default=None,
        max_length=1024,
        description="What the access is for, in a sentence for the people who ask for it.",
    )
    role_ref: OfferedRole = Field(description="The one role that a grant binds, in this namespace.")
    max_duration: Duration = Field(
        description=(
            "The longest grant that may be asked for, in whole hours, minutes and seconds, such as 4h or 1h30m. At "
            "least 1m, at most 744h; the chart's limits.maxGrant, by default 24h, is a further limit."
        )
    )
    decide_within: Duration = Field(
        default=timedelta(hours=1),
        description=(
            "How long a request waits for its approvals before it is TimedOut, such as 1h. This time does not count "
            "towards the duration of the grant. At least 1m, at most 168h. By default 1h."
        ),
        json_schema_extra={"default": "1h"},  # by itself pydantic would write PT1H
    )
    max_lead_time: Duration = Field(
        # No default in the schema: a default would change the digest of terms that are already pinned.
        default_factory=lambda: timedelta(days=7),
        description=(
            "How far away the notBefore of a request may be when it is created, such as 24h. At least 1m, at most 8760h. "
            "By default 168h, which is 7 days."
        ),
    )
    reason: ReasonRule = Field(
        default_factory=ReasonRule,
        description="The requirements for the reason of a request.",
        json_schema_extra={"default": {}},
    )
    ticket: TicketRule = Field(
        default_factory=TicketRule,
        description="The requirements for the ticket of a request.",
        json_schema_extra={"default": {}},
    )
    approval: Approval = Field(
        default_factory=Approval,
        description="Who must agree. Without it, one approver must.",
        json_schema_extra={"default": {}},
    )
    limits: Limits = Field(
        default_factory=Limits,
        description="How many grants and requests one person may have at a time.",
        json_schema_extra={"default": {}},
    )
    on_role_change: OnRoleChange = Field(
        default=OnRoleChange.REVOKE,
        description=(
            "What happens to a grant if the rules of its role are changed while it is active: Revoke ends it, Keep "
            "lets it continue with the new rules. Both are recorded. By default Revoke."
        ),
        json_schema_extra={"default": "Revoke"},
    )
    on_end: OnEnd = Field(
        default=OnEnd.REPORT,
        description=(
            "What happens when a grant ends and connections into pods (exec, attach, port-forward) are still open, or "
            "ephemeral containers were added: Report records it; DeletePods also deletes these pods, which cuts the "
            "connections. That needs the monitor, and the right to delete pods in this namespace (the chart's "
            "monitor.deletePods). By default Report."
        ),
        json_schema_extra={"default": "Report"},
    )
    allow_permanence: bool = Field(
        default=False,
        description=(
            "Dangerous. Allows a role with which a person could create access that outlives the grant (for example bind, "
            "escalate, impersonate, wildcards, minting tokens, writing bindings, creating pods). Without it, Curfew "
            "refuses the role. By default false."
        ),
    )


class ManagedFields(Model):
    """Which program wrote fields of an object, and when. The API server does not say which person."""

    manager: str = ""
    subresource: str = ""
    time: Time | None = None


class PolicyMeta(ObjectMeta):
    """The part of a policy's metadata that Curfew reads."""

    managed_fields: tuple[ManagedFields, ...] = ()

    @property
    def manager(self) -> str:
        """The field manager that wrote the spec last, as the API server names it; empty if it names none."""
        writers = [(entry.time, entry.manager) for entry in self.managed_fields if entry.time and not entry.subresource]
        return max(writers)[1] if writers else ""


class RecordedPolicy(Model):
    """The version of a policy that the log is known to hold. The log has its text."""

    generation: int = Field(ge=0, description="The metadata.generation of that version.")


class AccessPolicyStatus(Model):
    """Curfew's findings about the policy."""

    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status describes."
    )
    risk: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        default=(),
        max_length=32,
        description="What is risky in the role, one CamelCase word each, such as ReadsSecrets or ExecsIntoPods.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    risk_table: int | None = Field(
        default=None, ge=1, description="The version of the table of risks by which the role was judged."
    )
    recorded: RecordedPolicy | None = Field(
        default=None,
        description="The version of the policy that is known to be in the log.",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        max_length=12,
        description=(
            "Ready: whether the policy can be asked for, and if not, why. EndsWithGrant: whether something that the role "
            "allows remains after a grant, and what."
        ),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


class AccessPolicy(Model):
    """An AccessPolicy says what may be asked for in its namespace, for how long, and who must agree.

    Who may ask and who may agree is plain RBAC: the verbs request, approve and revoke on the policy.
    """

    api_version: Literal["curfew.dev/v1alpha1"] = API_VERSION
    kind: Literal["AccessPolicy"] = "AccessPolicy"
    metadata: PolicyMeta
    spec: AccessPolicySpec = Field(description="What may be asked for, for how long, and who must agree.")
    status: AccessPolicyStatus = Field(
        default_factory=AccessPolicyStatus, description="What Curfew found out about the policy. Written by Curfew."
    )

"""Whether people can ask for a policy. Its status shows that before anybody tries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from curfew.api.access_policy import AccessPolicy, Mode
from curfew.api.names import API_VERSION, is_self_test_policy
from curfew.core import conditions
from curfew.core.checks import compile_pattern, not_given, permanence
from curfew.core.conditions import Observation
from curfew.core.notices import Notice, Regarding
from curfew.core.reasons import Reason
from curfew.core.risk import explain, risks
from curfew.core.risk_table import VERSION
from curfew.core.terms import ROLE_BYTES, Role, pin_stages

RECHECK = timedelta(seconds=30)
"""How often a policy that nobody can ask for is checked again: its missing role may have been created."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to write into a policy's status, which Events to make, and when to look again."""

    status: dict[str, Any] | None
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None


def judge(policy: AccessPolicy, role: Role | None, *, may_bind: bool, now: datetime) -> Judgement:
    """Return what a policy's status must show; nothing if it shows that already."""
    ready = _ready(policy, role, may_bind=may_bind)
    wake_at = None if ready.status else now + RECHECK
    generation, said = policy.metadata.generation, policy.status
    risk = risks(role.rules) if role is not None else ()
    observed = (ready, _approvers_named(policy), _ends_with_grant(risk))
    if (said.risk, said.risk_table, said.observed_generation) == (risk, VERSION, generation) and all(
        conditions.is_said(said.conditions, one) for one in observed
    ):
        return Judgement(None, wake_at=wake_at)
    status = {
        "observedGeneration": generation,
        "risk": list(risk),
        "riskTable": VERSION,
        "conditions": conditions.update(said.conditions, observed, now=now, generation=generation),
    }
    is_quiet = ready.status or ready.reason == "SelfTest" or conditions.is_said(said.conditions, ready)
    return Judgement(status, () if is_quiet else (_notice(policy, ready),), wake_at)


def _approvers_named(policy: AccessPolicy) -> Observation:
    """Return whether the policy names who approves, or leaves approval to everybody whose rights include the verb."""
    approval, name = policy.spec.approval, policy.metadata.name
    if approval.mode is Mode.AUTOMATIC:
        return Observation(conditions.APPROVERS_NAMED, True, "NobodyApproves", "it is granted without approval")
    pinned = pin_stages(approval)
    open_to_all = [stage.name for stage in pinned if not stage.groups]
    if not open_to_all:
        who = "; ".join(f"{' or '.join(stage.groups)}{f' for {stage.name}' if stage.name else ''}" for stage in pinned)
        return Observation(conditions.APPROVERS_NAMED, True, "ByGroup", f"approvers are in these groups: {who}")
    what = f"stage {', '.join(open_to_all)}" if approval.stages else "it"
    return Observation(
        conditions.APPROVERS_NAMED,
        False,
        "ByVerbAlone",
        f"everybody who has the verb approve on accesspolicies/{name} may approve {what}, even through a role with "
        'verbs: ["*"]; to limit this to members of groups, name the groups in spec.approval',
    )


def _ends_with_grant(risk: tuple[str, ...]) -> Observation:
    """Return what a use of the role leaves behind after the grant, for the people who offer the role and agree to it."""
    if not risk:
        return Observation(conditions.ENDS_WITH_GRANT, True, "NothingRemains", "nothing remains after the grant")
    return Observation(conditions.ENDS_WITH_GRANT, False, "SomethingRemains", explain(risk))


def _ready(policy: AccessPolicy, role: Role | None, *, may_bind: bool) -> Observation:
    spec, ref = policy.spec, policy.spec.role_ref
    if is_self_test_policy(policy.metadata.name, str(ref.kind), ref.name):
        message = "this is Curfew's self-test: it offers nothing, and nobody is meant to ask for it"
        return Observation(conditions.READY, False, "SelfTest", message)
    if role is None:
        return Observation(
            conditions.READY,
            False,
            str(Reason.ROLE_NOT_FOUND),
            f"spec.roleRef names {ref.kind} {ref.name}, which does not exist or is larger than {ROLE_BYTES // 1024} KiB; "
            "create it, or name one that can be read",
        )
    if not may_bind:
        message = not_given(str(ref.kind), ref.name, policy.metadata.namespace)
        return Observation(conditions.READY, False, str(Reason.CANNOT_BIND), message)
    too_much = permanence(policy, role)
    if too_much is not None:
        return Observation(conditions.READY, False, str(Reason.ROLE_IS_PERMANENT), too_much)
    if spec.ticket.pattern and compile_pattern(spec.ticket.pattern) is None:
        return Observation(
            conditions.READY,
            False,
            str(Reason.POLICY_INVALID),
            f"spec.ticket.pattern is not a regular expression in RE2 syntax: {spec.ticket.pattern}",
        )
    return Observation(conditions.READY, True, "Offered", f"{ref.kind} {ref.name} can be asked for")


def _notice(policy: AccessPolicy, ready: Observation) -> Notice:
    meta = policy.metadata
    return Notice(
        namespace=meta.namespace,
        regarding=Regarding(
            api_version=API_VERSION, kind="AccessPolicy", name=meta.name, namespace=meta.namespace, uid=meta.uid
        ),
        type="Warning",
        reason=ready.reason,
        action="Check",
        note=f"AccessPolicy {meta.name} cannot be asked for: {ready.message}"[:1024],
        key=f"{meta.uid}/{meta.generation}/{ready.reason}",
    )

"""`kubectl curfew explain`: what may be asked for, who can approve it, what it allows, and why a request was refused."""

from collections.abc import Sequence

import click

from curfew.adapters.clock import SystemClock
from curfew.cli.kubectl import KubectlFailed, KubectlRefused
from curfew.cli.requests.access import POLICIES, RBAC, ClusterAccess, cluster_options, failed, object_name
from curfew.cli.requests.names import policy_names
from curfew.cli.requests.output import labelled, say, table
from curfew.cli.requests.telling import risks_in_words, tell_request, tell_rules
from curfew.core.guidance.approvers import APPROVE, Bound, approvers, bound, question
from curfew.core.guidance.changes import why_over
from curfew.core.guidance.next_steps import next_step, request_command
from curfew.core.guidance.objects import ShownPolicy, ShownRequest, parts, read_policy
from curfew.core.guidance.policies import agreeing, needs

_MOST_APPROVERS = 12  # names in one line


@click.command("explain")
@click.argument("name", required=False, metavar="[POLICY|REQUEST]", shell_complete=policy_names)
@cluster_options()
def explain(name: str | None, access: ClusterAccess) -> None:
    """Explain what you may ask for, a policy, or a request.

    Without a name: the policies of the namespace, and which of them are open to you. A policy: what its role allows, what is
    risky, what it requires, and who can approve, by the RoleBindings that you may read. A request: why it was refused or
    what it waits for, who can approve it, and what to do next. If a policy and a request have the same name, write
    policy/NAME or request/NAME.
    """
    try:
        if name is None:
            _explain_all(access)
            return
        kind = name.rpartition("/")[0].partition(".")[0]
        found = _find(access, object_name(name), kind)
        if isinstance(found, ShownPolicy):
            _explain_policy(access, found)
        else:
            _explain_request(access, found)
    except KubectlFailed as error:
        raise failed(error) from None


def _explain_all(access: ClusterAccess) -> None:
    policies = [read_policy(item) for item in parts(access.kubectl.read(["get", POLICIES, *access.within()]), "items")]
    if not policies:
        say("There are no policies in this namespace, so nothing can be asked for here. Give another with -n.")
        return
    mine = access.may([question(one.namespace, one.name, "request") for one in policies])
    rows = [
        (
            one.name,
            "yes" if may and one.ready.is_true else "no" if not may else "not now",
            str(one.role),
            one.max_duration,
            agreeing(one),
            ", ".join(one.risk) or "-",
            one.description or "-",
        )
        for one, may in zip(policies, mine, strict=True)
    ]
    table(
        ["POLICY", "FOR YOU", "ROLE", "AT MOST", "WHO AGREES", "RISK", "WHAT FOR"],
        sorted(rows, key=lambda row: row[1] != "yes"),
    )
    open_ = [row[0] for row in rows if row[1] == "yes"]
    where = f" -n {access.namespace}" if access.namespace else ""
    say(
        f"Next: kubectl curfew explain {open_[0]}{where}"
        if open_
        else "Nothing here is open to you; ask the owner of the namespace."
    )


def _find(access: ClusterAccess, name: str, kind: str) -> ShownPolicy | ShownRequest:
    """Return the policy or the request of a name; the policy if both have it and none was meant. Raise `KubectlFailed`."""
    if not kind.startswith(("request", "accessrequest", "areq")) and (policy := access.policy(name)) is not None:
        return policy
    if kind.startswith(("policy", "accesspolic", "apol")):
        return read_policy(access.kubectl.read(["get", POLICIES, name, *access.within()]))
    return access.request(name)


def _explain_policy(access: ClusterAccess, policy: ShownPolicy) -> None:
    say(
        f"AccessPolicy {policy.name} in namespace {policy.namespace}"
        + (f": {policy.description}" if policy.description else "")
    )
    (may_ask,) = access.may([question(policy.namespace, policy.name, "request")])
    labelled("For you", "yes, you may ask for it" if may_ask else "no, you have no right to request it")
    if not policy.ready.is_true:
        labelled("Not ready", policy.ready.message or "Curfew has not looked at it yet")
    labelled("Gives", f"{policy.role} in namespace {policy.namespace}, for at most {policy.max_duration}")
    found = access.rules(policy.role, policy.namespace)
    tell_rules(found[1] if found is not None else None)
    labelled("Risk", *(risks_in_words(policy.risk) or ["none that Curfew knows"]))
    labelled("Needs", *needs(policy))
    _tell_approvers(access, policy)
    say(
        f"Next: {request_command(policy)}"
        if may_ask
        else "Next: ask the owner of the namespace for the verb request on it."
    )


def _explain_request(access: ClusterAccess, request: ShownRequest) -> None:
    tell_request(request, SystemClock().now())
    if not request.is_open:
        say(f"Why:  {why_over(request) or request.end_reason or request.phase}")
    elif request.phase == "Pending" and (policy := access.policy(request.policy, request.namespace)) is not None:
        _tell_approvers(access, policy, without=(request.requester, request.submitted_by))
    say(f"Next: {next_step(request)}")


def _tell_approvers(access: ClusterAccess, policy: ShownPolicy, without: Sequence[str] = ()) -> None:
    labelled("Approvers", *approver_lines(access, policy, without))


def approver_lines(
    access: ClusterAccess, policy: ShownPolicy, without: Sequence[str] = (), *, may_read: bool = True
) -> list[str]:
    """Return who can approve, a line for each stage: the caller, and everybody whom the bindings name.

    The bindings are not asked for if the caller is known not to be allowed to read them. Raise `KubectlFailed`.
    """
    if policy.mode == "Automatic":
        return []
    mine = access.may([question(policy.namespace, policy.name, APPROVE, stage.name) for stage in policy.stages])
    everybody = _bound(access, policy.namespace) if may_read else None
    lines = []
    for stage, may in zip(policy.stages, mine, strict=True):
        label = f"{stage.name}: " if stage.name else ""
        groups = f" (only members of {' or '.join(stage.groups)})" if stage.groups else ""
        if everybody is None:
            you = "you, unless you made the request" if without else "you"
            who = (you if may else "not you") + "; you may not read RoleBindings here, so others cannot be named"
        else:
            who = _named([one for one in approvers(everybody, policy.name, stage.name) if one not in without])
            who += " (and you may)" if may and not without else ""
        lines.append(f"{label}{who}{groups}")
    return lines


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_APPROVERS])
    more = f" and {len(names) - _MOST_APPROVERS} more" if len(names) > _MOST_APPROVERS else ""
    return f"{shown}{more}" if names else "nobody that a binding names"


def _bound(access: ClusterAccess, namespace: str) -> tuple[Bound, ...] | None:
    """Return all bindings that hold in a namespace, or None if the caller may not read them."""
    found: list[object] = []
    for kinds, where in (
        (f"rolebindings.{RBAC},roles.{RBAC}", access.within(namespace)),
        (f"clusterrolebindings.{RBAC},clusterroles.{RBAC}", []),
    ):
        try:
            found += parts(access.kubectl.read(["get", kinds, *where]), "items")
        except KubectlRefused:
            return None
    kinds_of = [(one, str(one.get("kind", ""))) for one in found if isinstance(one, dict)]
    return bound(
        [one for one, kind in kinds_of if kind.endswith("Binding")],
        [one for one, kind in kinds_of if kind.endswith("Role")],
    )

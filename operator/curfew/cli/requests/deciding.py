"""`kubectl curfew approve`, `deny`, `cancel` and `revoke`: one person's decision about the request that they were shown."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.audit.wording import printable
from curfew.cli.kubectl import KubectlFailed, KubectlRefused
from curfew.cli.requests.access import REQUESTS, ClusterAccess, cluster_options, failed
from curfew.cli.requests.names import request_names
from curfew.cli.requests.output import is_interactive, labelled, say
from curfew.cli.requests.telling import tell_request, tell_rules
from curfew.core.guidance.approvers import APPROVE, question
from curfew.core.guidance.decisions import not_now, patch
from curfew.core.guidance.next_steps import command, next_step
from curfew.core.guidance.objects import ShownRequest, read_request
from curfew.core.guidance.waiting import open_stages

_DONE = {"Approve": "approved", "Deny": "denied", "Cancel": "cancelled", "Revoke": "revoked"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the caller wants to decide."""

    decision: str
    reason: str
    is_sure: bool
    stage: str | None = None


def _options(*, needs_reason: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    text = "Why; the requester reads it, and it is recorded." + ("" if needs_reason else " A policy may require it.")

    def add(made: Callable[..., Any]) -> Callable[..., Any]:
        made = cluster_options()(made)
        made = click.option("-y", "--yes", is_flag=True, help="Decide without asking. Needed if nobody can be asked.")(
            made
        )
        made = click.option("--reason", default="", metavar="TEXT", help=text)(made)
        return click.argument("name", shell_complete=request_names)(made)

    return add


@click.command("approve")
@_options(needs_reason=False)
@click.option("--stage", metavar="STAGE", help="The stage of the policy. Default: the one that you may approve for.")
def approve(name: str, reason: str, *, yes: bool, stage: str | None, access: ClusterAccess) -> None:
    """Approve the request NAME, after showing who asks for what, what the role allows, what is risky, and until when.

    Only the request that was shown is approved: if somebody deletes it and makes another of the same name in the meantime,
    the API server refuses the approval. Nobody approves their own request.

    \b
    Example:
      kubectl curfew approve inc-4711 -n payments --reason "on call, I know of it"
    """  # noqa: D301  click's mark for lines that stay as they are
    _decide(access, name, _Wanted("Approve", reason, yes, stage))


@click.command("deny")
@_options(needs_reason=True)
def deny(name: str, reason: str, *, yes: bool, access: ClusterAccess) -> None:
    """Deny the request NAME, which waits for approval. A denied request is over."""
    _decide(access, name, _Wanted("Deny", _needed(reason), yes))


@click.command("cancel")
@_options(needs_reason=False)
def cancel(name: str, reason: str, *, yes: bool, access: ClusterAccess) -> None:
    """Withdraw your own request NAME; if it is active, its access ends at once."""
    _decide(access, name, _Wanted("Cancel", reason, yes))


@click.command("revoke")
@_options(needs_reason=True)
def revoke(name: str, reason: str, *, yes: bool, access: ClusterAccess) -> None:
    """End the access of the request NAME at once. `curfew lock` stops a person as a whole."""
    _decide(access, name, _Wanted("Revoke", _needed(reason), yes))


def _needed(reason: str) -> str:
    """Return the reason; ask for it on a terminal. Raise `click.UsageError` if nobody can be asked."""
    if reason.strip():
        return reason
    if not is_interactive():
        raise click.UsageError('a reason is missing; give it with --reason "…"')
    return str(click.prompt("Reason", err=True))


def _decide(access: ClusterAccess, name: str, wanted: _Wanted) -> None:
    try:
        request = access.request(name)
        if why_not := not_now(request, wanted.decision):
            told = f"request {request.name} cannot be {_DONE[wanted.decision]}: {why_not}"
            raise click.ClickException(printable(f"{told}.\nSee {command('show', request)}"))
        caller = access.kubectl.who_am_i()
        stage = _stage(access, request, wanted)
        _tell(access, request, wanted)
        _confirm(request, wanted, caller, stage)
        operations = patch(request, caller, wanted.decision, stage=stage, reason=wanted.reason)
        decided = _patched(access, request, operations)
    except KubectlFailed as error:
        raise failed(error) from None
    for_stage = f" for stage {stage}" if stage else ""
    say(f"Request {request.name} is {_DONE[wanted.decision]} by {caller}{for_stage}.")
    say(f"See what became of it: {command('show', decided)}")


def _tell(access: ClusterAccess, request: ShownRequest, wanted: _Wanted) -> None:
    tell_request(request, SystemClock().now())
    if wanted.decision != "Approve":
        return
    found = access.rules(request.role, request.namespace)
    tell_rules(found[1] if found is not None else None)
    if found is not None and _is_another(request, *found):
        labelled("Warning", "the role is not as it was when the request was accepted; Curfew will grant nothing")


def _is_another(request: ShownRequest, uid: str, rules: Any) -> bool:
    from curfew.audit.canonical import NotCanonical, digest  # only here: it is slow to load

    try:
        return (uid, digest(list(rules))) != (request.role.uid, request.role.rules_digest)
    except NotCanonical:
        return True


def _confirm(request: ShownRequest, wanted: _Wanted, caller: str, stage: str) -> None:
    """Ask the caller whether they are sure, unless they said so. Raise `click.UsageError` if nobody can be asked."""
    if wanted.is_sure:
        return
    if not is_interactive():
        raise click.UsageError("nobody can be asked whether you are sure; add --yes")
    for_stage = f" for stage {stage}" if stage else ""
    asked = printable(f"{wanted.decision} {request.name} as {caller}{for_stage}?")
    if not click.confirm(asked, default=False, err=True):
        raise click.ClickException("nothing was decided")


def _patched(access: ClusterAccess, request: ShownRequest, operations: list[dict[str, Any]]) -> ShownRequest:
    """Send the patch and return the request as it is then. A refusal is explained by how the request is now."""
    arguments = [
        "patch",
        REQUESTS,
        request.name,
        *access.within(request.namespace),
        "--subresource=status",
        "--type=json",
    ]
    try:
        return read_request(access.kubectl.read([*arguments, f"--patch={json.dumps(operations)}"]))
    except KubectlRefused as refusal:
        try:
            now = access.request(request.name)
        except KubectlFailed:
            raise refusal from None
        if now.uid != request.uid:
            another = f"nothing was decided: {request.name} is another request now, made after the one that was shown"
            raise failed(KubectlFailed(another), [f"Look at it: {command('show', now)}"]) from None
        if now.phase != request.phase:
            moved = f"nothing was decided: {request.name} is {now.phase} now"
            raise failed(KubectlFailed(moved), [f"Next: {next_step(now)}"]) from None
        raise


def _stage(access: ClusterAccess, request: ShownRequest, wanted: _Wanted) -> str:
    """Return the stage to approve for: the one that was named, or the only open one that the caller may approve for."""
    if wanted.decision != "Approve" or wanted.stage is not None:
        return wanted.stage or ""
    stages = [stage for stage in request.stages if stage]
    if not stages:
        return ""
    left = [stage for stage in open_stages(request) if stage] or stages
    answers = access.may([question(request.namespace, request.policy, APPROVE, stage) for stage in left])
    mine = [stage for stage, allowed in zip(left, answers, strict=True) if allowed]
    if len(mine) == 1:
        return mine[0]
    if not mine:
        return ""  # perhaps the caller may approve for any stage; the API server has the better words if not
    if not is_interactive():
        raise click.UsageError(f"you may approve for {' and '.join(mine)}; name one with --stage")
    return str(click.prompt("Stage", type=click.Choice(mine), err=True))

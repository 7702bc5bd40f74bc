"""`kubectl curfew request`: ask for access, and perhaps wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import click

from curfew.adapters.clock import SystemClock
from curfew.api.names import API_VERSION
from curfew.api.time_text import format_duration, format_time, parse_duration
from curfew.audit.wording import printable
from curfew.cli.kubectl import KubectlFailed
from curfew.cli.requests.access import POLICIES, ClusterAccess, cluster_options, failed, object_name
from curfew.cli.requests.names import policy_names
from curfew.cli.requests.output import is_interactive, say
from curfew.cli.requests.waiting import wait_for
from curfew.core.guidance.next_steps import command
from curfew.core.guidance.objects import ShownPolicy, ShownRequest, parts, read_policy, read_request
from curfew.core.guidance.times import TIME_FORMS, read_time

_LONGEST_PREFIX = (
    57  # characters of a generated name, to which the API server adds five; a request's name has at most 63
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What somebody asks for, as it was typed."""

    policy: str
    reason: str
    ticket: str
    length: str
    until: str
    begins: str
    name: str
    requester: str


@click.command("request")
@click.argument("policy", required=False, shell_complete=policy_names)
@click.option(
    "--role", default="", metavar="ROLE", help="Find the policy that offers this role, or check that POLICY does."
)
@click.option("--reason", default="", metavar="TEXT", help="Why; those who decide read it, and it is recorded.")
@click.option("--ticket", default="", metavar="ID", help="The ticket or incident. A policy may require it.")
@click.option("--for", "length", default="", metavar="DURATION", help="How long, such as 30m or 1h30m.")
@click.option("--until", default="", metavar="TIME", help=f"When it must end: {TIME_FORMS}.")
@click.option(
    "--from", "begins", default="", metavar="TIME", help="When it begins. Default: as soon as it is approved."
)
@click.option(
    "--name", default="", metavar="NAME", help="The name of the request. Default: the policy's and five characters."
)
@click.option("--on-behalf-of", "requester", default="", metavar="PERSON", help="Ask for somebody else, if you may.")
@click.option("--wait", is_flag=True, help="Wait until the access is there, or the request is over.")
@click.option("--timeout", default="", metavar="DURATION", help="With --wait: how long at most, such as 10m.")
@click.option("--dry-run", is_flag=True, help="Let the API server check the request, and make none.")
@cluster_options()
def request(
    policy: str | None, role: str, *, wait: bool, timeout: str, dry_run: bool, access: ClusterAccess, **typed: str
) -> None:
    """Ask for what POLICY offers. What is missing is asked for on a terminal.

    With --until alone, the access lasts until then; with --for and --until, the earlier end counts.

    \b
    Examples:
      kubectl curfew request debug --reason "payment workers crash-loop" --for 30m --wait
      kubectl curfew request --role payments-debug --reason "release" --from 20:00 --until 22:00 --in payments
    """  # noqa: D301  click's mark for lines that stay as they are
    seconds = _length("--timeout", timeout).total_seconds() if timeout else None
    if timeout and not wait:
        raise click.UsageError("--timeout is for --wait; add --wait")
    if (length := typed["length"]) and _length("--for", length) < timedelta(seconds=1):
        raise click.UsageError(f"--for {printable(length)} is no time at all; the shortest that Curfew grants is 1m")
    try:
        asked = _complete(access, _chosen(access, policy or "", role), _Asked(policy="", **typed))
        manifest = _manifest(asked, access.kubectl.who_am_i(), SystemClock().now())
        made = read_request(access.kubectl.create(manifest, dry_run=dry_run, options=access.within()))
        if dry_run:
            say(f"The API server would accept it: {_what(made)}. Nothing was made.")
            return
        say(f"AccessRequest {made.name} in namespace {made.namespace} is made: {_what(made)}.")
        if wait:
            wait_for(access, made, seconds)
            return
    except KubectlFailed as error:
        raise failed(error, _policies_if_missing(error)) from None
    say(f"Next: {command('show', made)}")


def _what(made: ShownRequest) -> str:
    return f"{made.requester} asks for {made.policy} for {made.duration}"


def _length(option: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise click.UsageError(f"{option} {printable(text)} is not a duration such as 30m or 1h30m") from None


def _time(option: str, text: str, now: datetime) -> datetime:
    try:
        return read_time(text, now)
    except ValueError:
        raise click.UsageError(f"{option} {printable(text)} is not {TIME_FORMS}") from None


def _chosen(access: ClusterAccess, policy: str, role: str) -> str:
    """Return the policy that is asked for: by its name, by the role that it offers, or by asking on a terminal."""
    if policy and not role:
        return object_name(policy)
    if not policy and not role and not is_interactive():
        raise click.UsageError("POLICY is missing; kubectl curfew explain lists them")
    offered = [read_policy(item) for item in parts(access.kubectl.read(["get", POLICIES, *access.within()]), "items")]
    fitting = [one for one in offered if not role or one.role.name == role]
    if policy:
        if policy not in [one.name for one in fitting]:
            raise click.UsageError(
                f"policy {printable(policy)} does not offer role {printable(role)}{_offering(fitting)}"
            )
        return object_name(policy)
    if len(fitting) == 1:
        return fitting[0].name
    if not fitting:
        raise KubectlFailed(
            f"there is no policy{f' for role {role}' if role else ''} in this namespace; give another with -n"
        )
    if not is_interactive():
        raise click.UsageError(f"name one of several policies{_offering(fitting)}")
    for one in fitting:
        click.echo(printable(f"{one.name}: {one.description or one.role}"), err=True)
    return str(click.prompt("Policy", type=click.Choice([one.name for one in fitting]), err=True))


def _offering(policies: Sequence[ShownPolicy]) -> str:
    return f": {', '.join(printable(one.name) for one in policies)}" if policies else ""


def _complete(access: ClusterAccess, policy: str, typed: _Asked) -> _Asked:
    """Return what is asked for with everything in it; a person at a terminal is asked for what is missing."""
    has_length = typed.length or typed.until
    if typed.reason.strip() and has_length and (typed.ticket or not is_interactive()):
        return _Asked(**{**_fields(typed), "policy": policy})
    if not is_interactive():
        missing = "a reason is missing" if has_length else "how long is missing"
        option = '--reason "…"' if has_length else "--for 30m, or --until with a time"
        raise click.UsageError(f"{missing}; give it with {option}")
    offer = access.policy(policy)
    fields = {**_fields(typed), "policy": policy}
    if not typed.reason.strip():
        fields["reason"] = str(click.prompt("Reason", err=True))
    if not typed.ticket and offer is not None and offer.ticket_required:
        form = f" ({printable(offer.ticket_pattern)})" if offer.ticket_pattern else ""
        fields["ticket"] = str(click.prompt(f"Ticket{form}", err=True))
    if not has_length:
        most = f" (at most {printable(offer.max_duration)})" if offer is not None and offer.max_duration else ""
        fields["length"] = str(click.prompt(f"For how long{most}", default="30m", err=True))
        _length("--for", fields["length"])
    return _Asked(**fields)


def _fields(asked: _Asked) -> dict[str, str]:
    return {name: getattr(asked, name) for name in asked.__slots__}


def _manifest(asked: _Asked, caller: str, now: datetime) -> dict[str, Any]:
    """Return the AccessRequest. Raise `click.UsageError` if its times do not fit together."""
    begins = _time("--from", asked.begins, now) if asked.begins else None
    until = _time("--until", asked.until, now) if asked.until else None
    length = _length("--for", asked.length) if asked.length else None
    if until is not None and length is None:
        length = timedelta(seconds=-(-(until - (begins or now)) // timedelta(seconds=1)))  # whole, rounded up
        if length < timedelta(seconds=1):
            raise click.UsageError(f"--until {printable(asked.until)} is not after the beginning")
    spec = {
        "policyName": asked.policy,
        "requester": asked.requester or caller,
        "submittedBy": caller,
        "duration": format_duration(length or timedelta()),
        "reason": asked.reason,
        **({"ticket": asked.ticket} if asked.ticket else {}),
        **({"notBefore": format_time(begins)} if begins is not None else {}),
        **({"notAfter": format_time(until)} if until is not None else {}),
    }
    named = {"name": asked.name} if asked.name else {"generateName": f"{asked.policy[:_LONGEST_PREFIX].rstrip('.-')}-"}
    return {"apiVersion": API_VERSION, "kind": "AccessRequest", "metadata": named, "spec": spec}


def _policies_if_missing(error: KubectlFailed) -> list[str]:
    return ["To see what you may ask for: kubectl curfew explain"] if "no such policy" in str(error) else []

"""What to do next: by the phase of a request, by the word for why it ended, and by what the API server refused."""

import re
import shlex
from collections.abc import Mapping
from typing import Final

from curfew.core.guidance.objects import ShownPolicy, ShownRequest

AGAIN: Final = "ask again with kubectl curfew request"

AFTER_END: Final[Mapping[str, str]] = {
    "PolicyNotFound": "kubectl curfew explain lists the policies; check the name, and ask again",
    "PolicyDeleted": "kubectl curfew explain lists the policies that are left",
    "PolicyInvalid": "tell the owner of the policy: one of its rules cannot be read",
    "RoleNotFound": "tell the owner of the policy: the role that it offers is not there",
    "RoleIsPermanent": "tell the owner of the policy: it offers a role with which access could be made permanent",
    "RequesterMayNotAsk": "ask the owner of the namespace for the verb request on this policy, under your own name",
    "RequesterNotAPerson": "ask as a person: service accounts get no access through Curfew",
    "DurationTooLong": "ask again for a shorter time (--for)",
    "StartTooFarAway": "ask again nearer to the start (--from)",
    "ReasonTooShort": "ask again with a longer --reason",
    "TicketMissing": "ask again with a --ticket",
    "TicketMalformed": "ask again with a --ticket of the right form",
    "LimitReached": "end a grant or cancel a request of yours (kubectl curfew list --mine), then ask again",
    "WithdrawnTooOften": "wait for the next hour, and ask again",
    "RequestUnreadable": "tell whoever runs Curfew: the API server stores requests that Curfew cannot read",
    "NameWasUsed": "ask again under another --name, or without one",
    "Locked": "ask the person who made the lock (curfew locks); nothing is granted until it is lifted",
    "SelfTest": "nothing: this is how Curfew tests its admission policies",
    "DeniedByApprover": "talk to the person who denied it; then ask again, with what was missing",
    "CancelledByRequester": AGAIN,
    "ReleasedByRequester": AGAIN,
    "RevokedByApprover": "talk to the person who revoked it before you ask again",
    "RequestDeleted": AGAIN,
    "NobodyDecided": "find an approver first (kubectl curfew explain shows who can approve), then ask again",
    "DurationElapsed": AGAIN + " if you need more time",
    "WindowElapsed": "ask again, with a later --until",
    "TermsChanged": "ask again: the policy or the role is another one now, so it has to be approved again",
    "CannotBind": "tell whoever runs Curfew: its chart does not let it bind this role here",
    "BindingConflict": "tell whoever runs Curfew: a RoleBinding is in the way",
    "ActivationInterrupted": AGAIN,
    "BindingTampered": "tell your security people, then ask again",
    "BindingRemoved": "somebody deleted the binding: find out why before you ask again",
    "BindingUnannounced": "tell your security people",
    "RoleChanged": "ask again: the role is another one now",
    "ExpiryMissing": "tell whoever runs Curfew, and ask again",
    "StoryClosed": "ask again: the cluster was set back to a time before the end of this request",
}
"""For each word of `status.endReason`."""

_DENIED = r"denied request: (.+)\Z"
_NO_RIGHT = r'cannot (\S+) resource "([^"]+)".*?(?: in the namespace "([^"]*)"|at the cluster scope|\Z)'


def command(verb: str, request: ShownRequest) -> str:
    """Return the command that does something with a request, to paste into a shell."""
    return f"kubectl curfew {verb} {shlex.quote(request.name)} -n {shlex.quote(request.namespace)}"


def request_command(policy: ShownPolicy) -> str:
    """Return the command that asks for what a policy offers."""
    ticket = " --ticket …" if policy.ticket_required else ""
    name, namespace = shlex.quote(policy.name), shlex.quote(policy.namespace)
    return f'kubectl curfew request {name} -n {namespace} --for 30m{ticket} --reason "…"'


def next_step(request: ShownRequest) -> str:
    """Return what to do next about a request."""
    if not request.is_open:
        return AFTER_END.get(request.end_reason, AGAIN)
    match request.phase:
        case "":
            return "if this does not change within a minute, Curfew is not running: tell whoever runs it"
        case "Pending":
            return f"an approver runs: {command('approve', request)}"
        case "Active":
            return f"when you are done: {command('cancel', request)}"
        case _:
            return f"to see it change: kubectl curfew watch -n {shlex.quote(request.namespace)}"


def why_refused(complaint: str) -> str:
    """Return what the API server refused without the names of admission policies, and the next step if one is known."""
    told = complaint.strip()
    if found := re.search(_DENIED, told, re.DOTALL):
        return found[1]
    if "doesn't have a resource type" in told or "no matches for kind" in told:
        return f"{told} Curfew is not installed in this cluster: check --context, or install the chart"
    if told.endswith("not found") and "accessrequests" in told:
        return f"{told}; kubectl curfew list shows the requests of a namespace, and -n names another"
    if told.endswith("(Forbidden): unknown"):
        return f"{told}: you may not even look at this cluster; with --as, you may not act as that person"
    if found := re.search(_NO_RIGHT, told, re.DOTALL):
        verb, resource, namespace = found.groups()
        where = f" in namespace {namespace}" if namespace else ""
        return (
            f"you have no right to {verb} {resource}{where}; examples/role.yaml of Curfew shows the rights that people need. "
            f"The API server wrote: {told}"
        )
    return told

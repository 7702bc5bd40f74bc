"""Whether our admission policies are in force, judged by the API server's answers to attempts that they must refuse."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from curfew.core.facts import EnforcementState
from curfew.core.probes import Attempt
from curfew.core.static_policies import SUFFIX

_LONGEST: Final = 300
"""Characters kept of the API server's message."""


class EnforcementReason(StrEnum):
    """The words for the state: in conditions, Events, metrics and logs."""

    ENFORCED = "Enforced"
    NOT_YET_PROBED = "NotYetProbed"
    NOT_ENFORCED = "NotEnforced"


def fault_shown(attempt: Attempt, refusal: str | None) -> str:
    """Return what is wrong with a policy, from the refusal of its attempt (None: not refused). Empty: it is in force."""
    if refusal is None:
        return f"{attempt.deed} was not refused"
    if _speaks(attempt.policy, refusal) or is_static(attempt, refusal):
        return ""
    return f"{attempt.deed} was refused by something else: {_short(refusal)}"


def is_static(attempt: Attempt, refusal: str | None) -> bool:
    """Whether the policy refused from a file of the API server, where nobody can take it away through the API."""
    return refusal is not None and _speaks(attempt.policy + SUFFIX, refusal)


def _speaks(policy: str, refusal: str) -> bool:
    return f"ValidatingAdmissionPolicy '{policy}' " in refusal


def cannot_be_tried(attempt: Attempt, error: str) -> str:
    """Return the fault of a policy that cannot be tried."""
    return f"{attempt.deed} could not be tried: {_short(error)}"


def judge_enforcement(
    policies: Collection[str],
    faults: Mapping[str, str],
    silence: str,
    before: EnforcementState | None,
    *,
    static: Collection[str] = (),
    now: datetime,
) -> EnforcementState:
    """Return the state of all policies. It keeps the `since` of the state before if the reason is the same.

    `faults` holds, for each policy with an answer, what is wrong with it; empty if nothing is. `silence` is why there was
    no answer for the others. `static` names the policies that are files of the API server.
    """
    wrong = {policy: fault for policy, fault in sorted(faults.items()) if fault}
    if wrong:
        reason, message = EnforcementReason.NOT_ENFORCED, _not_enforced(wrong)
    elif len(faults) < len(policies):
        why = f": {_short(silence)}" if silence else ""
        message = f"It is not known yet whether all admission policies are in force{why}."
        reason = EnforcementReason.NOT_YET_PROBED
    else:
        reason, message = EnforcementReason.ENFORCED, _enforced(len(static), len(policies))
    since = before.since if before is not None and before.reason == reason else now
    return EnforcementState(
        ok=reason is EnforcementReason.ENFORCED, reason=reason, message=message, since=since, policies=tuple(wrong)
    )


def _enforced(static: int, policies: int) -> str:
    """Return the sentence, with the form of the policies. A static policy is asked before one of the API."""
    said = "All admission policies are in force"
    if not static:
        return f"{said}."
    if static < policies:
        return f"{said}, {static} of {policies} from static manifests."
    return f"{said}, from static manifests: nobody can take them away through the API."


def _not_enforced(wrong: Mapping[str, str]) -> str:
    several = len(wrong) > 1
    found = "; ".join(f"{policy} ({fault})" for policy, fault in wrong.items())
    bindings = f"ValidatingAdmissionPolicyBinding{'s' if several else ''} {', '.join(wrong)}"
    return (
        f"Admission {'policies that are' if several else 'policy'} not in force: {found}. "
        f"Run helm upgrade curfew, or restore {bindings} with validationActions [Deny]. "
        f"If Helm reports that validationActions is invalid, delete {bindings} first."
    )


def _short(text: str) -> str:
    """Return the API server's message, cut to fit into a sentence and without its last full stop."""
    text = text.rstrip(". \n")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

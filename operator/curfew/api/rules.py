"""The API server's checks of our kinds beyond the shape of each field: CEL rules, each with its sentence.

They hold for everybody, including the operator and cluster administrators. They do not decide who may do what: the
admission policies of the chart do.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from curfew.api.access_request import Phase
from curfew.api.characters import (
    NAME,
    NOT_COMPOSED,
    UNSEEN_IN_A_LINE,
    UNSEEN_IN_NAMES,
    UNSEEN_IN_WORDS,
    VISIBLE,
)
from curfew.api.phases import PHASE_CHANGES


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL expression that must be true, and the message if it is not."""

    expression: str
    message: str
    field: str = ""  # the field that the refusal names, if it is one below

    def to_json(self) -> dict[str, Any]:
        """Return the rule as an item of x-kubernetes-validations."""
        path = {"fieldPath": self.field} if self.field else {}
        return {"rule": self.expression, "message": self.message, **path}


# Digits are bounded so that no duration overflows; nobody needs fractions or units below the second.
WHOLE: Final = "self.matches('^([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$') && self != ''"


def shows_as_written(name: str, *, lines: bool = False) -> tuple[Rule, ...]:
    """Return the rule for a text that people read before they decide: it has no hidden characters."""
    unseen = UNSEEN_IN_WORDS if lines else UNSEEN_IN_A_LINE
    return (
        Rule(f"!self.matches(r'{unseen}')", f"{name} must not have control characters, or other invisible characters"),
    )


def words(name: str, *, lines: bool = False) -> tuple[Rule, ...]:
    """Return the rules for free text that people write: some of it is visible, and nothing is hidden."""
    return (
        *shows_as_written(name, lines=lines),
        Rule(f"self.matches(r'{VISIBLE}')", f"{name} must have visible characters"),
    )


def identity(name: str) -> tuple[Rule, ...]:
    """Return the rules for the name of a person: a reader can tell it from every other name (promise P4)."""
    yours = "if you did not write it, it is the name that you are logged in with, and has to be changed there"
    return (
        Rule(
            f"self.matches(r'{NAME}') && !self.matches(r'{UNSEEN_IN_NAMES}')",
            f"{name} must be a name of visible and distinguishable characters, with single spaces between them; {yours}",
        ),
        Rule(
            f"!self.matches(r'{NOT_COMPOSED}')",
            f"{name} must be in Unicode normal form C, with each accent in one character with its letter; {yours}",
        ),
    )


NAME_IS_SHORT: Final = Rule("size(self.metadata.name) <= 63", "metadata.name must be at most 63 characters")


def duration_between(name: str, shortest: str, longest: str) -> tuple[Rule, ...]:
    """Return the rules for a duration with bounds; they are independent, so that each error gets its own sentence."""
    return (
        Rule(WHOLE, f"{name} must be a duration in whole hours, minutes and seconds, such as 45m or 1h30m"),
        Rule(
            f"!({WHOLE}) || (duration(self) >= duration('{shortest}') && duration(self) <= duration('{longest}'))",
            f"{name} must be between {shortest} and {longest}",
        ),
    )


def time_of_ours(name: str) -> tuple[Rule, ...]:
    """Return the rule for a time that people write."""
    return (
        Rule(
            "self >= timestamp('2020-01-01T00:00:00Z') && self < timestamp('2100-01-01T00:00:00Z')",
            f"{name} must be a time between the years 2020 and 2100, such as 2026-11-23T20:00:00Z",
        ),
    )


def phase_changes() -> str:
    """Return the expression, on the phase, that makes its changes follow the table of phases."""
    steps = [
        f"(oldSelf == '{phase}' && self in {_list(following)})"
        for phase, following in PHASE_CHANGES.items()
        if phase is not None and following
    ]
    return f"self == oldSelf || {' || '.join(steps)}"


def first_phase() -> str:
    """Return the expression, on the status, that makes it follow the table when it gets its first phase."""
    return f"has(oldSelf.phase) || !has(self.phase) || self.phase in {_list(PHASE_CHANGES[None])}"


def _list(phases: Iterable[Phase]) -> str:
    quoted = ", ".join(f"'{phase}'" for phase in sorted(phases))
    return f"[{quoted}]"


def _never_removed(*fields: str) -> str:
    return " && ".join(f"(has(self.{field}) || !has(oldSelf.{field}))" for field in fields)


LASTING: Final = ("expiresAt", "decideBy", "decidedAt", "startsAt", "grantedAt", "endedAt", "endReason", "grant")
FIXED: Final = ("grantedAt", "endedAt", "countedIn", "countedWithOthers")
PINNED: Final = "terms are pinned once and never changed"

POLICY_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "": (NAME_IS_SHORT,),
    "spec.description": shows_as_written("description", lines=True),
    "spec.maxDuration": duration_between("maxDuration", "1m", "744h"),
    "spec.decideWithin": duration_between("decideWithin", "1m", "168h"),
    "spec.maxLeadTime": duration_between("maxLeadTime", "1m", "8760h"),
    "spec.ticket.pattern": (
        # A pattern that does not compile makes the expression fail; `||` would hide the failure, `in` does not.
        Rule("''.matches(self) in [true, false]", "ticket.pattern must be a regular expression in RE2 syntax"),
    ),
    "spec.approval.groups[]": identity("groups"),
    "spec.approval.stages[].groups[]": identity("groups"),
    "spec.approval": (
        Rule(
            "self.mode == 'Review' || !has(self.stages) || size(self.stages) == 0",
            "approval.stages are for mode Review; no other mode asks people before it grants",
            ".stages",
        ),
        Rule(
            "self.mode == 'BreakGlass' || !has(self.whenNotRecorded) || self.whenNotRecorded == 'Wait'",
            "approval.whenNotRecorded: Grant is for mode BreakGlass; every other grant waits for its record",
            ".whenNotRecorded",
        ),
        # A person with all rights on accesspolicies/status could approve a stage of that name; no other name has this
        # problem.
        Rule(
            "!has(self.stages) || self.stages.all(s, s.name != 'status')",
            "a stage cannot be named status: that is where Curfew writes what it finds",
            ".stages",
        ),
        Rule(
            "!has(self.stages) || size(self.stages) == 0 || !has(self.groups) || size(self.groups) == 0",
            "approval.groups is for policies without stages; each stage has groups of its own",
            ".groups",
        ),
        Rule(
            "self.mode != 'Automatic' || !has(self.groups) || size(self.groups) == 0",
            "approval.groups is about those who approve; mode Automatic asks nobody",
            ".groups",
        ),
        Rule(
            "!has(self.stages) || self.stages.map(s, s.count).sum() <= 10",
            "all stages together may ask for at most 10 approvals",
            ".stages",
        ),
        # A request's status holds all these names, and has to stay small enough to be written.
        Rule(
            "!has(self.stages) || self.stages.map(s, has(s.groups) ? s.groups.map(g, size(g)).sum() : 0).sum() <= 4096",
            "the names of all stages' groups together may have at most 4096 characters",
            ".stages",
        ),
    ),
}
"""The rules of an AccessPolicy, by the path of the field that they check."""

REQUEST_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "": (
        NAME_IS_SHORT,
        # A rule on status itself is not evaluated when status is added or removed. Its default puts an empty one there.
        Rule("!has(oldSelf.status) || has(self.status)", "status cannot be removed"),
    ),
    # On spec as a whole: rules on optional fields are not evaluated when the field is added or removed.
    "spec": (
        Rule("self == oldSelf", "spec is immutable; create a new AccessRequest"),
        Rule(
            "!has(self.notBefore) || !has(self.notAfter) || self.notBefore < self.notAfter",
            "notAfter must be after notBefore",
            ".notAfter",
        ),
    ),
    "spec.policyName": shows_as_written("policyName"),
    "spec.requester": identity("requester"),
    "spec.submittedBy": identity("submittedBy"),
    "spec.reason": words("reason", lines=True),
    "spec.ticket": words("ticket"),
    "spec.duration": duration_between("duration", "1m", "744h"),
    "spec.notBefore": time_of_ours("notBefore"),
    "spec.notAfter": time_of_ours("notAfter"),
    "status.decisions[].by": identity("by"),
    "status.decisions[].stage": shows_as_written("stage"),
    "status.decisions[].reason": shows_as_written("reason", lines=True),
    # Each look at a field of status costs the API server a map of all its fields, at every write of a request. So rules about
    # one field stand on the field. They are not evaluated when it is added or removed, which is said of status as a whole.
    "status": (
        Rule(first_phase(), "a request begins as Pending or Failed", ".phase"),
        Rule(_never_removed("phase"), "phase cannot be rewound", ".phase"),
        Rule("has(self.expiresAt) || !has(self.phase) || self.phase != 'Active'", "Active needs expiresAt", ".phase"),
        Rule(_never_removed("decisions"), "decisions are append-only", ".decisions"),
        Rule(_never_removed("reviews"), "a review keeps its place and its time", ".reviews"),
        Rule(_never_removed("terms"), PINNED, ".terms"),
        Rule(_never_removed(*LASTING), f"{', '.join(LASTING)} cannot be removed"),
        Rule(
            "!has(self.countedIn) || (has(self.phase) && self.phase == 'Failed' && !has(self.terms))",
            "only a request that was refused is counted",
            ".countedIn",
        ),
        Rule(
            f"has(self.countedIn) ? (has(oldSelf.countedIn) ? {_never_removed('countedWithOthers')} : !has(oldSelf.phase)) "
            ": !has(oldSelf.countedIn)",
            "a request is counted when it is refused, or never",
            ".countedIn",
        ),
    ),
    "status.phase": (Rule(phase_changes(), "phase cannot be rewound"),),
    "status.decisions": (Rule("oldSelf.all(o, self.exists(n, n == o))", "decisions are append-only"),),
    "status.reviews": (
        Rule(
            "oldSelf.all(o, self.exists(n, n.by == o.by && n.decision == o.decision && n.seenAt == o.seenAt))",
            "a review keeps its place and its time",
        ),
    ),
    "status.terms": (Rule("self == oldSelf", PINNED),),
    "status.expiresAt": (Rule("self <= oldSelf", "expiresAt can never be extended"),),
    **{f"status.{field}": (Rule("self == oldSelf", f"{field} cannot be changed"),) for field in FIXED},
}
"""The rules of an AccessRequest, by the path of the field that they check."""

RESPONSE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "": (NAME_IS_SHORT,),
    "spec": (
        Rule("self == oldSelf", "spec is immutable; create a new AlertResponse"),
        Rule("(self.action == 'Resolve') == has(self.alert)", "alert is needed with Resolve, and only then", ".alert"),
        Rule(
            "(self.action == 'Silence') == has(self.endsAt)", "endsAt is needed with Silence, and only then", ".endsAt"
        ),
        Rule(
            "(self.action == 'Silence') == "
            "(has(self.detector) || has(self.person) || has(self.policy) || has(self.namespace))",
            "Silence needs at least one of detector, person, policy and namespace; Resolve has none of them",
        ),
        Rule("!has(self.policy) || has(self.namespace)", "policy needs namespace, in which the policy is", ".policy"),
        Rule(
            "!has(self.person) || self.person != self.submittedBy",
            "nobody can silence alerts about themselves",
            ".person",
        ),
    ),
    "spec.person": identity("person"),
    "spec.submittedBy": identity("submittedBy"),
    "spec.reason": words("reason", lines=True),
    "spec.endsAt": time_of_ours("endsAt"),
}
"""The rules of an AlertResponse, by the path of the field that they check."""

LOCK_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    # On spec as a whole: rules on optional fields are not evaluated when the field is added or removed.
    "spec": (
        Rule(
            "self.target == oldSelf.target && self.reason == oldSelf.reason && self.submittedBy == oldSelf.submittedBy",
            "only endsAt can be changed; delete this AccessLock and create a new one",
        ),
        Rule(
            "!has(oldSelf.endsAt) || (has(self.endsAt) && self.endsAt <= oldSelf.endsAt)",
            "endsAt can be brought closer, and never put off or removed; create another AccessLock to lock for longer",
            ".endsAt",
        ),
    ),
    "spec.target": (
        Rule(
            "[has(self.person), has(self.policy), has(self.namespace), has(self.everything)].filter(given, given).size() "
            "== 1",
            "target must be exactly one of person, policy, namespace and everything",
        ),
        Rule("!has(self.everything) || self.everything", "everything can only be true", ".everything"),
    ),
    "spec.target.person": identity("person"),
    "spec.submittedBy": identity("submittedBy"),
    "spec.reason": words("reason", lines=True),
    "spec.endsAt": time_of_ours("endsAt"),
}
"""The rules of an AccessLock, by the path of the field that they check."""

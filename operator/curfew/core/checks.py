"""The rules that a request must keep. Each is a small function named after its violation; the lists read as the policy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import re2

from curfew.api.access_policy import AccessPolicy, Mode
from curfew.api.access_request import RightBy
from curfew.api.characters import visible
from curfew.api.meta import shortened
from curfew.api.names import is_self_test
from curfew.api.times import format_duration, format_time
from curfew.core import locks, window
from curfew.core.counting import HOUR, hour_of
from curfew.core.facts import Facts
from curfew.core.locked_out import lock_on_approver
from curfew.core.reasons import Reason
from curfew.core.refused_or_withdrawn import WITHDRAWALS
from curfew.core.risk import explain, permanent, risks
from curfew.core.terms import ROLE_BYTES, Role, difference, pin


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong: a reason, and a sentence that also says what would be right."""

    reason: Reason
    message: str


Check = Callable[[Facts], Violation | None]


def it_is_the_self_test(facts: Facts) -> Violation | None:
    """Curfew made the request itself, to try changes on it that the admission policies must refuse."""
    meta = facts.request.metadata
    if not is_self_test(meta.namespace, meta.name, facts.request.spec.submitted_by):
        return None
    return Violation(Reason.SELF_TEST, "this is Curfew's self-test: it asks for nothing and fails on purpose")


def policy_is_missing(facts: Facts) -> Violation | None:
    """The policy that the request names does not exist in its namespace."""
    if facts.policy is not None:
        return None
    name, namespace = facts.request.spec.policy_name, facts.request.metadata.namespace
    return Violation(
        Reason.POLICY_NOT_FOUND,
        f"there is no AccessPolicy {name} in namespace {namespace}; "
        f"kubectl get accesspolicies -n {namespace} lists those that can be asked for",
    )


def role_is_missing(facts: Facts) -> Violation | None:
    """The role that the policy offers does not exist."""
    if facts.policy is None or facts.role is not None:
        return None
    ref = facts.policy.spec.role_ref
    return Violation(
        Reason.ROLE_NOT_FOUND,
        f"AccessPolicy {facts.policy.metadata.name} offers {ref.kind} {ref.name}, which does not exist or is larger than "
        f"{ROLE_BYTES // 1024} KiB; create it, or ask the owner of the policy to name one that can be read",
    )


def role_is_permanent(facts: Facts) -> Violation | None:
    """The role allows making access that outlives the grant, and the policy does not say that this is intended."""
    if facts.policy is None or facts.role is None:
        return None
    message = permanence(facts.policy, facts.role)
    return Violation(Reason.ROLE_IS_PERMANENT, message) if message is not None else None


def role_cannot_be_bound(facts: Facts) -> Violation | None:
    """Curfew was not given the role by name in this namespace."""
    if facts.policy is None or facts.rights is None or facts.rights.curfew_may_bind:
        return None
    ref = facts.policy.spec.role_ref
    return Violation(Reason.CANNOT_BIND, not_given(str(ref.kind), ref.name, facts.request.metadata.namespace))


def it_is_locked(facts: Facts) -> Violation | None:
    """A lock covers the person, the policy, the namespace or everything. The self-test has an answer of its own."""
    if facts.lock is None or it_is_the_self_test(facts) is not None:
        return None
    return Violation(Reason.LOCKED, locks.sentence(facts.lock))


def an_approver_is_locked(facts: Facts) -> Violation | None:
    """Somebody approved the request and was locked since: the approval may be an intruder's."""
    found = lock_on_approver(facts)
    if found is None:
        return None
    by, lock = found
    return Violation(Reason.LOCKED, f"{shortened(by, 128)} approved it, and {locks.sentence(lock)}")


JUST_ASKED = timedelta(seconds=5)
"""How long after a request's creation its right is not checked again: an API server may learn of a binding late.

For as long, a yes about one request of a person counts for the others under the same policy (decision 0098)."""


def needs_right_by_name(facts: Facts) -> bool:
    """Whether the requester must have the right to ask by their own name (decision 0059).

    The API server lets in people who ask for themselves. If their right is by name, it must not be lost before the grant.
    """
    request = facts.request
    terms, spec, created = request.status.terms, request.spec, request.metadata.creation_timestamp
    if spec.submitted_by != spec.requester:
        return True
    was_just_asked = created is not None and facts.now < created + JUST_ASKED
    return terms is not None and terms.right is RightBy.NAME and not was_just_asked


def requester_may_not_ask(facts: Facts) -> Violation | None:
    """The requester has no right of their own to ask for the policy, or has lost that right since (promises P4 and P5)."""
    request = facts.request
    if not needs_right_by_name(facts) or (facts.rights is not None and facts.rights.requester_may_ask):
        return None
    if request.spec.submitted_by == request.spec.requester:
        return Violation(
            Reason.REQUESTER_MAY_NOT_ASK,
            f"{request.spec.requester} no longer has the verb request on accesspolicies/{request.spec.policy_name}, "
            "which they had when the request was accepted; grant the verb again and apply a new AccessRequest",
        )
    return Violation(
        Reason.REQUESTER_MAY_NOT_ASK,
        f"{request.spec.submitted_by} asks on behalf of {request.spec.requester}, who needs the verb request on "
        f"accesspolicies/{request.spec.policy_name} through a binding to their own name (Curfew does not know the "
        "groups of somebody who does not make the call)",
    )


def requester_is_not_a_person(facts: Facts) -> Violation | None:
    """A grant would go to a service account or to the system itself."""
    requester = facts.request.spec.requester
    if not requester.startswith("system:"):
        return None
    return Violation(Reason.REQUESTER_NOT_A_PERSON, f"only people may hold a grant; {requester} is not a person")


def duration_is_too_long(facts: Facts) -> Violation | None:
    """The request asks for longer than the policy, or this Curfew, allows."""
    asked = facts.request.spec.duration
    if facts.policy is not None and asked > facts.policy.spec.max_duration:
        allowed, by = facts.policy.spec.max_duration, f"AccessPolicy {facts.policy.metadata.name}"
    elif asked > facts.max_grant:
        allowed, by = facts.max_grant, "the settings of this Curfew (limits.maxGrant)"
    else:
        return None
    return Violation(
        Reason.DURATION_TOO_LONG,
        f"spec.duration asks for {format_duration(asked)}; {by} allows at most {format_duration(allowed)}",
    )


def start_is_too_far_away(facts: Facts) -> Violation | None:
    """The access would begin so late that what is approved today may mean something else by then."""
    starts, created = facts.request.spec.not_before, facts.request.metadata.creation_timestamp or facts.now
    if facts.policy is None or starts is None or starts <= created + facts.policy.spec.max_lead_time:
        return None
    return Violation(
        Reason.START_TOO_FAR_AWAY,
        f"spec.notBefore is more than {format_duration(facts.policy.spec.max_lead_time)} away, the maxLeadTime of "
        f"AccessPolicy {facts.policy.metadata.name}; apply the request again nearer to its start",
    )


def window_is_over(facts: Facts) -> Violation | None:
    """The time in which the access was asked for is over."""
    if facts.request.spec.not_after is None or not window.is_over(facts.request, facts.now):
        return None
    return Violation(
        Reason.WINDOW_ELAPSED,
        f"spec.notAfter, {format_time(facts.request.spec.not_after)}, has passed: no time is left for the grant; "
        "apply a new AccessRequest",
    )


def reason_is_too_short(facts: Facts) -> Violation | None:
    """The reason is shorter than the policy requires."""
    if facts.policy is None:
        return None
    needed, given = facts.policy.spec.reason.min_length, visible(facts.request.spec.reason)
    if given >= needed:
        return None
    return Violation(
        Reason.REASON_TOO_SHORT,
        f"spec.reason has {given} visible characters; AccessPolicy {facts.policy.metadata.name} requires at least {needed}",
    )


def ticket_is_missing(facts: Facts) -> Violation | None:
    """The policy requires a ticket and there is none."""
    if facts.policy is None or not facts.policy.spec.ticket.required or facts.request.spec.ticket:
        return None
    pattern = facts.policy.spec.ticket.pattern
    form = f" of the form {pattern}" if pattern else ""
    return Violation(
        Reason.TICKET_MISSING,
        f"spec.ticket is missing; AccessPolicy {facts.policy.metadata.name} requires a ticket{form}",
    )


def ticket_is_malformed(facts: Facts) -> Violation | None:
    """The ticket does not match the pattern of the policy, or the pattern itself cannot be read."""
    ticket = facts.request.spec.ticket
    if facts.policy is None or not ticket or not facts.policy.spec.ticket.pattern:
        return None
    pattern, name = facts.policy.spec.ticket.pattern, facts.policy.metadata.name
    # RE2 takes linear time for every pattern, so that no policy can stall everybody else's requests.
    compiled = compile_pattern(pattern)
    if compiled is None:
        return Violation(
            Reason.POLICY_INVALID,
            f"spec.ticket.pattern of AccessPolicy {name} is not a regular expression in RE2 syntax: {pattern}",
        )
    if compiled.fullmatch(ticket):
        return None
    return Violation(
        Reason.TICKET_MALFORMED, f"spec.ticket {ticket} is not of the form {pattern} that AccessPolicy {name} requires"
    )


def too_many_are_pending(facts: Facts) -> Violation | None:
    """The person has as many requests waiting as the policy allows."""
    if facts.policy is None or facts.rivals.pending < facts.policy.spec.limits.pending_per_requester:
        return None
    return Violation(
        Reason.LIMIT_REACHED,
        f"{facts.request.spec.requester} already has {facts.rivals.pending} requests waiting under AccessPolicy "
        f"{facts.policy.metadata.name}, which allows {facts.policy.spec.limits.pending_per_requester}; cancel one first",
    )


def policy_was_deleted(facts: Facts) -> Violation | None:
    """The policy was deleted after the request was accepted."""
    if facts.policy is not None:
        return None
    return Violation(
        Reason.POLICY_DELETED,
        f"AccessPolicy {facts.request.spec.policy_name} was deleted before the grant was made; nothing is granted",
    )


def policy_was_changed(facts: Facts) -> Violation | None:
    """The policy is not the one that was pinned. This check does not need the role."""
    pinned = facts.request.status.terms
    if facts.policy is None or pinned is None:
        return None
    meta = facts.policy.metadata
    if (meta.uid, meta.generation) == (pinned.policy.uid, pinned.policy.generation):
        return None
    how = "changed" if meta.uid == pinned.policy.uid else "deleted and created again"
    return Violation(
        Reason.TERMS_CHANGED,
        f"AccessPolicy {meta.name} was {how} after the request was accepted; apply a new AccessRequest under the new terms",
    )


def role_was_deleted(facts: Facts) -> Violation | None:
    """The role that was pinned is gone. A new role with the same name is a different role."""
    pinned = facts.request.status.terms
    if pinned is None or facts.role is not None:
        return None
    return Violation(
        Reason.TERMS_CHANGED,
        f"{pinned.role.kind} {pinned.role.name} was deleted, or made larger than {ROLE_BYTES // 1024} KiB, after the "
        "request was accepted; nothing is granted",
    )


def terms_have_changed(facts: Facts) -> Violation | None:
    """Request, policy or role differ from what was pinned (promise P5)."""
    pinned = facts.request.status.terms
    if pinned is None:
        return Violation(Reason.TERMS_CHANGED, "the request has no pinned terms, so nothing can be granted")
    if facts.policy is None or facts.role is None:
        return None
    changed = difference(pinned, pin(facts.request, facts.policy, facts.role))
    if changed is None:
        return None
    return Violation(
        Reason.TERMS_CHANGED,
        f"{changed}, after the request was accepted; apply a new AccessRequest under the new terms",
    )


def too_many_were_withdrawn(facts: Facts) -> Violation | None:
    """The person has withdrawn so many requests in this hour that the log would fill with requests that lead to nothing.

    A broken glass is granted at once and cannot be withdrawn, so it is never refused for this.
    """
    if facts.withdrawn < WITHDRAWALS or facts.policy is None or facts.policy.spec.approval.mode is Mode.BREAK_GLASS:
        return None
    return Violation(
        Reason.WITHDRAWN_TOO_OFTEN,
        f"{facts.withdrawn} requests of {facts.request.spec.requester} in {facts.request.metadata.namespace} were cancelled "
        f"or deleted in this hour before anything was granted; ask again after {format_time(hour_of(facts.now) + HOUR)}",
    )


LIMITS: tuple[Check, ...] = (it_is_locked, too_many_are_pending, too_many_were_withdrawn)
"""What must hold before anything is read for a request."""


def name_was_used(facts: Facts) -> Violation | None:
    """An earlier request had the name, and the policy accepts each name only once."""
    if facts.name is None or facts.name.problem or facts.policy is None:
        return None
    if facts.name.holder == facts.request.metadata.uid:
        return None
    first = f"request {facts.name.holder}" if facts.name.holder else "an earlier request"
    return Violation(
        Reason.NAME_WAS_USED,
        f"the name {facts.request.metadata.name} was used by {first}; AccessPolicy {facts.policy.metadata.name} "
        "accepts each name only once (limits.oncePerName); apply the request under another name",
    )


ACCEPTANCE: tuple[Check, ...] = (
    it_is_the_self_test,
    policy_is_missing,  # somebody must offer it
    role_is_missing,  # and what is offered must exist
    role_is_permanent,  # and must not outlive the grant, unless that is intended
    role_cannot_be_bound,
    requester_is_not_a_person,
    requester_may_not_ask,
    duration_is_too_long,
    start_is_too_far_away,
    window_is_over,
    reason_is_too_short,
    ticket_is_missing,
    ticket_is_malformed,
    name_was_used,
)
"""What must also hold before a request is shown to anybody for approval."""

STANDING: tuple[Check, ...] = (
    it_is_locked,
    an_approver_is_locked,
    policy_was_deleted,
    policy_was_changed,
    window_is_over,
)
"""What must still hold while people decide."""

GRANT: tuple[Check, ...] = (
    policy_was_deleted,
    role_was_deleted,
    terms_have_changed,  # what was approved is what is granted
    requester_is_not_a_person,
    requester_may_not_ask,
    duration_is_too_long,
)
"""What must hold at the moment of the grant."""

ANNOUNCEMENT = tuple(check for check in GRANT if check is not requester_may_not_ask)
"""What must hold before a grant is announced: what is known without a read."""


def first_violation(checks: Sequence[Check], facts: Facts) -> Violation | None:
    """Return the first violation, or None. An empty list of rules is itself a violation (promise P8)."""
    if not checks:
        return Violation(Reason.POLICY_INVALID, "there are no rules to keep: nothing may be granted")
    return next((violation for check in checks if (violation := check(facts)) is not None), None)


def not_given(kind: str, name: str, namespace: str) -> str:
    """Return the sentence about a role that Curfew may not bind."""
    return (
        f"Curfew may not bind {kind} {name} in namespace {namespace}; "
        "add both to the values roles and namespaces of its chart"
    )


def permanence(policy: AccessPolicy, role: Role) -> str | None:
    """Return in words why a policy may not offer a role that allows making access permanent, or None."""
    words = permanent(risks(role.rules))
    if not words or policy.spec.allow_permanence:
        return None
    return (
        f"with {role.kind} {role.name}, a person could create access that outlives the grant: {explain(words)}; offer "
        "a smaller role, or set spec.allowPermanence: true if that is intended"
    )


def compile_pattern(pattern: str) -> "re2._Regexp | None":
    """Compile a regular expression in RE2 syntax, or return None if it cannot be read."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None

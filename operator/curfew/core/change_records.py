"""The records of a transition, and the sentences that its Kubernetes Event also contains.

A function that yields records can be named in a row of `core/change_table.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from curfew.api.access_request import DecisionKind, Phase
from curfew.api.times import format_duration, format_time
from curfew.audit.record import Record, make_record
from curfew.core import wording
from curfew.core.announcing import approved
from curfew.core.approval import owes_review, tally
from curfew.core.change import Change
from curfew.core.lifecycle import Event
from curfew.core.locked_out import counting
from curfew.core.reasons import Reason
from curfew.core.reviews import closed
from curfew.core.stories import role_changed

NOT_MADE = "grant.activation_failed"
"""The record of a grant that was announced, or promised, but not made."""

Records = Callable[[Change], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class OneRecord:
    """One record whose sentence is the detail of the transition, after `before`."""

    event: str
    before: str = ""
    by: tuple[DecisionKind, ...] = ()  # one of these decisions caused it; if empty, Curfew acted by itself
    success: bool = True

    def __call__(self, change: Change) -> Iterator[Record]:
        """Yield the record."""
        yield change.record(
            self.event, f"{self.before}{change.detail}", actor=change.decider(*self.by), success=self.success
        )


def created(change: Change) -> Iterator[Record]:
    """Yield the record that somebody asks for access."""
    request, spec = change.facts.request, change.facts.request.spec
    yield make_record(
        "request.created",
        at=request.metadata.creation_timestamp or change.facts.now,
        actor=spec.submitted_by,
        message=created_sentence(change),
        story=change.story(),
    )


def accepted(change: Change) -> Iterator[Record]:
    """Yield the record that a request was accepted: how many people have to agree in which stages, and what is risky."""
    assert change.facts.policy is not None  # noqa: S101  ACCEPT needs a policy
    approval = change.facts.policy.spec.approval
    count = tally(approval, counting(change.facts))
    risk = change.terms.risk if change.terms is not None else ()
    told = {
        "needed": count.needed,
        "stages": [stage for stage in count.missing if stage],
        "reason_length": approval.reason.min_length if approval.reason is not None and count.needed else 0,
        "risk": list(risk),
    }
    known = {name: value for name, value in told.items() if value}
    yield change.record("request.accepted", accepted_sentence(change), detail=known)


def agreed(change: Change) -> Iterator[Record]:
    """Yield the record that enough people agreed, unless it was written when the request became Approved."""
    if change.facts.request.status.phase is Phase.PENDING:
        yield approved(change.facts, change.reviews)


def activated(change: Change) -> Iterator[Record]:
    """Yield the record that somebody holds the access."""
    yield change.record("grant.activated", active_sentence(change))


def expired(change: Change) -> Iterator[Record]:
    """Yield the record that the access ended with its window, and how late."""
    expires_at, ended_at = change.facts.request.status.expires_at, change.ended_at
    detail = {}
    if expires_at is not None and ended_at is not None:
        detail["late_ms"] = max(0, round((ended_at - expires_at).total_seconds() * 1000))
    yield change.record("grant.expired", change.detail, detail=detail)


def revoked(change: Change) -> Iterator[Record]:
    """Yield the record that the access was ended early, after the records of what was found before that."""
    for told in _REVOKED.get(change.reason, (OneRecord("grant.revoked"),)):
        yield from told(change)


def closing(change: Change) -> Iterator[Record]:
    """Yield the records of every end: that a grant was announced but not made, and that the story is complete."""
    was_active = change.facts.request.status.phase is Phase.ACTIVE
    if change.facts.intent is not None and not was_active and change.event is not Event.FAIL:  # FAIL records it itself
        yield change.record(NOT_MADE, "it was over before the grant was made", success=False)
    if not owes_review(counting(change.facts)):  # a broken glass is closed by its review
        yield closed(change.facts, change.reviews, str(change.phase), change.story())


def _role_changed(change: Change) -> Iterator[Record]:
    seen = change.facts.role_seen
    yield role_changed(change.facts, change.detail, seen.rules_digest if seen is not None else "")


_DRIFTED = OneRecord("grant.drifted", success=False)
_WAS_ENDED = OneRecord("grant.revoked", "the access was ended: ")

_REVOKED: Mapping[Reason | None, tuple[Records, ...]] = {
    Reason.BINDING_REMOVED: (OneRecord("grant.binding_removed"),),
    Reason.BINDING_TAMPERED: (_DRIFTED, _WAS_ENDED),
    Reason.EXPIRY_MISSING: (_DRIFTED, _WAS_ENDED),
    Reason.BINDING_UNANNOUNCED: (_DRIFTED, _WAS_ENDED),
    Reason.ROLE_CHANGED: (_role_changed, _WAS_ENDED),
    Reason.ROLE_IS_PERMANENT: (_role_changed, _WAS_ENDED),
    # A no may race the binding.
    Reason.REVOKED_BY_APPROVER: (OneRecord("grant.revoked", by=(DecisionKind.REVOKE, DecisionKind.DENY)),),
    Reason.RELEASED_BY_REQUESTER: (OneRecord("grant.revoked", by=(DecisionKind.CANCEL,)),),
}


def created_sentence(change: Change) -> str:
    """Return who asks for what, for how long and why."""
    request, spec = change.facts.request, change.facts.request.spec
    ticket = f" (ticket {spec.ticket})" if spec.ticket else ""
    return (
        f"{spec.requester} asks for AccessPolicy {spec.policy_name} in {request.metadata.namespace} "
        f"for {format_duration(spec.duration)}: {spec.reason}{ticket}"
    )


def accepted_sentence(change: Change) -> str:
    """Return how many people have to agree to a request that was accepted."""
    assert change.facts.policy is not None  # noqa: S101  ACCEPT needs a policy
    count = tally(change.facts.policy.spec.approval, counting(change.facts))
    if not count.needed:
        return "it was accepted; its policy grants without review"
    stages = ", ".join(stage for stage in count.missing if stage)
    return f"it was accepted and needs {count.needed} to agree" + (f" (stages {stages})" if stages else "")


def active_sentence(change: Change) -> str:
    """Return who holds what, and until when."""
    request, binding = change.facts.request, change.binding
    until = format_time(binding.expires_at) if binding is not None and binding.expires_at is not None else "?"
    return f"{request.spec.requester} holds {wording.role(request)} in {request.metadata.namespace} until {until}"

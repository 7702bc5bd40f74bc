"""Who has agreed, and whether that is enough.

A person counts once over all stages. People are counted, never groups; with `>=`, never `==` (promises P4 and P8).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from curfew.api.access_policy import Approval, Mode
from curfew.api.access_request import AccessRequest, Decision, DecisionKind
from curfew.api.characters import person, visible
from curfew.core.reasons import Reason


@dataclass(frozen=True, slots=True)
class ApprovalTally:
    """How many people have agreed, out of those that a policy asks for."""

    given: int
    needed: int
    missing: tuple[str, ...]  # the stages that are not filled; ("",) for a policy without stages

    @property
    def is_complete(self) -> bool:
        """Whether enough people have agreed."""
        return not self.missing

    def __str__(self) -> str:
        return f"{self.given}/{self.needed}"


def tally(approval: Approval, request: AccessRequest) -> ApprovalTally:
    """Count the people who agreed. Nobody has to only in the modes Automatic and BreakGlass."""
    if approval.mode in (Mode.AUTOMATIC, Mode.BREAK_GLASS):
        return ApprovalTally(given=0, needed=0, missing=())
    needed = {stage.name: stage.count for stage in approval.stages} or {"": approval.count}
    people = [
        decision
        for decision in _approvers(request)
        if has_reason(approval, decision) and not was_locked_out(request, decision)
    ]
    short: list[str] = []
    given = 0
    # Approvers who named a stage fill that stage. The others may agree to any: they fill the rest, in the policy's order.
    anywhere = sum(1 for decision in people if not decision.stage and approval.stages)
    for name, count in needed.items():
        named = sum(1 for decision in people if (decision.stage or "") == name)
        filled = min(named, count)
        from_anywhere = min(anywhere, count - filled)
        anywhere -= from_anywhere
        given += filled + from_anywhere
        if filled + from_anywhere < count:
            short.append(name)
    return ApprovalTally(given=given, needed=sum(needed.values()), missing=tuple(short))


def has_reason(approval: Approval, decision: Decision) -> bool:
    """Whether a decision gives the reason that the policy asks for, if it asks for one."""
    return approval.reason is None or visible(decision.reason or "") >= approval.reason.min_length


def was_locked_out(request: AccessRequest, decision: Decision) -> bool:
    """Whether a decision was refused because its author was locked when it was first seen. It never counts."""
    return any(
        review.effect == Reason.LOCKED and (review.by, review.decision) == (decision.by, decision.decision)
        for review in request.status.reviews
    )


def is_involved(request: AccessRequest, name: str) -> bool:
    """Whether a name, in any spelling, belongs to somebody who made the request (promise P4)."""
    return person(name) in (person(request.spec.requester), person(request.spec.submitted_by))


def _approvers(request: AccessRequest) -> Sequence[Decision]:
    """Return one approval per person. The people who asked are left out: the admission policy refuses theirs, as we do."""
    by_person: dict[str, Decision] = {}
    for decision in request.status.decisions:
        if decision.decision is DecisionKind.APPROVE and not is_involved(request, decision.by):
            by_person.setdefault(person(decision.by), decision)
    return tuple(by_person.values())


def owes_review(request: AccessRequest) -> bool:
    """Whether the glass was broken and nobody else has reviewed that since."""
    if request.status.review_by is None:
        return False
    return not any(
        decision.decision is DecisionKind.REVIEW
        and not is_involved(request, decision.by)
        and not was_locked_out(request, decision)
        for decision in request.status.decisions
    )


def find_same(request: AccessRequest, decision: Decision) -> Decision | None:
    """Return an earlier decision of the same kind by the same person under another spelling of their name, or None."""
    for earlier in request.status.decisions:
        if earlier == decision:
            return None
        if earlier.decision is decision.decision and person(earlier.by) == person(decision.by):
            return earlier
    return None


def find_decision(request: AccessRequest, *kinds: DecisionKind) -> Decision | None:
    """Return the first decision of one of these kinds, or None."""
    return next((decision for decision in request.status.decisions if decision.decision in kinds), None)

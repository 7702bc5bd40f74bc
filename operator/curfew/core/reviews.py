"""What people decided: when each decision was first seen, what its result was, and how it is recorded."""

from dataclasses import replace
from typing import Any

from curfew.api.access_request import AccessRequest, Decision, DecisionKind, Phase, Review
from curfew.api.characters import visible
from curfew.api.times import format_time
from curfew.audit.record import CURFEW, DecisionRef, Record, Story, make_record
from curfew.core import locks
from curfew.core.approval import find_same, has_reason, is_involved
from curfew.core.facts import Facts
from curfew.core.locked_out import lock_on
from curfew.core.notices import Notice, about_request
from curfew.core.reasons import Reason
from curfew.core.stories import story

NewReviews = tuple[tuple[Decision, Review], ...]
"""Decisions that are seen for the first time, each with its result."""

COUNTED = "Counted"
"""The result of an approval that counts."""

EFFECTIVE = (COUNTED, "TookEffect")
"""The results of a decision that may count. Every other word is a reason why a decision may not count."""

REFUSED = {
    "OwnRequest": "they asked for it themselves",
    "TooLate": "the time to decide was over",
    "UnknownStage": "the policy has no stage of that name",
    "SamePerson": "they have approved already, under another spelling of their name",
    "ReasonTooShort": "the policy requires a longer reason",
    "ReasonMissing": "it has no reason",
    "Locked": "they were locked when it was first seen",
}
"""Why a decision may not count, in words."""

_DID = {
    DecisionKind.APPROVE: "approved",
    DecisionKind.DENY: "denied",
    DecisionKind.REVOKE: "revoked",
    DecisionKind.CANCEL: "cancelled",
    DecisionKind.REVIEW: "reviewed",
    DecisionKind.KEEP: "kept what is left of",
}

OVERDUE = "the glass was broken, and nobody has reviewed it in time"


def unseen(request: AccessRequest) -> tuple[Decision, ...]:
    """Return the decisions for which the status does not yet show when they were seen."""
    seen = {(review.by, review.decision) for review in request.status.reviews}
    return tuple(decision for decision in request.status.decisions if (decision.by, decision.decision) not in seen)


def new_reviews(facts: Facts) -> NewReviews:
    """Return each decision that is not yet in the status, with when it was first seen and what its result was."""
    announced = facts.announced.decisions if facts.announced is not None else ()
    seen_at = {(one.by, one.decision): one.seen_at for one in announced}
    return tuple(
        (
            decision,
            Review(
                by=decision.by,
                decision=decision.decision,
                stage=decision.stage,
                seen_at=seen_at.get((decision.by, decision.decision), facts.now),
                effect=_effect(decision, facts),
            ),
        )
        for decision in unseen(facts.request)
    )


def _effect(decision: Decision, facts: Facts) -> str:
    request = facts.request
    if decision.decision not in (DecisionKind.APPROVE, DecisionKind.REVIEW, DecisionKind.KEEP):
        return "TookEffect"
    if is_involved(request, decision.by):
        return "OwnRequest"
    if lock_on(decision, facts) is not None:
        return str(Reason.LOCKED)
    if decision.decision is DecisionKind.REVIEW:
        return "TookEffect"
    if decision.decision is DecisionKind.KEEP:
        return "TookEffect" if visible(decision.reason or "") else "ReasonMissing"
    # The decisions that a grant was announced on have counted, even if time or policy changed before the binding was read back.
    has_counted = any(known is not None for known in (facts.announced, facts.binding, facts.lost))
    decide_by = request.status.decide_by
    is_late = request.status.phase is Phase.PENDING and decide_by is not None and decide_by <= facts.now
    if is_late and not has_counted:
        return "TooLate"
    if has_counted and facts.policy is None:
        return COUNTED
    stages = {stage.name for stage in facts.policy.spec.approval.stages} if facts.policy is not None else set()
    if decision.stage and decision.stage not in stages:
        return "UnknownStage"
    if find_same(request, decision) is not None:
        return "SamePerson"
    if facts.policy is not None and not has_reason(facts.policy.spec.approval, decision):
        return "ReasonTooShort"
    return COUNTED


def reviews_patch(facts: Facts, new: NewReviews) -> dict[str, Any]:
    """Return the part of the status that shows when each decision was seen, if anything in it is new."""
    if not new:
        return {}
    reviews = (*facts.request.status.reviews, *(review for _, review in new))
    return {"reviews": [review.model_dump(by_alias=True, exclude_none=True, mode="json") for review in reviews]}


def submitted(facts: Facts, new: NewReviews) -> tuple[Record, ...]:
    """Return the one record of each decision that is seen for the first time: submitted, or refused."""
    return tuple(
        make_record(
            "review.submitted" if review.effect in EFFECTIVE else "review.refused",
            at=review.seen_at,
            actor=decision.by,
            message=_decision_sentence(facts, decision, review),
            story=replace(
                story(facts),
                decisions=(DecisionRef(decision.by, str(decision.decision), decision.stage, None, review.seen_at),),
            ),
            qualifier=f"{decision.by}/{decision.decision}",
            success=review.effect in EFFECTIVE,
            detail={
                "decision": str(decision.decision),
                "effect": review.effect,
                **({"stage": decision.stage} if decision.stage else {}),
                **({"reason": decision.reason} if decision.reason else {}),
            },
        )
        for decision, review in new
    )


def review_notices(facts: Facts, new: NewReviews) -> tuple[Notice, ...]:
    """Return an Event for each decision that is seen for the first time."""
    return tuple(
        about_request(
            facts.request,
            "Normal" if review.effect in EFFECTIVE else "Warning",
            "ReviewSubmitted" if review.effect in EFFECTIVE else "ReviewRefused",
            "Review",
            _decision_sentence(facts, decision, review),
            key=f"review/{decision.by}/{decision.decision}",
        )
        for decision, review in new
    )


def told_apart(new: NewReviews) -> NewReviews:
    """Return the decisions that need an Event of their own, if another Event shows what the others led to."""
    apart = (DecisionKind.REVIEW, DecisionKind.KEEP)
    return tuple(one for one in new if one[1].effect not in EFFECTIVE or one[0].decision in apart)


def _decision_sentence(facts: Facts, decision: Decision, review: Review) -> str:
    verb = _DID[decision.decision]
    stage = f" for stage {decision.stage}" if decision.stage else ""
    why = f": {decision.reason}" if decision.reason else ""
    lost = f" (it did not count: {_why_refused(facts, decision, review)})" if review.effect not in EFFECTIVE else ""
    request = facts.request
    return f"{decision.by} {verb} request {request.metadata.name} of {request.spec.requester}{stage}{why}{lost}"


def _why_refused(facts: Facts, decision: Decision, review: Review) -> str:
    lock = lock_on(decision, facts)
    return locks.sentence(lock) if lock is not None and review.effect == Reason.LOCKED else REFUSED[review.effect]


def looked_at(new: NewReviews) -> str:
    """Return who has reviewed a broken glass, as condition Reviewed shows it."""
    seen = ((decision.by, decision.decision, review.effect) for decision, review in new)
    people = ", ".join(by for by, kind, effect in seen if kind is DecisionKind.REVIEW and effect in EFFECTIVE)
    return f"{people} has reviewed it"


def overdue(facts: Facts) -> Record:
    """Return the record of a broken glass that nobody else has reviewed in time."""
    request = facts.request
    assert request.status.review_by is not None  # noqa: S101  a review can be late only if one is due
    return make_record(
        "review.overdue",
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester}: {OVERDUE}",
        story=story(facts),
        success=False,
        detail={"review_by": format_time(request.status.review_by)},
    )


def closed(facts: Facts, new: NewReviews, phase: str, told: Story) -> Record:
    """Return the last record of a request, with its counts, so that a reader knows that the story is complete."""
    request = facts.request
    reviews = (*request.status.reviews, *(review for _, review in new))
    return make_record(
        "request.closed",
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester}: the story ends as {phase}",
        story=told,
        detail={
            "phase": phase,
            "decisions": len(reviews),
            "approvals": sum(1 for review in reviews if review.effect == COUNTED),
            **({"end_reason": told.end_reason} if told.end_reason else {}),
        },
    )

"""How long people took: from a request's creation to its first review, and until each stage was filled."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from curfew.api.access_policy import Mode
from curfew.api.access_request import AccessRequest, Decision, DecisionKind, Phase
from curfew.core.approval import tally
from curfew.core.facts import Facts
from curfew.core.locked_out import counting
from curfew.core.reviews import EFFECTIVE, new_reviews

ANSWERS = (DecisionKind.APPROVE, DecisionKind.DENY)
"""What people can answer to a request that waits for decisions."""


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """What the decisions that are seen for the first time bring to an end, each with how long it took."""

    first_review: timedelta | None = None  # None: it had a review before, or has none yet
    stages: Mapping[str, timedelta] = field(default_factory=dict)  # the stages that are filled now and were not before


def response_times(facts: Facts) -> ResponseTimes:
    """Measure what the decisions that are seen for the first time bring to an end. Only a request that waits is measured."""
    request, status = facts.request, facts.request.status
    created, policy = request.metadata.creation_timestamp, facts.policy
    if created is None or not waits_for_people(request):
        return ResponseTimes()
    new = {decision: review for decision, review in new_reviews(facts) if decision.decision in ANSWERS}
    counted = [review.seen_at for review in new.values() if review.effect in EFFECTIVE]
    if not counted:
        return ResponseTimes()
    had_one = any(review.decision in ANSWERS and review.effect in EFFECTIVE for review in status.reviews)
    first = None if had_one else min(counted) - created
    if policy is None:
        return ResponseTimes(first)
    approval, request = policy.spec.approval, counting(facts)
    before = tally(approval, _without(request, *new)).missing
    filled = [stage for stage in before if stage and stage not in tally(approval, request).missing]
    return ResponseTimes(first, dict.fromkeys(filled, max(counted) - created))


def waits_for_people(request: AccessRequest) -> bool:
    """Whether a request waits until people decide."""
    terms = request.status.terms
    return request.status.phase is Phase.PENDING and terms is not None and terms.mode is Mode.REVIEW


def waits_since(request: AccessRequest) -> datetime | None:
    """Return since when a request waits for people, or None if it does not."""
    return request.metadata.creation_timestamp if waits_for_people(request) else None


def _without(request: AccessRequest, *decisions: Decision) -> AccessRequest:
    kept = tuple(decision for decision in request.status.decisions if decision not in decisions)
    return request.model_copy(update={"status": request.status.model_copy(update={"decisions": kept})})

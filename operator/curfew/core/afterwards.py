"""What people decide when access was given already: to keep what is left of it, or the review of a broken glass."""

from curfew.api.access_request import DecisionKind, Phase
from curfew.core import conditions, lifecycle, outbox_size, reviews, stories, wording
from curfew.core.approval import owes_review
from curfew.core.facts import Facts
from curfew.core.locked_out import counting
from curfew.core.notices import about_request
from curfew.core.outbox import conditions_of, undurable, wait_for_room, with_new
from curfew.core.reviews import NewReviews
from curfew.core.steps import Patch, Step


def new_keeps(facts: Facts) -> NewReviews:
    """Return the decisions to keep what a grant has left behind that are not in the status yet (decision 0078)."""
    return tuple((one, review) for one, review in reviews.new_reviews(facts) if one.decision is DecisionKind.KEEP)


def note_keep(facts: Facts) -> Step | None:
    """Record a decision to keep what a grant has left behind, one at a time. It changes no phase and no access.

    A request that is labelled closed has no plan any more; `processes/operator/keeping.py` finds the decision there.
    """
    phase = facts.request.status.phase
    new = new_keeps(facts)[:1]
    if not new or not (phase is Phase.ACTIVE or phase in lifecycle.FINAL):
        return None
    told, waiting = reviews.submitted(facts, new), undurable(facts)
    if not outbox_size.has_room(told, waiting, is_end=False):
        return wait_for_room(facts, waiting)
    patch = Patch(reviews.reviews_patch(facts, new), outbox=with_new(facts, told))
    return Step(act=patch, notices=reviews.review_notices(facts, new))


def review_afterwards(facts: Facts) -> Step | None:
    """Record what happens after the glass was broken: the review that was due, or that it is late."""
    request, status = facts.request, facts.request.status
    if status.review_by is None:
        return None
    new = reviews.new_reviews(facts)
    if new:
        records = reviews.submitted(facts, new)
        observed: tuple[conditions.Observation, ...] = ()
        if not owes_review(counting(facts)):
            observed = (conditions.Observation(conditions.REVIEWED, True, "Reviewed", reviews.looked_at(new)),)
            if status.phase in lifecycle.FINAL:
                records = (*records, reviews.closed(facts, new, str(status.phase), stories.story(facts, new)))
        outbox = with_new(facts, records)
        conditions_ = conditions_of(facts, *observed, wording.recorded(len(outbox), facts.trail))
        patch = Patch({**reviews.reviews_patch(facts, new), "conditions": conditions_}, outbox=outbox)
        return Step(act=patch, notices=reviews.review_notices(facts, new))
    said = next((c for c in status.conditions if c.type == conditions.REVIEWED), None)
    if (
        owes_review(counting(facts))
        and status.review_by <= facts.now
        and (said is None or said.reason != "ReviewOverdue")
    ):
        record = reviews.overdue(facts)
        outbox = with_new(facts, (record,))
        observed = (
            conditions.Observation(conditions.REVIEWED, False, "ReviewOverdue", reviews.OVERDUE),
            wording.recorded(len(outbox), facts.trail),
        )
        notice = about_request(request, "Warning", "ReviewOverdue", "Review", record.message, key="review-overdue")
        return Step(act=Patch({"conditions": conditions_of(facts, *observed)}, outbox=outbox), notices=(notice,))
    return None

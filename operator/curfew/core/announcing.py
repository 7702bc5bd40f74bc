"""The announcement of a grant: what must be durable before a binding is made (promise P2)."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from curfew.api.access_policy import Mode, OnEnd
from curfew.api.access_request import DecisionKind, Phase
from curfew.api.times import format_time
from curfew.audit.receipt import Receipt
from curfew.audit.record import CURFEW, Record, RecordRefused, Story, make_record, record_id
from curfew.core import wording
from curfew.core.facts import Facts, Intent
from curfew.core.reviews import NewReviews, new_reviews, submitted, unseen
from curfew.core.stories import story
from curfew.core.unrecorded import INTENDED

_APPROVED = {
    Mode.REVIEW: "review.approved",
    Mode.AUTOMATIC: "review.auto_approved",
    Mode.BREAK_GLASS: "review.break_glass_invoked",
}
"""The record that a request is approved."""


def announced(facts: Facts, starts_at: datetime, expires_at: datetime) -> tuple[Record, ...]:
    """Return the records that must be durable before a binding is made, the announcement last (promise P2).

    For an Approved request, the record of its approval is already in its outbox or in the log.
    """
    new = new_reviews(facts)
    agreed = (approved(facts, new),) if facts.request.status.phase is Phase.PENDING else ()
    rules = [dict(rule) for rule in facts.role.rules] if facts.role is not None else []
    return (*submitted(facts, new), *agreed, intended(facts, starts_at, expires_at, rules=rules))


def intended(facts: Facts, starts_at: datetime, expires_at: datetime, **detail: Any) -> Record:
    """Return the announcement of a grant. In a status it omits the role's rules, which can be larger than a status."""
    request, new = facts.request, new_reviews(facts)
    terms = request.status.terms
    return make_record(
        INTENDED,
        at=facts.now,
        actor=CURFEW,
        message=f"{request.spec.requester} will hold {wording.role(request)} in {request.metadata.namespace} "
        f"until {format_time(expires_at)} (request {request.metadata.name})",
        story=replace(story(facts, new), decided_at=facts.decided_at, starts_at=starts_at, expires_at=expires_at),
        detail={
            "terms": terms.digest if terms is not None else "",
            **({"on_end": str(terms.on_end)} if terms is not None and terms.on_end is not OnEnd.REPORT else {}),
            **detail,
        },
    )


def ids_before(facts: Facts) -> frozenset[str]:
    """Return the ids of the records that came with the announcement, if it is durable: the next change need not tell them."""
    request = facts.request
    if facts.intent is None or request.status.phase not in (Phase.PENDING, Phase.APPROVED):
        return frozenset()
    uid, mode = request.metadata.uid, request.status.terms.mode if request.status.terms is not None else Mode.REVIEW
    decided = (record_id(uid, "review.submitted", f"{one.by}/{one.decision}") for one in unseen(request))
    return frozenset((record_id(uid, _APPROVED[mode]), *decided))


def read_intent(
    record: Record, *, receipt: Receipt | None = None, is_own: bool = False, is_sealed: bool = False
) -> Intent | None:
    """Read an announcement back, or return None for one that announces nothing: no record may block an end (P3)."""
    try:
        told = Story.of(record)
    except RecordRefused:
        return None
    if told.starts_at is None or told.expires_at is None:
        return None
    return Intent(told, told.starts_at, told.expires_at, receipt, is_own=is_own, is_sealed=is_sealed)


def approved(facts: Facts, new: NewReviews) -> Record:
    """Return the record that enough people agreed, or that nobody had to."""
    request = facts.request
    mode = request.status.terms.mode if request.status.terms is not None else Mode.REVIEW
    by = [decision.by for decision in request.status.decisions if decision.decision is DecisionKind.APPROVE]
    how = {
        Mode.REVIEW: f"is approved by {', '.join(by)}",
        Mode.AUTOMATIC: "is approved: its policy grants without review",
        Mode.BREAK_GLASS: "breaks the glass: granted at once, to be reviewed afterwards",
    }[mode]
    return make_record(
        _APPROVED[mode],
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester} {how}",
        story=replace(story(facts, new), decided_at=facts.decided_at),
    )

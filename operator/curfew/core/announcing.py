"""The announcement of a grant: what must be durable before a binding is made (promise P2)."""

from datetime import datetime

from curfew.api.access_policy import Mode
from curfew.api.access_request import DecisionKind, Phase
from curfew.api.times import format_time
from curfew.audit.receipt import Receipt
from curfew.audit.record import CURFEW, Record, RecordRefused, Story, make_record
from curfew.core import wording
from curfew.core.facts import Facts, Intent
from curfew.core.reviews import NewReviews, new_reviews, submitted
from curfew.core.stories import story


def announced(facts: Facts, starts_at: datetime, expires_at: datetime) -> tuple[Record, ...]:
    """Return the records that must be durable before a binding is made, the announcement last (promise P2).

    A request that is Approved has told of its approval: that record is in its outbox or in the log.
    """
    request, new = facts.request, new_reviews(facts)
    intended = make_record(
        "grant.intended",
        at=facts.now,
        actor=CURFEW,
        message=f"{request.spec.requester} will hold {wording.role(request)} in {request.metadata.namespace} "
        f"until {format_time(expires_at)} (request {request.metadata.name})",
        story=story(facts, new, decided_at=facts.decided_at, starts_at=starts_at, expires_at=expires_at),
        detail={
            "terms": request.status.terms.digest if request.status.terms is not None else "",
            "rules": [dict(rule) for rule in facts.role.rules] if facts.role is not None else [],
        },
    )
    agreed = (approved(facts, new),) if request.status.phase is Phase.PENDING else ()
    return (*submitted(facts, new), *agreed, intended)


def read_intent(record: Record, *, receipt: Receipt | None, is_own: bool) -> Intent | None:
    """Read an announcement back, or return None for one that announces nothing: no record may stand before an end (P3)."""
    try:
        told = Story.of(record)
    except RecordRefused:
        return None
    if told.starts_at is None or told.expires_at is None:
        return None
    return Intent(told, starts_at=told.starts_at, expires_at=told.expires_at, receipt=receipt, is_own=is_own)


def approved(facts: Facts, new: NewReviews) -> Record:
    """Return the record that says that enough people agreed, or that none had to."""
    request = facts.request
    mode = request.status.terms.mode if request.status.terms is not None else Mode.REVIEW
    by = [decision.by for decision in request.status.decisions if decision.decision is DecisionKind.APPROVE]
    event, how = {
        Mode.REVIEW: ("review.approved", f"is approved by {', '.join(by)}"),
        Mode.AUTOMATIC: ("review.auto_approved", "is approved: its policy grants without review"),
        Mode.BREAK_GLASS: (
            "review.break_glass_invoked",
            "breaks the glass: granted at once, to be reviewed afterwards",
        ),
    }[mode]
    return make_record(
        event,
        at=facts.now,
        actor=CURFEW,
        message=f"request {request.metadata.name} of {request.spec.requester} {how}",
        story=story(facts, new, decided_at=facts.decided_at),
    )

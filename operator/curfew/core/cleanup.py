"""When a finished request may be deleted: only once its whole story is in the log (promise P7).

What the object itself shows is only a hint, as for every status. The log decides: `is_over` is its answer.
"""

from datetime import datetime, timedelta

from curfew.api.access_policy import AccessPolicy, Mode
from curfew.api.access_request import AccessRequest, DecisionKind
from curfew.api.names import LABEL_CLOSED, is_self_test
from curfew.core import lifecycle
from curfew.core.approval import owes_review
from curfew.core.reviews import unseen


def deletable_from(
    request: AccessRequest, policy: AccessPolicy | None, *, is_over: bool, keep_for: timedelta
) -> datetime | None:
    """Return from when on a request may be deleted, or None if it must stay.

    `is_over`: the log shows its story as closed. `policy` is the one that the request names, as it is now.
    """
    meta, status = request.metadata, request.status
    is_closed = is_over and status.phase in lifecycle.FINAL and meta.labels.get(LABEL_CLOSED) == "true"
    if not is_closed or status.outbox or owes_review(request) or status.ended_at is None:
        return None
    if any(decision.decision is DecisionKind.KEEP for decision in unseen(request)):
        return None  # it is not recorded yet
    if meta.deletion_timestamp is not None or is_self_test(meta.namespace, meta.name, request.spec.submitted_by):
        return None
    if would_be_granted_anew(request, policy):
        return None
    # A review, or a decision to keep what is left, may come long after the access has ended.
    return max((status.ended_at, *(review.seen_at for review in status.reviews))) + keep_for


def would_be_granted_anew(request: AccessRequest, policy: AccessPolicy | None) -> bool:
    """Whether a GitOps controller that creates the deleted request again would get the access without asking anybody.

    Controllers of this kind submit for others. A policy that accepts each name only once refuses the second request. A
    deleted policy may come back as it was.
    """
    spec, terms = request.spec, request.status.terms
    if spec.submitted_by == spec.requester:
        return False
    if policy is None:
        return terms is not None and terms.mode is not Mode.REVIEW
    return policy.spec.approval.mode is not Mode.REVIEW and not policy.spec.limits.once_per_name

"""When a finished request may be deleted: only once its whole story is in the log (promise P7).

What the object itself shows is a hint, as for every status. The log has the last word, and `is_over` is what it says.
"""

from datetime import datetime, timedelta

from curfew.api.access_policy import AccessPolicy, Mode
from curfew.api.access_request import AccessRequest
from curfew.api.names import LABEL_CLOSED, is_self_test
from curfew.core import lifecycle
from curfew.core.approval import owes_review


def deletable_from(
    request: AccessRequest, policy: AccessPolicy | None, *, is_over: bool, keep_for: timedelta
) -> datetime | None:
    """Return from when on a request may be deleted, or None if it has to stay.

    `is_over`: the log holds its story closed. `policy` is the one that it names, as it is now.
    """
    meta, status = request.metadata, request.status
    is_closed = is_over and status.phase in lifecycle.FINAL and meta.labels.get(LABEL_CLOSED) == "true"
    if not is_closed or status.outbox or owes_review(request) or status.ended_at is None:
        return None
    if meta.deletion_timestamp is not None or is_self_test(meta.namespace, meta.name, request.spec.submitted_by):
        return None
    if would_be_granted_anew(request, policy):
        return None
    # A broken glass is over when it was reviewed, which may be long after the access has ended.
    return max((status.ended_at, *(review.seen_at for review in status.reviews))) + keep_for


def would_be_granted_anew(request: AccessRequest, policy: AccessPolicy | None) -> bool:
    """Whether a GitOps controller that makes the request anew after its deletion would get the access with nobody asked.

    Such a controller submits for others. A policy that takes each name once refuses what is made anew; one that is gone
    may come back as it was.
    """
    spec, terms = request.spec, request.status.terms
    if spec.submitted_by == spec.requester:
        return False
    if policy is None:
        return terms is not None and terms.mode is not Mode.REVIEW
    return policy.spec.approval.mode is not Mode.REVIEW and not policy.spec.limits.once_per_name

"""The one grant that may come before its record: a broken glass while the log cannot be written, if its policy allows it.

Its announcement is first sealed in the request's status, and goes to the log from there (promise P2, decision 0071).
"""

from curfew.api.access_policy import Mode, WhenNotRecorded
from curfew.audit.record import Record
from curfew.core.facts import Facts
from curfew.core.seals import Outbox

INTENDED = "grant.intended"


def may_go_unrecorded(facts: Facts) -> bool:
    """Whether the grant does not wait for its record: only the log is in the way, and not just for a moment after a start."""
    if facts.policy is None or facts.obstacles != (facts.trail,) or facts.trail.is_starting:
        return False
    approval = facts.policy.spec.approval
    return approval.mode is Mode.BREAK_GLASS and approval.when_not_recorded is WhenNotRecorded.GRANT


def sealed_announcement(outbox: Outbox | None) -> Record | None:
    """Return the announcement that a status holds under our seal, or None."""
    records = outbox.records if outbox is not None else ()
    return next((record for record in records if record.event == INTENDED), None)

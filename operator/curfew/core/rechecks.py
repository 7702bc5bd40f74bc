"""When to look at a request again although nothing happened: passing time alone changes something for it."""

from datetime import datetime, timedelta

from curfew.api.access_request import Phase
from curfew.core import role_changes
from curfew.core.approval import owes_review
from curfew.core.facts import Facts
from curfew.core.waiting import waking_times

ROOM_RECHECK = timedelta(seconds=5)
"""How soon to look again at a request whose status has no room for its records, unless the log takes some before that."""

SEALS_RECHECK = timedelta(seconds=5)
"""How often to check whether the seals for a request's records are known by now."""

POLICY_RECHECK = timedelta(seconds=2)
"""How often to look for a missing role. A policy that appears is seen at once."""

ACTIVATION_WINDOW = timedelta(seconds=60)
"""How long after its announcement a restarted process still makes a binding; later, somebody may have ended the access."""


def next_look(facts: Facts) -> datetime | None:
    """Return the next instant at which time alone changes something for a request, or None."""
    request, status = facts.request, facts.request.status
    instants = []
    if facts.binding is not None:
        instants.append(facts.binding.expires_at)
    if status.phase is Phase.ACTIVE:
        instants.append(status.expires_at)
    if status.phase is Phase.PENDING:
        instants.append(status.decide_by)
    if status.phase is Phase.APPROVED:
        instants += waking_times(facts)
    if status.phase in (Phase.PENDING, Phase.APPROVED):
        instants.append(request.spec.not_after)
    if facts.intent is not None and status.phase in (Phase.PENDING, Phase.APPROVED):
        instants.append(facts.intent.expires_at)
        if not facts.intent.is_own:
            instants.append(facts.intent.starts_at + ACTIVATION_WINDOW)
    if owes_review(request):
        instants.append(status.review_by)
    instants.append(role_changes.settled_at(facts))
    return min((instant for instant in instants if instant is not None and instant > facts.now), default=None)

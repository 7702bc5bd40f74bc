"""When a request is looked at again though nothing happened: time alone changes something for it."""

from datetime import datetime, timedelta

from curfew.api.access_request import Phase
from curfew.core import role_changes
from curfew.core.approval import owes_review
from curfew.core.facts import Facts
from curfew.core.waiting import waking_times

ROOM_RECHECK = timedelta(seconds=5)
"""How soon a request is looked at again whose status has no room for what has happened, unless the log takes records before."""

SEALS_RECHECK = timedelta(seconds=5)
"""How often a request looks whether what seals its records is known by now."""

POLICY_RECHECK = timedelta(seconds=2)
"""How often a role that is missing is looked for meanwhile; a policy that appears is seen at once."""

ACTIVATION_WINDOW = timedelta(seconds=60)
"""For how long a restart still makes a binding that was announced before it; later, somebody may have ended it meanwhile."""


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

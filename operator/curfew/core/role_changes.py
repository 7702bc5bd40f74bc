"""What a change of the role means for a grant (promises P1 and P5), and when a change counts.

A controller writes the rules of an aggregated ClusterRole in several steps: something empties them, and they are full
again in milliseconds. A change of these rules counts only after it has lasted for a moment.
"""

from datetime import datetime, timedelta
from typing import Final

from curfew.api.access_policy import OnRoleChange
from curfew.api.access_request import AccessRequest
from curfew.core.facts import Facts
from curfew.core.reasons import Reason
from curfew.core.risk import explain
from curfew.core.terms import RoleSeen, role_change

SETTLING: Final = timedelta(seconds=2)
"""How long the rules of an aggregated role must have been different before this counts as a change."""


def role_was_changed(facts: Facts) -> str | None:
    """Return in words how the role has changed since it was pinned, or None; also None while its rules settle."""
    terms = facts.request.status.terms
    if terms is None or facts.role_seen is None or is_settling(facts):
        return None
    return role_change(terms.role, facts.role_seen)


def why_role_ends(facts: Facts) -> tuple[Reason, str] | None:
    """Return why a change of the role ends the grant, or None."""
    terms, changed = facts.request.status.terms, role_was_changed(facts)
    if terms is None or facts.role_seen is None or changed is None:
        return None
    if terms.on_role_change is OnRoleChange.REVOKE:
        return Reason.ROLE_CHANGED, changed
    gained = [word for word in facts.role_seen.permanent if word not in terms.risk]
    if gained and not terms.allow_permanence:
        return (
            Reason.ROLE_IS_PERMANENT,
            f"{changed}, and now a person could use it to create access that outlives the grant: {explain(gained)}",
        )
    return None


def changing_since(
    request: AccessRequest, seen: RoleSeen | None, known: datetime | None, now: datetime
) -> datetime | None:
    """Return since when the rules of the request's aggregated role have been different, or None while they are not."""
    if request.status.terms is None or seen is None:
        return known
    return (known or now) if _may_settle(request, seen) else None


def is_settling(facts: Facts) -> bool:
    """Whether the rules of an aggregated role are different, but not yet for long enough to count."""
    if facts.role_seen is None or not _may_settle(facts.request, facts.role_seen):
        return False
    settled = settled_at(facts)
    return settled is None or facts.now < settled


def settled_at(facts: Facts) -> datetime | None:
    """Return when a change of an aggregated role counts, or None if there is none."""
    return facts.role_changing_since + SETTLING if facts.role_changing_since is not None else None


def _may_settle(request: AccessRequest, seen: RoleSeen) -> bool:
    terms = request.status.terms
    return (
        terms is not None
        and seen.is_aggregated
        and seen.uid == terms.role.uid
        and seen.rules_digest != terms.role.rules_digest
    )

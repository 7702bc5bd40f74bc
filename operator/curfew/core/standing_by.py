"""What a replica does about a request while it does not lead: it ends access, and tells what it has ended (promise P3).

Its watches may lag behind those of the leader, and it has not read the log. So it acts only on what the binding, the request
or a lock shows, which is true however old it is, and never on what it has not seen.
"""

from curfew.core import ending
from curfew.core.concluding import conclude
from curfew.core.ending import Cause
from curfew.core.facts import Facts
from curfew.core.steps import Forget, Remove, Step


def stand_by(facts: Facts) -> Step:
    """Return the next step of a replica that does not lead. The leader does everything else."""
    if facts.binding is not None:
        cause = _shown(facts)
        return Step(act=Remove(facts.binding, *cause)) if cause is not None else Step(wake_at=facts.binding.expires_at)
    if facts.is_gone:
        return Step(act=Forget())  # the leader records its end
    if facts.removal is None or facts.outbox is None:
        return Step()
    return conclude(facts) or Step()  # whoever removed the binding tells of it


def _shown(facts: Facts) -> Cause | None:
    """Return why the binding must be removed, if that is shown and not only missing."""
    causes = (
        ending.window_is_over(facts, facts.binding),
        ending.request_was_deleted(facts, facts.binding),
        ending.somebody_decided(facts, facts.binding),
        _locked_since(facts),
    )
    return next((cause for cause in causes if cause is not None), None)


def _locked_since(facts: Facts) -> Cause | None:
    """Return the cause if a lock was made after the binding. An older one may have been lifted before the grant."""
    if facts.lock is None or facts.binding is None:
        return None
    made = facts.lock.metadata.creation_timestamp
    return ending.locked(facts.lock) if made is not None and made > facts.binding.created_at else None

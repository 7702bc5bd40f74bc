"""Goes on with an end whose records came before its status (decision 0088).

The log may hold the end while the status does not show it. So nothing else becomes of the request: this process keeps to the
end that it told, and another process finds that end in the log.
"""

from dataclasses import replace
from datetime import timedelta

from curfew.api.access_request import Phase
from curfew.core import conditions, lifecycle, wording
from curfew.core.facts import Facts, RecordedEnd
from curfew.core.lifecycle import Event
from curfew.core.outbox import clear_outbox
from curfew.core.reasons import Reason
from curfew.core.steps import Forget, Step
from curfew.core.transition import transition

_GONE_RECHECK = timedelta(seconds=1)

_IN_THE_LOG = "the log holds its end"


def finish(facts: Facts) -> Step | None:
    """Show the end that this process told the log, and no other but one that the log holds instead (decision 0102)."""
    told = facts.told_end
    if told is None or facts.request.status.phase in lifecycle.FINAL:
        return None
    if facts.is_gone and facts.story_closed:
        return Step(act=Forget())
    if facts.story_closed and not told.ids <= facts.durable:  # another process was first: the log takes no other end
        recorded = finish_recorded(replace(facts, told_end=None))
        if recorded is not None:
            return recorded
    step = transition(
        facts, told.event, reason=told.reason, detail=told.detail, ended_at=told.ended_at, active=told.active
    )
    if facts.is_gone:  # there is no status to hold the records: they are handed over until the log has them
        return Step(submit=step.records, wake_at=facts.now + _GONE_RECHECK)
    return clear_outbox(facts) or step


def finish_recorded(facts: Facts) -> Step | None:
    """Show the end that the log holds, if it can follow the phase in the status: a process died before it could show it."""
    end = facts.recorded_end
    if end is None or facts.removal is not None:
        return None
    event = _event(facts.request.status.phase, end)
    if event is None or end.reason not in tuple(Reason):
        return None
    reason, active = Reason(end.reason), None
    if facts.request.status.phase is Phase.ACTIVE:
        ended = wording.ended(facts.request, reason, _IN_THE_LOG)
        active = conditions.Observation(conditions.ACTIVE, False, end.reason, ended)
    return transition(facts, event, reason=reason, detail=_IN_THE_LOG, ended_at=end.ended_at, active=active)


def _event(phase: Phase | None, end: RecordedEnd) -> Event | None:
    """Return the event that leads from a phase to a recorded end, or None."""
    found = lifecycle.TRANSITIONS[phase].items()
    return next((event for event, after in found if after == end.phase and after in lifecycle.FINAL), None)

"""What a request's status shows to people and to tools: four conditions, and more if there is something to report.

They are observations, sorted, without times in their messages; a condition's time changes only when its status does.
Ready and Stalled follow kstatus. Ready means that Curfew has understood the request, not that access is granted, so that
a GitOps tool does not wait for a human. Stalled means that the request failed for good, so that the tool stops waiting.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from curfew.api.meta import LONGEST_MESSAGE, Condition, shortened
from curfew.api.times import format_time

READY = "Ready"
STALLED = "Stalled"
APPROVED = "Approved"
ACTIVE = "Active"
RECORDED = "Recorded"
REVIEWED = "Reviewed"
ROLE_UNCHANGED = "RoleUnchanged"
ENDS_WITH_GRANT = "EndsWithGrant"
APPROVERS_NAMED = "ApproversNamed"
ORDER = (READY, APPROVED, ACTIVE, RECORDED)


@dataclass(frozen=True, slots=True)
class Observation:
    """One condition as it should read now. A message that is too long for a status is cut."""

    type: str
    status: bool
    reason: str
    message: str

    def __post_init__(self) -> None:
        """Cut the message, which may contain text that others wrote."""
        object.__setattr__(self, "message", shortened(self.message, LONGEST_MESSAGE))


def update(
    conditions: Sequence[Condition], observed: Iterable[Observation], *, now: datetime, generation: int
) -> list[dict[str, Any]]:
    """Return the conditions, updated with what was observed, in the form for the status patch."""
    known = {condition.type: condition for condition in conditions}
    result = {condition.type: _plain(condition) for condition in conditions}
    for new in observed:
        status = "True" if new.status else "False"
        old = known.get(new.type)
        since = old.last_transition_time if old is not None and old.status == status else None
        result[new.type] = {
            "type": new.type,
            "status": status,
            "reason": new.reason,
            "message": new.message,
            "lastTransitionTime": format_time(since or now.replace(microsecond=0)),
            "observedGeneration": generation,
        }
    return [result[type_] for type_ in sorted(result, key=lambda t: (ORDER.index(t) if t in ORDER else len(ORDER), t))]


def is_said(conditions: Iterable[Condition], observed: Observation) -> bool:
    """Whether the conditions already show what was observed."""
    return any(
        (said.type, str(said.status) == "True", said.reason, said.message)
        == (observed.type, observed.status, observed.reason, observed.message)
        for said in conditions
    )


def _plain(condition: Condition) -> dict[str, Any]:
    plain: dict[str, Any] = condition.model_dump(by_alias=True, exclude_none=True, mode="json")
    return plain

"""What was called with a grant: each call, and calls of one kind together."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

MOST_GROUPS = 500
"""Most kinds of calls that are told apart: a caller can make up any number of resources. The rest is one group."""

NAMES_SHOWN = 5
"""Most names of objects that a group lists."""

OTHER = "other"
"""Verb, resource and outcome of the group for all calls beyond `MOST_GROUPS`."""


@dataclass(frozen=True, slots=True)
class SeenCall:
    """One recorded call. Empty texts are unknown. Everything that the caller chose is as it was recorded."""

    index: int  # of its record in the log of activity
    at: datetime
    event: str
    actor: str  # who authenticated
    user: str  # whose rights were used
    verb: str
    resource: str  # such as `deployments.apps/scale`
    namespace: str
    name: str
    code: int | None
    outcome: str  # core.activity.effect.Effect
    how: str  # core.activity.effect.How
    after_end: bool
    lasted: timedelta
    address: str  # the first of the source addresses
    user_agent: str
    audit_id: str
    message: str


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls with one verb, resource and outcome, tied to the session in one way."""

    verb: str
    resource: str
    outcome: str
    how: str
    count: int
    first: datetime
    last: datetime
    names: tuple[str, ...]  # of the objects, at most `NAMES_SHOWN`
    has_more_names: bool


class CallGroups:
    """Groups calls one by one. Memory does not grow with their number."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str, str, str], CallGroup] = {}

    def take(self, call: SeenCall) -> None:
        """Add a call."""
        key = call.verb, call.resource, call.outcome, call.how
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = OTHER, OTHER, OTHER, OTHER
        group = self._groups.get(key)
        if group is None:
            group = CallGroup(*key, 0, call.at, call.at, (), has_more_names=False)
        is_new = bool(call.name) and call.name not in group.names
        has_room = len(group.names) < NAMES_SHOWN
        self._groups[key] = replace(
            group,
            count=group.count + 1,
            first=min(group.first, call.at),
            last=max(group.last, call.at),
            names=(*group.names, call.name) if is_new and has_room else group.names,
            has_more_names=group.has_more_names or (is_new and not has_room),
        )

    @property
    def groups(self) -> tuple[CallGroup, ...]:
        """The groups: those that changed something first, then by the first call."""
        return tuple(sorted(self._groups.values(), key=lambda one: (_RANK.get(one.outcome, len(_RANK)), one.first)))


_RANK = {
    outcome: rank for rank, outcome in enumerate(("Changed", "Unsure", "Opaque", "Denied", "Failed", "DryRun", "Read"))
}

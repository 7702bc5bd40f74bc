"""Calls under grants, as detectors read them: what was done, by which right, and whose grant it was."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from curfew.audit.record import Story
from curfew.core.activity.effect import OWN, How
from curfew.core.activity.recorded import RecordedCall
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Seen
from curfew.core.detectors.reading import story_of

CHANGES: Final = frozenset({"call.created", "call.updated", "call.deleted", "call.unsettled"})
"""The events of calls that changed something, or may have."""

HAPPENED: Final = CHANGES | {"call.read", "call.connected"}
"""The events of calls that were not refused, and did not fail."""

MADE_WITH_IT: Final = OWN | {How.UNEXPLAINED}
"""The ties of calls that were made with the access, or may have been."""


@dataclass(frozen=True, slots=True)
class GrantCall:
    """A call under a grant."""

    seen: Seen
    call: RecordedCall
    story: Story
    person: str  # who holds the grant
    namespace: str  # of the grant
    policy: str  # its name; empty if the record does not hold it

    @property
    def at(self) -> datetime:
        """When the API server got it, to the microsecond, and never later than its record was sealed."""
        sealed_at = self.seen.sealed_at
        return self.call.at if sealed_at is None else min(self.call.at, sealed_at)


def grant_call(seen: Seen) -> GrantCall | None:
    """Read the record of a call; None for any other, and for one that cannot be read."""
    call = RecordedCall.of(seen.record)
    story = story_of(seen.record) if call is not None else None
    if call is None or story is None or not story.requester:
        return None
    policy = policy_of(story)
    return GrantCall(seen, call, story, story.requester, story.namespace, policy)

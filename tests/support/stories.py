"""Records about requests, as short as tests of detectors need them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from curfew.audit.record import CURFEW, PolicyRef, Record, RoleRef, Story, make_record
from tests.support.builders import ALICE


def a_story(
    number: int = 1,
    who: str = ALICE,
    *,
    policy: str = "debug",
    namespace: str = "payments",
    role: str = "",
    **more: Any,
) -> Story:
    """Return what is known of a request. Its role is called like its policy: admin is privileged."""
    return Story(
        uid=f"uid-{number}",
        namespace=namespace,
        request=f"inc-{number}",
        requester=who,
        submitted_by=who,
        policy=PolicyRef(policy, f"policy-{policy}", 1),
        role=RoleRef("ClusterRole", role or policy, f"role-{role or policy}", "5e" * 32),
        **more,
    )


def told(event: str, at: datetime, story: Story, *, actor: str = CURFEW, **detail: Any) -> Record:
    """Return a record about a request."""
    qualifier = f"{actor}/{detail.get('decision', '')}/{at}"
    return make_record(
        event, at=at, actor=actor, message=f"{event} happened", story=story, qualifier=qualifier, detail=detail
    )


def decided(at: datetime, story: Story, by: str, decision: str = "Approve", effect: str = "Counted") -> Record:
    """Return the record of a decision."""
    return told("review.submitted", at, story, actor=by, decision=decision, effect=effect)


def every(step: timedelta, since: datetime, number: int) -> Iterator[datetime]:
    """Yield so many instants."""
    return (since + one * step for one in range(number))

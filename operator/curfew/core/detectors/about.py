"""What the alerts of several detectors tell of a request."""

from datetime import datetime, timedelta
from typing import TypedDict

from curfew.audit.record import Record, Story


class AboutRequest(TypedDict):
    """The fields of an alert about exactly one request."""

    people: tuple[str, ...]
    namespace: str
    policy: str
    story: Story


def about(story: Story) -> AboutRequest:
    """Return the fields of an alert about a request."""
    return {
        "people": (story.requester,) if story.requester else (),
        "namespace": story.namespace,
        "policy": policy_of(story),
        "story": story,
    }


def policy_of(story: Story | None) -> str:
    """Return the name of the policy that a request is under; empty if it is not known, or if there is no request."""
    return story.policy.name if story is not None and story.policy is not None else ""


def role_of(story: Story) -> str:
    """Return the role of a request, one text for each role of the cluster; empty if it is not known."""
    if story.role is None:
        return ""
    place = f"{story.namespace}/" if story.role.kind == "Role" else ""
    return f"{story.role.kind}/{place}{story.role.name}"


def was_planned(story: Story, at: datetime, ahead: timedelta) -> bool:
    """Whether people agreed to a grant, which began at a time, so long before."""
    return story.decided_at is not None and at - story.decided_at >= ahead


def asker(story: Story) -> str:
    """Return whom a request is for, as a sentence has it."""
    return story.requester or "somebody"


def decision(record: Record) -> tuple[str, str]:
    """Return what somebody decided, and the effect that it had, of a record of a decision."""
    detail = record.block["detail"]
    return str(detail["decision"]), str(detail["effect"])


def counts(record: Record, kind: str) -> bool:
    """Whether a record is a decision of a kind, such as Approve, that had an effect."""
    decided, effect = decision(record)
    return decided == kind and effect in ("Counted", "TookEffect")

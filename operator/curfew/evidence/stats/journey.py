"""The way of one request, from its creation to the access or to an end without it, as the records of the trail tell it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from curfew.audit.record import Record
from curfew.evidence.stats.waits import WaitMarks, WaitParts

GRANTED: Final = "Granted"
OPEN: Final = "Open"
TIMED_OUT: Final = "TimedOut"

OUTCOMES: Final = {
    "grant.activated": GRANTED,
    "request.rejected": "Rejected",
    "request.cancelled": "Cancelled",
    "request.timed_out": TIMED_OUT,
    "request.deleted": "Deleted",
    "review.denied": "Denied",
    "grant.activation_failed": "Failed",
    "request.closed": "Closed",
}
"""What a request has come to, by the first of these events in the order of the log."""

_PHASES: Final = frozenset({"Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed"})
"""What the end of a story names, if no event before it did: for example, what was approved was revoked before it began."""

LOOKS: Final = frozenset({"Approve", "Deny"})
"""The decisions by which an approver has looked at a request."""

_AUTOMATIC: Final = frozenset({"review.auto_approved", "review.break_glass_invoked"})
_DECIDED: Final = frozenset({"review.approved", "review.denied", *_AUTOMATIC})
_MOST_STAGES: Final = 100


@dataclass(slots=True)
class RequestJourney:
    """What is known of one request. Times are in milliseconds since 1970."""

    uid: str
    created: int
    requester: str = ""
    namespace: str = ""
    policy: str = ""  # NAMESPACE/NAME
    role: str = ""  # KIND/NAME
    outcome: str = OPEN
    accepted: int | None = None
    looked: int | None = None
    decided: int | None = None
    not_before: int | None = None
    over: int | None = None
    needs_nobody: bool = False
    stages: tuple[str, ...] = ()  # those that had to agree
    agreed: dict[str, int] = field(default_factory=dict)  # by stage: its last approval that counted

    def learn(self, record: Record) -> None:
        """Take the next record about the request."""
        event, at = record.event, int(record.body["time"])
        self._know(part(record, "story"))
        if self.over is not None:
            return
        if event == "request.accepted" and self.accepted is None:
            self.accepted = at
            named = part(record, "detail").get("stages")
            if isinstance(named, list | tuple):
                self.stages = tuple(one for one in named[:_MOST_STAGES] if isinstance(one, str))
        elif event == "review.submitted":
            self._decision(part(record, "detail"), at)
        if event in _DECIDED and self.decided is None:
            self.decided = at
            self.needs_nobody = event in _AUTOMATIC
        if event in OUTCOMES:
            phase = part(record, "detail").get("phase")
            self.outcome, self.over = (
                (str(phase) if event == "request.closed" and phase in _PHASES else OUTCOMES[event]),
                at,
            )

    def wait(self, as_of: int) -> WaitParts:
        """Return how long it has waited: until the access, or the end, or until `as_of` if it still waits."""
        over = self.over if self.over is not None else as_of
        return WaitMarks(
            self.created, over, self.accepted, self.looked, self.decided, self.not_before, self.needs_nobody
        ).split()

    def stage_waits(self) -> Mapping[str, int]:
        """Return how long each stage took that has agreed, from the acceptance of the request, in milliseconds."""
        if self.accepted is None:
            return {}
        return {stage: max(0, at - self.accepted) for stage, at in self.agreed.items()}

    def _know(self, story: Mapping[str, Any]) -> None:
        self.requester = self.requester or text(story, "requester")
        self.namespace = self.namespace or text(story, "namespace")
        policy, role = story.get("policy"), story.get("role")
        if isinstance(policy, Mapping):
            self.policy = f"{self.namespace}/{text(policy, 'name')}"
        if isinstance(role, Mapping):
            self.role = f"{text(role, 'kind')}/{text(role, 'name')}"
        if self.not_before is None and "not_before" in story:
            self.not_before = milliseconds(story["not_before"])

    def _decision(self, detail: Mapping[str, Any], at: int) -> None:
        if detail.get("decision") not in LOOKS:
            return
        if self.looked is None:
            self.looked = at
        stage = text(detail, "stage")
        if stage and detail["decision"] == "Approve" and (stage in self.agreed or len(self.agreed) < _MOST_STAGES):
            self.agreed[stage] = at


def part(record: Record, name: str) -> Mapping[str, Any]:
    """Return the story or the detail of a record; nothing if it has none."""
    told = record.block.get(name)
    return told if isinstance(told, Mapping) else {}


def text(told: Mapping[str, Any], name: str) -> str:
    """Return a text; empty if there is none."""
    value = told.get(name)
    return value if isinstance(value, str) else ""


def milliseconds(told: Any) -> int | None:
    """Return an instant in milliseconds since 1970, cut and not rounded; None if it is no instant."""
    try:
        at = datetime.fromisoformat(told)
        return None if at.tzinfo is None else (at - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND
    except (TypeError, ValueError, OverflowError):
        return None


_MILLISECOND: Final = timedelta(milliseconds=1)

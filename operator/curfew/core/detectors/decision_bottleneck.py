"""Requests that wait for people too long."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.record import Story
from curfew.audit.wording import duration
from curfew.core.detectors.about import about, asker, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.deadlines import MOST_STORIES, Deadlines
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.tuning import DetectorSettings, Span
from curfew.core.remembered import Remembered

NAME: Final = "DecisionBottleneck"

SETTLED: Final = frozenset(
    {
        "review.approved",
        "review.denied",
        "review.auto_approved",
        "review.break_glass_invoked",
        "grant.intended",
        "request.cancelled",
        "request.timed_out",
        "request.deleted",
        "request.closed",
    }
)

MOST_OF_A_POLICY: Final = 1_000


class DecisionBottleneckSettings(DetectorSettings):
    """How long is too long."""

    after: Span = timedelta(hours=4)
    privileged: Span = timedelta(minutes=30)
    """The same for a privileged role."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    story: Story
    evidence: Evidence
    after: timedelta


class DecisionBottleneck:
    """Waits for the decision on each request. One alert for each policy is open as long as a request waits too long."""

    name = NAME
    events = SETTLED | {"request.accepted"}

    def __init__(self, tuned: Tuned[DecisionBottleneckSettings], privilege: Privilege) -> None:
        """Know no request."""
        self._tuned = tuned
        self._privilege = privilege
        self._waiting: Deadlines[str, _Waiting] = Deadlines(MOST_STORIES)
        self._settled: Remembered[str, None] = Remembered()
        self._late: Remembered[str, set[str]] = Remembered(10_000)  # requests that wait too long, by their policy

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a request, or that it waits no more."""
        uid = seen.record.subject
        story = seen.story
        if seen.record.event == "request.accepted":
            if uid not in self._settled:
                settings = self._tuned.of(story.namespace, policy_of(story))
                after = settings.privileged if self._privilege.is_privileged(story) else settings.after
                self._waiting.set(uid, seen.at + after, _Waiting(story, Evidence.of(seen), after))
            return
        self._settled[uid] = None
        self._waiting.cancel(uid)
        late = self._late.get(_place(story)) or set()
        late.discard(uid)
        if not late:
            self._late.pop(_place(story))
            yield Resolution(NAME, _place(story), seen.at, "no request waits too long any more", seen)

    def look(self, now: datetime) -> Iterable[Finding]:
        """Find the requests that wait too long by now."""
        for at, uid, waiting in self._waiting.due(now):
            story = waiting.story
            late = self._late[_place(story)] = self._late.get(_place(story)) or set()
            if len(late) < MOST_OF_A_POLICY:
                late.add(uid)
            until = f" until {story.decide_by:%Y-%m-%d %H:%M} UTC" if story.decide_by is not None else ""
            yield Alert(
                detector=NAME,
                key=_place(story),
                at=at,
                severity=Severity.LOW,
                title="Requests wait for a decision",
                message=f"request {story.request} of {asker(story)} under AccessPolicy {policy_of(story)} in "
                f"{story.namespace} has waited for a decision for {duration(waiting.after)}; it can be decided{until}",
                trigger=None,
                evidence=(waiting.evidence,),
                values={"waiting": len(late), "after": duration(waiting.after)},
                **about(story),
            )


def _place(story: Story) -> str:
    return f"{story.namespace}/{policy_of(story)}"

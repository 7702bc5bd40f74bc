"""The glass was broken, and nobody has reviewed it in time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.record import Story
from curfew.audit.wording import duration
from curfew.core.detectors.about import about, asker, counts, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.deadlines import MOST_STORIES, Deadlines
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings, Span
from curfew.core.remembered import Remembered

NAME: Final = "BreakGlassNotReviewed"

REVIEWED: Final = "somebody has reviewed it"


class BreakGlassNotReviewedSettings(DetectorSettings):
    """How long a review may take."""

    after: Span = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Owed:
    story: Story
    evidence: Evidence
    after: timedelta


class BreakGlassNotReviewed:
    """Waits for the review of each use. A review of the requester's own is refused and does not count."""

    name = NAME
    events = frozenset({"review.break_glass_invoked", "review.overdue", "review.submitted"})

    def __init__(self, tuned: Tuned[BreakGlassNotReviewedSettings]) -> None:
        """Know no use."""
        self._tuned = tuned
        self._owed: Deadlines[str, _Owed] = Deadlines(MOST_STORIES)
        self._known: Remembered[str, None] = Remembered()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a use, its review, or that the review is late."""
        event, uid = seen.record.event, seen.record.subject
        if event == "review.submitted":
            if counts(seen.record, "Review"):
                self._owed.cancel(uid)
                self._known[uid] = None
                yield Resolution(NAME, uid, seen.at, REVIEWED, seen)
            return
        story = seen.story
        after = self._tuned.of(story.namespace, policy_of(story)).after
        if uid in self._known:
            return
        self._known[uid] = None
        owed = _Owed(story, Evidence.of(seen), after)
        if event == "review.overdue":  # the use itself is not known: it is longer ago than the logs are read
            yield _alert(owed, seen.at, seen)
        else:
            self._owed.set(uid, seen.at + after, owed)

    def look(self, now: datetime) -> Iterable[Finding]:
        """Find the uses whose review is late by now."""
        for at, _, owed in self._owed.due(now):
            yield _alert(owed, at, None)


def _alert(owed: _Owed, at: datetime, trigger: Seen | None) -> Alert:
    return Alert(
        detector=NAME,
        key=owed.story.uid,
        at=at,
        severity=Severity.HIGH,
        title="A use of break-glass was not reviewed",
        message=f"{asker(owed.story)} used break-glass in {owed.story.namespace} with request {owed.story.request}, and nobody "
        f"else has reviewed it within {duration(owed.after)}",
        trigger=trigger,
        evidence=(owed.evidence,),
        values={"within": duration(owed.after)},
        **about(owed.story),
    )

"""Somebody took access without asking first."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import about, asker, counts, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately

NAME: Final = "BreakGlassUsed"


class BreakGlassUsedSettings(DetectorSettings):
    """From how often on it is worse."""

    often: int = Field(default=2, ge=1, le=200)
    """So many uses by one person are a high alert."""
    within: Span = timedelta(days=7)
    """The time in which they are counted."""


class BreakGlassUsed:
    """Reports each use, and counts those of each person. The review of it resolves the alert."""

    name = NAME
    events = frozenset({"review.break_glass_invoked", "review.submitted"})

    def __init__(self, tuned: Tuned[BreakGlassUsedSettings]) -> None:
        """Know no use."""
        self._tuned = tuned
        self._used: Lately[str, Evidence] = Lately(longest(tuned, lambda one: one.within), most_each=200)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a use, or its review."""
        if seen.record.event == "review.submitted":
            if counts(seen.record, "Review"):
                yield Resolution(NAME, seen.record.subject, seen.at, "the use was reviewed", seen)
            return
        story = seen.story
        settings = self._tuned.of(story.namespace, policy_of(story))
        used = self._used.add(story.requester or "", seen.at, Evidence.of(seen), within=settings.within)
        is_often = len(used) >= settings.often
        again = f", {len(used)} times in {duration(settings.within)}" if is_often else ""
        yield Alert(
            detector=NAME,
            key=story.uid,
            at=seen.at,
            severity=Severity.HIGH if is_often else Severity.MEDIUM,
            title="Break-glass was used",
            message=f"{asker(story)} took access in {story.namespace} without asking first{again}, with request "
            f"{story.request}: {story.reason or 'no reason is known'}",
            trigger=seen,
            evidence=tuple(used),
            values={"uses": len(used), "often": settings.often},
            **about(story),
        )

"""Under one policy, many requests time out: nobody decides them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately

NAME: Final = "RequestsTimeOut"

TIMED_OUT: Final = "request.timed_out"


class RequestsTimeOutSettings(DetectorSettings):
    """How many are many."""

    share: int = Field(default=25, ge=1, le=100)
    """So many of a hundred."""
    requests: int = Field(default=8, ge=2, le=500)
    """So many requests there have to be before a share counts."""
    within: Span = timedelta(days=7)
    quiet: Span = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Outcome:
    evidence: Evidence
    has_timed_out: bool


class RequestsTimeOut:
    """Counts of each policy what became of the requests that people had to decide."""

    name = NAME
    events = frozenset({TIMED_OUT, "review.approved", "review.denied"})

    def __init__(self, tuned: Tuned[RequestsTimeOutSettings]) -> None:
        """Know no request."""
        self._tuned = tuned
        self._outcomes: Lately[str, _Outcome] = Lately(
            longest(tuned, lambda one: one.within), most=10_000, most_each=500
        )

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn what became of a request."""
        story = seen.story
        policy = policy_of(story)
        place = f"{story.namespace}/{policy}"
        settings = self._tuned.of(story.namespace, policy)
        has_timed_out = seen.record.event == TIMED_OUT
        self._outcomes.add(place, seen.at, _Outcome(Evidence.of(seen), has_timed_out), within=settings.within)
        outcomes = self._outcomes.of(place, seen.at - settings.within, seen.at)
        lost = [one for one in outcomes if one.has_timed_out]
        if not has_timed_out or len(outcomes) < settings.requests or len(lost) * 100 < settings.share * len(outcomes):
            return
        yield Alert(
            detector=NAME,
            key=place,
            at=seen.at,
            severity=Severity.LOW,
            title="Many requests time out",
            message=f"under AccessPolicy {policy} in {story.namespace}, {len(lost)} of the last {len(outcomes)} requests in "
            f"{duration(settings.within)} timed out: nobody decided them",
            trigger=seen,
            evidence=tuple(one.evidence for one in lost),
            namespace=story.namespace,
            policy=policy,
            values={"timed_out": len(lost), "requests": len(outcomes), "share": settings.share},
            quiet=settings.quiet,
        )

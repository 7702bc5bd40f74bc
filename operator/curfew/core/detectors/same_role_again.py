"""One person asks for the same role again and again: a candidate for another arrangement."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import policy_of, role_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately

NAME: Final = "SameRoleAgain"


class SameRoleAgainSettings(DetectorSettings):
    """How often is again and again."""

    requests: int = Field(default=5, ge=2, le=200)
    within: Span = timedelta(hours=24)
    quiet: Span = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Again:
    evidence: Evidence
    uid: str


class SameRoleAgain:
    """Counts the requests of each person for each role in each namespace."""

    name = NAME
    events = frozenset({"request.accepted"})

    def __init__(self, tuned: Tuned[SameRoleAgainSettings]) -> None:
        """Know no request."""
        self._tuned = tuned
        self._asked: Lately[tuple[str, str, str], _Again] = Lately(
            longest(tuned, lambda one: one.within), most_each=200
        )

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a request."""
        story = seen.story
        who, role, policy = story.requester, role_of(story), policy_of(story)
        if not who or not role or story.role is None:
            return
        settings = self._tuned.of(story.namespace, policy)
        asked = _Again(Evidence.of(seen), story.uid)
        lately = self._asked.add((who, story.namespace, role), seen.at, asked, within=settings.within)
        times = len({one.uid for one in lately})
        if times < settings.requests:
            return
        yield Alert(
            detector=NAME,
            key=f"{who}/{story.namespace}/{role}",
            at=seen.at,
            severity=Severity.LOW,
            title="The same role again and again",
            message=f"{who} asked {times} times in {duration(settings.within)} for {story.role.kind} {story.role.name} in "
            f"{story.namespace}; longer grants, another role or a fix of the cause may serve better",
            trigger=seen,
            evidence=tuple(one.evidence for one in lately),
            people=(who,),
            namespace=story.namespace,
            policy=policy,
            values={"requests": times, "limit": settings.requests, "role": role},
            quiet=settings.quiet,
        )

"""Many requests by one person in a short time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately

NAME: Final = "ManyRequests"


class ManyRequestsSettings(DetectorSettings):
    """How many requests are many."""

    requests: int = Field(default=4, ge=2, le=200)
    privileged: int = Field(default=2, ge=2, le=200)  # how many if each is for a privileged role
    within: Span = timedelta(minutes=60)
    quiet: Span = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Asked:
    evidence: Evidence
    is_privileged: bool


class ManyRequests:
    """Counts the requests of each person that were understood. Refused ones are counted too."""

    name = NAME
    events = frozenset({"request.accepted", "request.rejected"})

    def __init__(self, tuned: Tuned[ManyRequestsSettings], privilege: Privilege) -> None:
        """Know no request."""
        self._tuned = tuned
        self._privilege = privilege
        self._asked: Lately[str, _Asked] = Lately(longest(tuned, lambda one: one.within), most_each=200)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a request."""
        story = seen.story
        who, policy = story.requester, policy_of(story)
        if not who:
            return
        settings = self._tuned.of(story.namespace, policy)
        asked = _Asked(Evidence.of(seen), self._privilege.is_privileged(story))
        lately = self._asked.add(who, seen.at, asked, within=settings.within)
        privileged = [one for one in lately if one.is_privileged]
        is_many = len(lately) >= settings.requests
        if not is_many and not (asked.is_privileged and len(privileged) >= settings.privileged):
            return
        counted, limit = (lately, settings.requests) if is_many else (privileged, settings.privileged)
        what = "access" if is_many else "privileged access"
        yield Alert(
            detector=NAME,
            key=who,
            at=seen.at,
            severity=Severity.HIGH if len(privileged) >= settings.privileged else Severity.MEDIUM,
            title="Many requests by one person",
            message=f"{who} asked for {what} {len(counted)} times in {duration(settings.within)}, "
            f"last with request {story.request} in {story.namespace}",
            trigger=seen,
            evidence=tuple(one.evidence for one in counted),
            people=(who,),
            namespace=story.namespace,
            policy=policy,
            values={
                "requests": len(counted),
                "limit": limit,
                "within": duration(settings.within),
                "privileged": len(privileged),
            },
            quiet=settings.quiet,
        )

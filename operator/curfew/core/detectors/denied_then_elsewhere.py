"""Denied, and not content: many denials of one person, or the same role asked for again soon after a denial."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from curfew.audit.record import Story
from curfew.audit.wording import duration
from curfew.core.detectors.about import about, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately
from curfew.core.remembered import Remembered

NAME: Final = "DeniedThenElsewhere"


class DeniedThenElsewhereSettings(DetectorSettings):
    """How many denials are many, and how soon is soon."""

    denials: int = Field(default=3, ge=2, le=200)
    within: Span = timedelta(hours=24)
    """The time in which denials are counted."""
    again: Span = timedelta(minutes=30)
    """How soon after a denial the same role must be asked for again."""


@dataclass(frozen=True, slots=True)
class _Denied:
    uid: str
    at: datetime
    namespace: str
    policy: str
    evidence: Evidence


class DeniedThenElsewhere:
    """Remembers the denials of each person, and by role name the last one."""

    name = NAME
    events = frozenset({"review.denied", "request.accepted"})

    def __init__(self, tuned: Tuned[DeniedThenElsewhereSettings]) -> None:
        """Know no denial."""
        self._tuned = tuned
        self._denials: Lately[str, _Denied] = Lately(longest(tuned, lambda one: one.within), most_each=200)
        self._last: Remembered[tuple[str, str], _Denied] = Remembered()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a denial or a request."""
        story = seen.story
        if not story.requester:
            return ()
        settings = self._tuned.of(story.namespace, policy_of(story))
        if seen.record.event == "review.denied":
            return self._denied(seen, story, story.requester, settings)
        return self._asked(seen, story, story.requester, settings)

    def _denied(self, seen: Seen, story: Story, who: str, settings: DeniedThenElsewhereSettings) -> Iterable[Finding]:
        denied = _Denied(story.uid, seen.at, story.namespace, policy_of(story), Evidence.of(seen))
        if story.role is not None:
            self._last[who, story.role.name] = denied
        lately = self._denials.add(who, seen.at, denied, within=settings.within)
        if len({one.uid for one in lately}) < settings.denials:
            return
        yield Alert(
            detector=NAME,
            key=f"denials/{who}",
            at=seen.at,
            severity=Severity.MEDIUM,
            title="Denied several times",
            message=f"{who} was denied access {len(lately)} times in {duration(settings.within)}, last to request "
            f"{story.request} in {story.namespace}",
            trigger=seen,
            evidence=tuple(one.evidence for one in lately),
            people=(who,),
            namespace=story.namespace,
            policy=policy_of(story),
            values={"denials": len(lately), "limit": settings.denials},
            quiet=settings.quiet,
        )

    def _asked(self, seen: Seen, story: Story, who: str, settings: DeniedThenElsewhereSettings) -> Iterable[Finding]:
        last = self._last.get((who, story.role.name)) if story.role is not None else None
        if story.role is None or last is None or last.uid == story.uid:
            return
        after = seen.at - last.at
        if not timedelta() <= after <= settings.again:
            return
        is_elsewhere = (last.namespace, last.policy) != (story.namespace, policy_of(story))
        where = f"in {story.namespace}, under policy {policy_of(story)}" if is_elsewhere else "at the same place"
        yield Alert(
            detector=NAME,
            key=f"again/{who}/{story.role.name}",
            at=seen.at,
            severity=Severity.MEDIUM if is_elsewhere else Severity.LOW,
            title="Denied, then asked again",
            message=f"{who} was denied {story.role.kind} {story.role.name} in {last.namespace}, and asked for it again "
            f"{duration(after)} later {where}, with request {story.request}",
            trigger=seen,
            evidence=(last.evidence, Evidence.of(seen)),
            values={"after_seconds": int(after.total_seconds()), "denied_in": last.namespace},
            quiet=settings.quiet,
            **about(story),
        )

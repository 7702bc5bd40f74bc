"""Approvals that nobody thought about: within seconds, or all by one person."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from curfew.audit.record import Story
from curfew.audit.wording import duration
from curfew.core.detectors.about import counts, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.reading import actor
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately
from curfew.core.remembered import Remembered

NAME: Final = "RubberStamping"

MOST_POLICIES: Final = 5_000
MOST_APPROVALS: Final = 1_000
"""How many approvals under one policy are remembered."""


class RubberStampingSettings(DetectorSettings):
    """How fast is too fast, and how much is too much for one person."""

    faster_than: Span = timedelta(seconds=10)
    fast_approvals: int = Field(default=3, ge=1, le=200)
    within: Span = timedelta(hours=24)
    """The time in which fast approvals of one person are counted."""
    share: int = Field(default=80, ge=1, le=99)
    """More than this share of a policy's approvals, in percent, is too much for one person."""
    approvals: int = Field(default=20, ge=2, le=MOST_APPROVALS)
    """So many approvals there have to be before a share counts."""
    share_within: Span = timedelta(days=30)
    """The time in which approvals under one policy are counted."""


@dataclass(frozen=True, slots=True)
class _Approved:
    at: datetime
    by: str
    evidence: Evidence


@dataclass(slots=True)
class _Policy:
    """The approvals under a policy lately, and how many each person gave."""

    approved: deque[_Approved] = field(default_factory=deque)
    by: Counter[str] = field(default_factory=Counter)

    def add(self, one: _Approved, within: timedelta) -> None:
        self.approved.append(one)
        self.by[one.by] += 1
        while len(self.approved) > MOST_APPROVALS or self.approved[0].at < one.at - within:
            gone = self.approved.popleft()
            self.by[gone.by] -= 1
            if not self.by[gone.by]:
                del self.by[gone.by]


class RubberStamping:
    """Remembers when each request could first be decided, and who approved what lately."""

    name = NAME
    events = frozenset({"request.accepted", "review.submitted"})

    def __init__(self, tuned: Tuned[RubberStampingSettings]) -> None:
        """Know no request."""
        self._tuned = tuned
        self._accepted: Remembered[str, datetime] = Remembered()
        self._fast: Lately[str, Evidence] = Lately(longest(tuned, lambda one: one.within), most_each=200)
        self._policies: Remembered[tuple[str, str], _Policy] = Remembered(MOST_POLICIES)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a request or an approval."""
        if seen.record.event == "request.accepted":
            self._accepted[seen.record.subject] = seen.at
            return
        by = actor(seen.record)
        if not by or not counts(seen.record, "Approve"):
            return
        story = seen.story
        settings = self._tuned.of(story.namespace, policy_of(story))
        yield from self._too_fast(seen, story, by, settings)
        yield from self._too_much(seen, story, by, settings)

    def _too_fast(self, seen: Seen, story: Story, by: str, settings: RubberStampingSettings) -> Iterable[Finding]:
        since = self._accepted.get(story.uid)
        if since is None or not timedelta() <= seen.at - since < settings.faster_than:
            return
        fast = self._fast.add(by, seen.at, Evidence.of(seen), within=settings.within)
        if len(fast) < settings.fast_approvals:
            return
        yield Alert(
            detector=NAME,
            key=f"fast/{by}",
            at=seen.at,
            severity=Severity.MEDIUM,
            title="Approved within seconds",
            message=f"{by} approved {len(fast)} requests in {duration(settings.within)} in less than "
            f"{duration(settings.faster_than)} each, last request {story.request} in {story.namespace}",
            trigger=seen,
            evidence=tuple(fast),
            people=(by,),
            namespace=story.namespace,
            policy=policy_of(story),
            values={"approvals": len(fast), "limit": settings.fast_approvals},
            quiet=settings.quiet,
        )

    def _too_much(self, seen: Seen, story: Story, by: str, settings: RubberStampingSettings) -> Iterable[Finding]:
        place = story.namespace, policy_of(story)
        policy = self._policies[place] = self._policies.get(place) or _Policy()
        policy.add(_Approved(seen.at, by, Evidence.of(seen)), settings.share_within)
        all_, own = len(policy.approved), policy.by[by]
        if all_ < settings.approvals or own * 100 <= settings.share * all_:
            return
        yield Alert(
            detector=NAME,
            key=f"share/{by}/{'/'.join(place)}",
            at=seen.at,
            severity=Severity.LOW,
            title="One person approves nearly everything",
            message=f"{by} gave {own} of the {all_} approvals under AccessPolicy {place[1]} in {place[0]} in "
            f"{duration(settings.share_within)}",
            trigger=seen,
            evidence=tuple(one.evidence for one in policy.approved if one.by == by),
            people=(by,),
            namespace=place[0],
            policy=place[1],
            values={"approvals": own, "of": all_, "share": settings.share},
            quiet=settings.share_within,
        )

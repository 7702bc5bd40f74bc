"""UnusedGrant: somebody held access and made no call with it, as far as the feed shows, which was whole all the time."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.api.activity import COUNTS, Changes
from curfew.audit.wording import duration
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Resolution, Seen, Severity
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Bursts, evidence, only_story
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import detail, number, story_of
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned
from curfew.core.remembered import Remembered

NAME: Final = "UnusedGrant"


class UnusedGrantSettings(DetectorSettings):
    """How many unused grants it takes, and how often that is told."""

    grants: int = Field(default=1, ge=1, le=MOST_IN_A_BURST)
    """How many unused grants of one person under one policy it takes."""
    within: Span = timedelta(days=30)
    """The time in which they are counted."""
    quiet: Span = timedelta(days=30)
    """For how long nothing more is told of one person and one policy."""


class UnusedGrant:
    """Counts the unused grants of each person under each policy."""

    name = NAME
    events = frozenset({"session.assessed"})

    def __init__(self, tuned: Tuned[UnusedGrantSettings]) -> None:
        """Know the settings, and no grant yet."""
        self._tuned = tuned
        self._unused: Bursts[str] = Bursts()
        self._told: Remembered[str, str] = Remembered()  # the alert by the grant that completed it

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn the final answer about a grant."""
        told, uid = detail(seen.record), seen.record.subject
        if told.get("final") is not True:
            return
        if any(number(told, name) for name in COUNTS):
            if (key := self._told.pop(uid)) is not None:
                yield Resolution(NAME, key, seen.at, "calls with the access have arrived late", seen)
            return
        story = story_of(seen.record)
        if story is None or not story.requester or told.get("changes") != Changes.NO:
            return  # Unknown is not No: there may have been calls
        policy = policy_of(story)
        settings = self._tuned.of(story.namespace, policy)
        key = f"{story.requester}/{story.namespace}/{policy}"
        window = self._unused.add(key, seen, seen.at, uid, settings.within)
        if len(window) < settings.grants:
            return
        self._told[uid] = key
        times = (
            f"did not use it (request {story.request})"
            if len(window) == 1
            else f"did not use it, {len(window)} times in {duration(settings.within)}"
        )
        yield Alert(
            detector=NAME,
            key=key,
            at=seen.at,
            severity=Severity.LOW,
            title="Access was granted and not used",
            message=f"{story.requester} held the access of policy {policy or '?'} in {story.namespace} and {times}",
            trigger=seen,
            evidence=evidence(window),
            people=(story.requester,),
            namespace=story.namespace,
            policy=policy,
            story=only_story(window, story),
            values={"grants": len(window), "limit": settings.grants},
            quiet=settings.quiet,
        )

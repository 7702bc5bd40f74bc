"""LeftBehind: what a grant has made is still there after its end, can act or give access on, and nobody decided to keep it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.wording import count
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.deadlines import Deadlines
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import detail, number, story_of, text, texts
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "LeftBehind"
_MOST_NAMED: Final = 3


class LeftBehindSettings(DetectorSettings):
    """How long there is to tidy up."""

    grace: Span = timedelta(minutes=15)
    """How long after the final answer about a grant something may be left before it is told."""


class ObjectsLeftBehind:
    """Waits for each grant that has left something, until nothing is left, somebody keeps it, or the time is over."""

    name = NAME
    events = frozenset({"session.assessed"})

    def __init__(self, tuned: Tuned[LeftBehindSettings]) -> None:
        """Know the settings, and no grant yet."""
        self._tuned = tuned
        self._waiting: Deadlines[str, tuple[Seen, Seen]] = Deadlines()  # the first answer with something left, the last

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn an answer, and return the end of the alert if nothing is left or somebody keeps it."""
        told, uid = detail(seen.record), seen.record.subject
        if told.get("final") is not True:
            return
        if not number(told, "remains"):
            self._waiting.cancel(uid)
            by = text(told, "kept_by")
            why = f"{by} decided to keep it" if by else "nothing is left any more"
            yield Resolution(NAME, uid, seen.at, f"{_what(seen)}: {why}", seen)
            return
        story = story_of(seen.record)
        if story is None:
            return
        settings = self._tuned.of(story.namespace, policy_of(story))
        known = self._waiting.get(uid)
        first = known[0] if known is not None else seen
        self._waiting.set(uid, first.at + settings.grace, (first, seen))

    def look(self, now: datetime) -> Iterable[Finding]:
        """Return the alerts about grants for which the time to tidy up is over."""
        for at, uid, (_, last) in self._waiting.due(now):
            story = story_of(last.record)
            if story is None:
                continue
            told = detail(last.record)
            remains, changed = number(told, "remains"), texts(told, "changed")
            named = f" (changed with it: {', '.join(changed[:_MOST_NAMED])})" if changed else ""
            yield Alert(
                detector=NAME,
                key=uid,
                at=at,
                severity=Severity.MEDIUM,
                title="A grant has left something behind that nobody keeps",
                message=f"{_what(last)} has left {count(remains, 'object')} behind{named}; delete them, or have an approver "
                "decide to keep them",
                trigger=None,
                evidence=(Evidence.of(last),),
                people=(story.requester,) if story.requester else (),
                namespace=story.namespace,
                policy=policy_of(story),
                story=story,
                values={"remains": remains},
            )


def _what(seen: Seen) -> str:
    story = story_of(seen.record)
    return f"request {story.request} of {story.requester}" if story is not None else "the request"

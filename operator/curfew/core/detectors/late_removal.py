"""Access that should have ended and, as far as the trail shows, has not, or has ended late."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from curfew.api.times import format_time
from curfew.audit.record import Story
from curfew.audit.wording import duration
from curfew.core.detectors.about import about, asker, counts, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.deadlines import MOST_STORIES, Deadlines
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.reading import detail, number, time
from curfew.core.detectors.tuning import DetectorSettings, Span
from curfew.core.remembered import Remembered

NAME: Final = "LateRemoval"

GRANTED: Final = frozenset({"grant.intended", "grant.activated"})
ENDED: Final = frozenset(
    {
        "grant.expired",
        "grant.revoked",
        "grant.binding_removed",
        "grant.activation_failed",
        "grant.orphan_removed",
        "request.closed",
    }
)


class LateRemovalSettings(DetectorSettings):
    """How late is late."""

    after: Span = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Due:
    """An access that has to be gone by a time."""

    story: Story
    by: datetime  # when it should have ended
    why: str
    after: timedelta
    evidence: tuple[Evidence, ...]


class LateRemoval:
    """Waits for the end of each grant: after its time, after a decision to revoke it, and after a removal that failed."""

    name = NAME
    events = GRANTED | ENDED | {"review.submitted", "grant.removal_failed"}

    def __init__(self, tuned: Tuned[LateRemovalSettings], privilege: Privilege) -> None:
        """Know no grant."""
        self._tuned = tuned
        self._privilege = privilege
        self._due: Deadlines[str, _Due] = Deadlines(MOST_STORIES)
        self._ended: Remembered[str, None] = Remembered()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn the beginning or the end of a grant, or what should end it."""
        event, uid = seen.record.event, seen.record.subject
        if event in ENDED:
            yield from self._end(seen)
            return
        if uid in self._ended and event != "grant.removal_failed":
            return
        story = seen.story
        if event in GRANTED:
            if story.expires_at is not None:
                self._await(seen, story, story.expires_at, "its time was over")
        elif event == "grant.removal_failed":
            since = time(detail(seen.record), "since") or seen.at
            self._await(seen, story, since, "its removal failed")
        elif counts(seen.record, "Revoke"):
            self._await(seen, story, seen.at, "it was revoked")

    def look(self, now: datetime) -> Iterable[Finding]:
        """Find what should have ended by now."""
        for at, _, due in self._due.due(now):
            yield self._alert(due, at, None, "and no record shows that it did")

    def _await(self, seen: Seen, story: Story, by: datetime, why: str) -> None:
        """Await the end of a grant. The earliest time by which it must end counts."""
        before = self._due.get(story.uid)
        evidence = (*(before.evidence[-4:] if before is not None else ()), Evidence.of(seen))
        if before is not None and before.by < by:
            by, why = before.by, before.why
        after = self._tuned.of(story.namespace, policy_of(story)).after
        self._due.set(story.uid, by + after, _Due(story, by, why, after, evidence))

    def _end(self, seen: Seen) -> Iterable[Finding]:
        uid = seen.record.subject
        due = self._due.cancel(uid)
        self._ended[uid] = None
        late = timedelta(milliseconds=min(number(detail(seen.record), "late_ms"), 10**13))
        if seen.record.event == "grant.expired":
            story = seen.story
            after = self._tuned.of(story.namespace, policy_of(story)).after
            if due is not None and late > after:  # it was not reported at its deadline: the record came before that
                ended = _Due(story, seen.at - late, "its time was over", after, (*due.evidence, Evidence.of(seen)))
                yield self._alert(ended, seen.at, seen, f"and ended {duration(late)} late")
        yield Resolution(NAME, uid, seen.at, "the access is gone", seen)

    def _alert(self, due: _Due, at: datetime, trigger: Seen | None, what: str) -> Alert:
        story, role = due.story, due.story.role
        of = f"{role.kind} {role.name}" if role is not None else "a role"
        return Alert(
            detector=NAME,
            key=story.uid,
            at=at,
            severity=Severity.CRITICAL if self._privilege.is_privileged(story) else Severity.HIGH,
            title="Access did not end on time",
            message=f"the access of {asker(story)} to {of} in {story.namespace} (request {story.request}) should have ended "
            f"at {format_time(due.by)} because {due.why}, {what}",
            trigger=trigger,
            evidence=due.evidence,
            values={"by": format_time(due.by), "after": duration(due.after)},
            **about(story),
        )

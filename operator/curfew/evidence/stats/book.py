"""Takes the records of both logs, and keeps what the statistics of a period are made of."""

from collections.abc import Iterable
from datetime import tzinfo

from curfew.api.names import is_self_test
from curfew.audit.record import Record
from curfew.audit.timespan import Span
from curfew.evidence.stats.deciding import Decisions
from curfew.evidence.stats.figures import RequestStats
from curfew.evidence.stats.journey import RequestJourney, part, text
from curfew.evidence.stats.using import UsedRules, was_unused

ASKED = "request.created"
TRAIL_EVENTS = ("request.*", "review.*", "grant.*")
ACTIVITY_EVENTS = ("session.assessed", "call.*", "stream.opened")
"""The events of each log that statistics are made of."""

_STORY = tuple(pattern.removesuffix("*") for pattern in TRAIL_EVENTS)


class StatsBook:
    """What is known of the requests that were made in a period. Memory grows with these, not with the logs.

    A request belongs to the period in which it was created, also if it is decided later. One whose creation is not in the
    log is left out, as the log's own beginning leaves it out.
    """

    def __init__(self, span: Span) -> None:
        """Know no request. `span` is the period."""
        self._span = span
        self._journeys: dict[str, RequestJourney] = {}
        self._decisions = Decisions(span)
        self._answers: dict[str, bool] = {}
        self._last = 0

    def take(self, record: Record) -> None:
        """Take the next record of the trail."""
        if not record.event.startswith(_STORY):
            return
        self._last = max(self._last, int(record.body["time"]))
        known = self._journeys.get(record.subject)
        if known is None and record.event == ASKED and record.at in self._span and not _is_self_test(record):
            known = self._journeys[record.subject] = RequestJourney(record.subject, int(record.body["time"]))
        if known is not None:
            known.learn(record)
        if record.event == "review.submitted":
            self._decisions.learn(record, _policy(record))

    def take_activity(self, record: Record) -> None:
        """Take the next record of the log of activity, after the trail."""
        if record.event == "session.assessed" and record.subject in self._journeys:
            answer = was_unused(record)
            if answer is None:
                self._answers.pop(record.subject, None)
            else:
                self._answers[record.subject] = answer

    def knows(self, uid: str) -> bool:
        """Whether a request was made in the period."""
        return uid in self._journeys

    def stats(self, zone: tzinfo, used: Iterable[UsedRules] | None) -> RequestStats:
        """Return the statistics. Hours and weekdays are those of `zone`; `used` is None if there is no log of activity."""
        return RequestStats(
            span=self._span,
            zone=zone,
            as_of=self._last,
            journeys=tuple(self._journeys.values()),
            decisions=self._decisions,
            answers=self._answers,
            used=tuple(used) if used is not None else None,
        )


def _policy(record: Record) -> str:
    story = part(record, "story")
    policy = story.get("policy")
    return f"{text(story, 'namespace')}/{text(policy, 'name')}" if isinstance(policy, dict) else ""


def _is_self_test(record: Record) -> bool:
    story = part(record, "story")
    return is_self_test(text(story, "namespace"), text(story, "request"), text(story, "submitted_by"))

"""UnusedEligibility: a policy offers access that nobody has asked for in a long time.

Who may ask is decided by RBAC, which no record holds. So this is about policies, and not about single people.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from curfew.api.access_policy import Mode
from curfew.audit.carried import STORIES_OPEN
from curfew.audit.record import Record, RecordRefused
from curfew.audit.wording import duration
from curfew.core.detectors.alert import Alert, Evidence, Resolution, Seen, Severity
from curfew.core.detectors.deadlines import Deadlines
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import LONGEST, detail, story_of
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned
from curfew.core.policy_records import place_of
from curfew.core.remembered import Remembered

NAME: Final = "UnusedEligibility"
_Place = tuple[str, str]  # namespace and name of a policy
_MOST_POLICIES: Final = 20_000
_OFFERED: Final = frozenset({"policy.created", "policy.updated", "policy.weakened"})
_DELETED: Final = "policy.deleted"
_ASKED: Final = frozenset({"request.created", "request.accepted", "review.break_glass_invoked", "grant.intended"})


class UnusedEligibilitySettings(DetectorSettings):
    """How long a policy may be unused."""

    within: Span = timedelta(days=30)
    """For how long nobody has asked."""
    break_glass: bool = False
    """Whether policies for emergencies are told too. Those are meant to be unused."""


class UnusedEligibility:
    """Knows the policies, and when each was last asked for. The alert is open until somebody asks, or the policy is gone."""

    name = NAME
    events = _OFFERED | _ASKED | {_DELETED, STORIES_OPEN}

    def __init__(self, tuned: Tuned[UnusedEligibilitySettings]) -> None:
        """Know the settings, and no policy yet."""
        self._tuned = tuned
        self._watched: Remembered[_Place, bool] = Remembered(_MOST_POLICIES)  # policies, and whether their use matters
        # Since when nobody has asked, and the record that shows it.
        self._unused: Deadlines[_Place, tuple[datetime, Seen]] = Deadlines(_MOST_POLICIES)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn that a policy is there, is gone, or is asked for."""
        event = seen.record.event
        if event == STORIES_OPEN:
            for record in _carried(seen.record):
                self._offer(record, seen)
        elif event in _ASKED:
            yield from self._ask(seen)
        elif event in _OFFERED:
            self._offer(seen.record, seen)
        elif (place := _place(seen.record)) is not None:
            self._watched.pop(place)
            self._unused.cancel(place)
            yield self._end(place, seen, "the policy is gone")

    def look(self, now: datetime) -> Iterable[Finding]:
        """Return the alerts about policies that nobody has asked for in the time."""
        for at, (namespace, name), (since, shown) in self._unused.due(now):
            yield Alert(
                detector=NAME,
                key=f"{namespace}/{name}",
                at=at,
                severity=Severity.LOW,
                title="Nobody asks for what a policy offers",
                message=f"nobody has asked for policy {name} in {namespace} in {duration(at - since)}; if nobody needs it any "
                "more, delete it",
                trigger=None,
                evidence=(Evidence.of(shown),),
                namespace=namespace,
                policy=name,
                values={"days": (at - since) // timedelta(days=1)},
            )

    def _offer(self, record: Record, seen: Seen) -> None:
        """Learn a policy as a record has it. One that is known already stays as unused as it was."""
        place = _place(record)
        if place is None:
            return
        was_watched, settings = self._watched.get(place), self._tuned.of(*place)
        is_watched = settings.break_glass or not _is_break_glass(record)
        self._watched[place] = is_watched
        if not is_watched:
            self._unused.cancel(place)
        elif not was_watched:
            self._unused.set(place, seen.at + settings.within, (seen.at, seen))

    def _ask(self, seen: Seen) -> Iterable[Finding]:
        story = story_of(seen.record)
        if story is None or story.policy is None:
            return
        place = story.namespace, story.policy.name
        if self._watched.get(place):
            known = self._unused.get(place)
            if known is None or known[0] <= seen.at:
                self._unused.set(place, seen.at + self._tuned.of(*place).within, (seen.at, seen))
            yield self._end(place, seen, "somebody has asked for it")

    def _end(self, place: _Place, seen: Seen, why: str) -> Resolution:
        return Resolution(NAME, "/".join(place), seen.at, why, seen)


def _place(record: Record) -> _Place | None:
    place = place_of(record)
    return (place.namespace[:LONGEST], place.name[:LONGEST]) if place is not None else None


def _is_break_glass(record: Record) -> bool:
    spec = detail(record).get("spec")
    approval = spec.get("approval") if isinstance(spec, Mapping) else None
    return isinstance(approval, Mapping) and approval.get("mode") == Mode.BREAK_GLASS


def _carried(record: Record) -> Iterator[Record]:
    """Yield the records of policies that the log carries forward."""
    policies = detail(record).get("policies")
    for body in policies if isinstance(policies, list) else ():
        try:
            carried = Record.parse(body)
        except RecordRefused:
            continue
        if carried.event in _OFFERED:
            yield carried

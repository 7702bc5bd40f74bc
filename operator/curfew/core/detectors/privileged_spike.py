"""A spike of privileged grants: many more in an hour than is usual here."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import was_planned
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.tuning import DetectorSettings, Span

NAME: Final = "PrivilegedSpike"

MOST: Final = 20_000
"""How many grants of the time that is looked back at are remembered."""

HOUR: Final = timedelta(hours=1)


class PrivilegedSpikeSettings(DetectorSettings):
    """When privileged grants are a spike: as many as the least, and as the usual hour's number times the factor."""

    least: int = Field(default=5, ge=2, le=10_000)
    factor: int = Field(default=3, ge=1, le=100)
    within: Span = timedelta(days=14)
    """How far back hours count as usual."""
    planned: Span = timedelta(hours=12)
    """A grant that people agreed to so long before it begins is planned, and is not counted."""
    quiet: Span = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class _Granted:
    at: datetime
    who: str
    evidence: Evidence


class PrivilegedSpike:
    """Compares the privileged grants of the last 60 minutes with the hours of the days before: their 95th percentile."""

    name = NAME
    events = frozenset({"grant.activated"})

    def __init__(self, tuned: Tuned[PrivilegedSpikeSettings], privilege: Privilege) -> None:
        """Know no grant. Policies have no settings of their own here: it is about all of them together."""
        self._settings = tuned.usual
        self._privilege = privilege
        self._granted: deque[_Granted] = deque(maxlen=MOST)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a grant."""
        story = seen.story
        if not self._privilege.is_privileged(story) or was_planned(story, seen.at, self._settings.planned):
            return
        self._granted.append(_Granted(seen.at, story.requester or "", Evidence.of(seen)))
        at = seen.at
        while self._granted[0].at < at - self._settings.within - HOUR:
            self._granted.popleft()
        lately = [one for one in self._granted if at - HOUR < one.at <= at]
        if len(lately) < self._settings.least:
            return
        usual = self._usual(at)
        limit = max(self._settings.least, self._settings.factor * usual)
        if len(lately) < limit:
            return
        people = tuple(dict.fromkeys(one.who for one in lately if one.who))
        yield Alert(
            detector=NAME,
            key="privileged",
            at=seen.at,
            severity=Severity.HIGH,
            title="A spike of privileged grants",
            message=f"{len(lately)} privileged grants began within 60 min, for {len(people)} "
            f"{'person' if len(people) == 1 else 'people'}; in a busy hour of the last {duration(self._settings.within)} "
            f"there were {usual}",
            trigger=seen,
            evidence=tuple(one.evidence for one in lately),
            people=people,
            values={"grants": len(lately), "limit": limit, "usual": usual},
            quiet=self._settings.quiet,
        )

    def _usual(self, at: datetime) -> int:
        """Return the 95th percentile of privileged grants in the hours before the last one, empty hours included."""
        hours = max(1, self._settings.within // HOUR)
        counts = [0] * hours
        for one in self._granted:
            ago = (at - HOUR - one.at) // HOUR
            if 0 <= ago < hours and one.at <= at - HOUR:
                counts[ago] += 1
        return sorted(counts)[(95 * hours - 1) // 100]

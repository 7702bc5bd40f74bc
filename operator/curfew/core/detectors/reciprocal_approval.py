"""Two people who approve each other, and nobody else approves either."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.about import counts, policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.reading import actor
from curfew.core.detectors.tuning import DetectorSettings, Span, longest
from curfew.core.detectors.windows import Lately

NAME: Final = "ReciprocalApproval"


class ReciprocalApprovalSettings(DetectorSettings):
    """How often each of the two has to have approved the other."""

    times: int = Field(default=3, ge=1, le=200)
    within: Span = timedelta(days=7)
    quiet: Span = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Given:
    by: str
    uid: str  # of the request
    evidence: Evidence


class ReciprocalApproval:
    """Remembers who approved the requests of each person lately, and looks at the last ones of both."""

    name = NAME
    events = frozenset({"review.submitted"})

    def __init__(self, tuned: Tuned[ReciprocalApprovalSettings]) -> None:
        """Know no approval."""
        self._tuned = tuned
        self._given: Lately[str, _Given] = Lately(longest(tuned, lambda one: one.within), most_each=200)

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn an approval."""
        by = actor(seen.record)
        if not by or not counts(seen.record, "Approve"):
            return
        story = seen.story
        who, settings = story.requester, self._tuned.of(story.namespace, policy_of(story))
        if not who or who == by:
            return
        self._given.add(who, seen.at, _Given(by, story.uid, Evidence.of(seen)))
        # What is newer counts too, if this record comes late.
        since, until = seen.at - settings.within, seen.at + settings.within
        to_one = _by_one(self._given.of(who, since, until), by)
        to_other = _by_one(self._given.of(by, since, until), who)
        if min(len({one.uid for one in given}) for given in (to_one, to_other)) < settings.times:
            return
        first, second = sorted((who, by))
        yield Alert(
            detector=NAME,
            key=f"{first}/{second}",
            at=seen.at,
            severity=Severity.MEDIUM,
            title="Two people approve each other",
            message=f"{who} and {by} approved each other's last requests ({len(to_other)} and {len(to_one)} of them, in "
            f"{duration(settings.within)}), and nobody else approved any in between",
            trigger=seen,
            evidence=tuple(one.evidence for one in (*to_one, *to_other)),
            people=(by, who),
            namespace=story.namespace,
            policy=policy_of(story),
            values={"approvals": len(to_one) + len(to_other), "limit": settings.times},
            quiet=settings.quiet,
        )


def _by_one(given: Sequence[_Given], by: str) -> Sequence[_Given]:
    """Return the last approvals, up to where somebody else gave one."""
    others = [place for place, one in enumerate(given) if one.by != by]
    return given[others[-1] + 1 :] if others else given

"""Probing: the holder of a grant tries out what they may do: many refusals in a short time, of different things."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import duration
from curfew.core.detectors.alert import Alert, Seen, Severity
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Bursts, evidence, only_story
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.grant_calls import grant_call
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "Probing"


class ProbingSettings(DetectorSettings):
    """How many refusals, of how many different things, in how long."""

    refusals: int = Field(default=10, ge=1, le=MOST_IN_A_BURST)
    """How many calls of one person have to be refused."""
    different: int = Field(default=3, ge=1, le=MOST_IN_A_BURST)
    """How many different things they have to be about: a program that tries one thing again and again is not probing."""
    within: Span = timedelta(minutes=5)
    """The time in which they are counted."""
    quiet: Span = timedelta(hours=1)
    """For how long nothing more is told of one person under one policy."""


class Probing:
    """Counts the refused calls of each person while they hold a grant."""

    name = NAME
    events = frozenset({"call.refused"})

    def __init__(self, tuned: Tuned[ProbingSettings]) -> None:
        """Know the settings, and no refusal yet."""
        self._tuned = tuned
        self._refused: Bursts[tuple[str, ...]] = Bursts()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a call that was refused."""
        known = grant_call(seen)
        if known is None:
            return
        settings = self._tuned.of(known.namespace, known.policy)
        # A call that was refused belongs to each grant of its person there, and is one call.
        who = f"{known.person}/{known.namespace}"
        call = known.call
        thing = call.verb, call.group, call.resource, call.subresource, call.name
        window = self._refused.add(who, seen, known.at, (call.call, *thing), settings.within)
        different = len({one.what[1:] for one in window})
        if len(window) < settings.refusals or different < settings.different:
            return
        yield Alert(
            detector=NAME,
            key=who,
            at=window[-1].at,
            severity=Severity.MEDIUM,
            title="Somebody tries out what a grant allows",
            message=f"{known.person} was refused {len(window)} times in {duration(settings.within)} in {known.namespace}, "
            f"about {different} different things, while holding a grant",
            trigger=seen,
            evidence=evidence(window),
            people=(known.person,),
            namespace=known.namespace,
            policy=known.policy,
            story=only_story(window, known.story),
            values={"refusals": len(window), "different": different, "limit": settings.refusals},
            quiet=settings.quiet,
        )

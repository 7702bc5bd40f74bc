"""RefusedDecision: somebody tried to make a decision that they may not make, such as one about their own request."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import count, duration
from curfew.core.detectors.about import policy_of
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Bursts, evidence, total
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.reading import actor, detail, number, story_of, text
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "RefusedDecision"
_BY_API_SERVER, _BY_OPERATOR = "decision.refused", "review.refused"
_OWN: Final = frozenset({"own_request", "OwnRequest"})
_FORGED: Final = "forged"
_COUNTED: Final = frozenset({_FORGED, "not_eligible", "SamePerson"})
"""Refusals that are no slip. Being late, or naming no reason, is one: those never count."""


class RefusedDecisionSettings(DetectorSettings):
    """How many refusals are told. One about somebody's own request always is."""

    others: int = Field(default=2, ge=1, le=MOST_IN_A_BURST)
    """How many decisions of one person have to be refused, for another reason than that it is their own request."""
    within: Span = timedelta(hours=1)
    """The time in which those are counted."""


class RefusedDecision:
    """Counts the refused decisions of each person."""

    name = NAME
    events = frozenset({_BY_API_SERVER, _BY_OPERATOR})

    def __init__(self, tuned: Tuned[RefusedDecisionSettings]) -> None:
        """Know the settings, and no refusal yet."""
        self._tuned = tuned
        self._others: Bursts[str] = Bursts()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a refusal."""
        told, who = detail(seen.record), actor(seen.record)
        story = story_of(seen.record)
        policy = policy_of(story)
        namespace = story.namespace if story is not None else text(told, "namespace")
        settings = self._tuned.of(namespace, policy)
        is_probe = told.get("dry_run") is True and who.startswith("system:")  # a test of the guards, which they passed
        if not who or is_probe:
            return
        why = text(told, "why") or text(told, "effect")
        request = f"{namespace}/{story.request if story is not None else text(told, 'request')}"
        if why in _OWN:
            yield Alert(
                detector=NAME,
                key=f"own/{who}/{request}",
                at=seen.at,
                severity=Severity.HIGH,
                title="Somebody tried a decision that they may not make",
                message=f"{who} tried to decide about their own request {request}, and was refused",
                trigger=seen,
                evidence=(Evidence.of(seen),),
                people=(who,),
                namespace=namespace,
                policy=policy,
                story=story,
                values={"why": "own request"},
                quiet=settings.quiet,
            )
        elif why in _COUNTED:
            yield from self._count(seen, who, namespace, settings, max(number(told, "count"), 1))

    def _count(
        self, seen: Seen, who: str, namespace: str, settings: RefusedDecisionSettings, times: int
    ) -> Iterable[Finding]:
        window = self._others.add(who, seen, seen.at, seen.record.id, settings.within, weight=times)
        if total(window) < settings.others:
            return
        is_forged = any(text(detail(one.seen.record), "why") == _FORGED for one in window)
        what = ", in another's name or with more than one decision" if is_forged else ""
        yield Alert(
            detector=NAME,
            key=f"others/{who}",
            at=window[-1].at,
            severity=Severity.HIGH if is_forged else Severity.MEDIUM,
            title="Somebody tried a decision that they may not make",
            message=f"{who} tried to make {count(total(window), 'decision')} in {duration(settings.within)} that they may not "
            f"make{what}; all were refused",
            trigger=seen,
            evidence=evidence(window),
            people=(who,),
            namespace=namespace,
            values={"refused": total(window), "limit": settings.others},
            quiet=settings.quiet,
        )

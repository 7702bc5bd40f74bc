"""MassSecretReads: many secrets were read under grants of one person in a short time."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import count, duration
from curfew.core.activity.effect import Effect, Sensitive
from curfew.core.detectors.alert import Alert, Seen, Severity
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Bursts, evidence, only_story, total
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.grant_calls import MADE_WITH_IT, grant_call
from curfew.core.detectors.reading import detail, text
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "MassSecretReads"


class MassSecretReadsSettings(DetectorSettings):
    """How many secrets in how long."""

    secrets: int = Field(default=20, ge=1, le=MOST_IN_A_BURST)
    """How many different secrets of one person's grants under one policy have to be read."""
    listing: int = Field(default=10, ge=1, le=MOST_IN_A_BURST)
    """How many secrets a list of all secrets of a namespace counts as: its event does not show how many there were."""
    within: Span = timedelta(minutes=10)
    """The time in which they are counted."""
    quiet: Span = timedelta(hours=1)
    """For how long nothing more is told of one person under one policy."""


class MassSecretReads:
    """Counts the secrets that each person reads under the grants of each policy."""

    name = NAME
    events = frozenset({"call.read", "stream.opened"})

    def __init__(self, tuned: Tuned[MassSecretReadsSettings]) -> None:
        """Know the settings, and no secret yet."""
        self._tuned = tuned
        self._read: Bursts[tuple[str, str]] = Bursts()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a call that read a secret, or a list of them."""
        if text(detail(seen.record), "sensitive") != Sensitive.SECRETS:
            return
        known = grant_call(seen)
        if known is None or known.call.how not in MADE_WITH_IT or known.call.effect is not Effect.READ:
            return
        settings = self._tuned.of(known.namespace, known.policy)
        who = f"{known.person}/{known.namespace}/{known.policy}"
        weight = 1 if known.call.name else settings.listing
        what = known.call.namespace, known.call.name
        window = self._read.add(who, seen, known.at, what, settings.within, weight=weight)
        if total(window) < settings.secrets:
            return
        lists = sum(not name for _, name in (one.what for one in window))
        told = [count(len(window) - lists, "secret")] if len(window) > lists else []
        told += [f"{count(lists, 'list')} of all secrets"] if lists else []
        yield Alert(
            detector=NAME,
            key=who,
            at=window[-1].at,
            severity=Severity.HIGH,
            title="Many secrets were read under a grant",
            message=f"{known.person} read {' and '.join(told)} in {duration(settings.within)} under policy "
            f"{known.policy or '?'} in {known.namespace}",
            trigger=seen,
            evidence=evidence(window),
            people=(known.person,),
            namespace=known.namespace,
            policy=known.policy,
            story=only_story(window, known.story),
            values={"secrets": len(window) - lists, "lists": lists, "limit": settings.secrets},
            quiet=settings.quiet,
        )

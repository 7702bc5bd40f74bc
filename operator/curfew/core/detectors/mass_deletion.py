"""MassDeletion: much was deleted or changed under grants of one person in a short time."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from curfew.audit.wording import count, duration
from curfew.core.activity.classify import DELETES
from curfew.core.detectors.alert import Alert, Seen, Severity
from curfew.core.detectors.bursts import MOST_IN_A_BURST, Bursts, evidence, only_story, total
from curfew.core.detectors.detector import Finding
from curfew.core.detectors.grant_calls import CHANGES, MADE_WITH_IT, GrantCall, grant_call
from curfew.core.detectors.tuning import DetectorSettings, Span, Tuned

NAME: Final = "MassDeletion"


class MassDeletionSettings(DetectorSettings):
    """How many deletions or changes in how long."""

    deletes: int = Field(default=20, ge=1, le=MOST_IN_A_BURST)
    """How many objects have to be deleted under one person's grants of one policy."""
    collection: int = Field(default=10, ge=1, le=MOST_IN_A_BURST)
    """How many objects the deletion of a whole collection counts as: its event does not show how many there were."""
    changes: int = Field(default=100, ge=1, le=MOST_IN_A_BURST)
    """How many calls have to change something, deletions among them."""
    within: Span = timedelta(minutes=10)
    """The time in which they are counted."""
    quiet: Span = timedelta(hours=1)
    """For how long nothing more is told of one person under one policy."""


class MassDeletion:
    """Counts the deletions and the changes of each person under the grants of each policy."""

    name = NAME
    events = CHANGES

    def __init__(self, tuned: Tuned[MassDeletionSettings]) -> None:
        """Know the settings, and no call yet."""
        self._tuned = tuned
        self._deleted: Bursts[str] = Bursts()
        self._changed: Bursts[str] = Bursts()

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a call that changed something, or may have."""
        known = grant_call(seen)
        if known is None or known.call.how not in MADE_WITH_IT:
            return
        settings = self._tuned.of(known.namespace, known.policy)
        who = f"{known.person}/{known.namespace}/{known.policy}"
        if known.call.verb in DELETES:
            weight = settings.collection if known.call.verb == "deletecollection" else 1
            yield from self._judge(known, who, self._deleted, settings, weight, settings.deletes, "deleted")
        yield from self._judge(known, who, self._changed, settings, 1, settings.changes, "changed")

    def _judge(
        self,
        known: GrantCall,
        who: str,
        bursts: Bursts[str],
        settings: MassDeletionSettings,
        weight: int,
        limit: int,
        did: str,
    ) -> Iterable[Finding]:
        window = bursts.add(who, known.seen, known.at, known.call.call, settings.within, weight=weight)
        if total(window) < limit:
            return
        how_much = f"{count(len(window), 'deletion')}" if did == "deleted" else f"{count(len(window), 'change')}"
        yield Alert(
            detector=NAME,
            key=f"{did}/{who}",
            at=window[-1].at,
            severity=Severity.HIGH,
            title="Much was deleted or changed under a grant",
            message=f"{known.person} made {how_much} in {duration(settings.within)} under policy {known.policy or '?'} in "
            f"{known.namespace}",
            trigger=known.seen,
            evidence=evidence(window),
            people=(known.person,),
            namespace=known.namespace,
            policy=known.policy,
            story=only_story(window, known.story),
            values={did: len(window), "limit": limit},
            quiet=settings.quiet,
        )

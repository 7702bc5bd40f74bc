"""Somebody holds a privileged role for the first time."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from curfew.audit.wording import duration
from curfew.core.detectors.about import about, asker, policy_of, role_of, was_planned
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.privilege import Privilege
from curfew.core.detectors.tuning import DetectorSettings, Span
from curfew.core.remembered import Remembered

NAME: Final = "FirstPrivilegedRole"


class FirstPrivilegedRoleSettings(DetectorSettings):
    """How long ago is forgotten."""

    within: Span = timedelta(days=90)
    """A grant that is longer ago than this does not count."""
    learning: Span = timedelta(days=30)
    """How much of the trail must be known before anything is a first time."""
    planned: Span = timedelta(hours=12)
    """A grant that people agreed to so long before it begins is planned, and is not reported."""


class FirstPrivilegedRole:
    """Remembers when each person last held each privileged role."""

    name = NAME
    events = frozenset({"grant.activated"})

    def __init__(self, tuned: Tuned[FirstPrivilegedRoleSettings], privilege: Privilege) -> None:
        """Know nobody."""
        self._tuned = tuned
        self._privilege = privilege
        self._held: Remembered[tuple[str, str], datetime] = Remembered()
        self._since: datetime | None = None  # from when on the trail is known

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a grant."""
        story = seen.story
        self._since = min(seen.at, self._since) if self._since is not None else seen.at
        who, role = story.requester, role_of(story)
        if not who or story.role is None or not self._privilege.is_privileged(story):
            return
        settings = self._tuned.of(story.namespace, policy_of(story))
        before = self._held.get((who, role))
        self._held[who, role] = max(seen.at, before) if before is not None else seen.at
        if before is not None and seen.at - before <= settings.within:
            return
        if seen.at - self._since < settings.learning or was_planned(story, seen.at, settings.planned):
            return
        known = min(settings.within, seen.at - self._since)
        yield Alert(
            detector=NAME,
            key=f"{who}/{role}",
            at=seen.at,
            severity=Severity.MEDIUM,
            title="A privileged role for the first time",
            message=f"{asker(story)} holds the privileged {story.role.kind} {story.role.name} in {story.namespace} for the "
            f"first time in {duration(timedelta(days=known.days))}, with request {story.request}",
            trigger=seen,
            evidence=(Evidence.of(seen),),
            values={"role": role, "days": known.days},
            quiet=settings.quiet,
            **about(story),
        )

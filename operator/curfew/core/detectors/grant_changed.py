"""Somebody other than Curfew changed a grant: its binding, or the role that it binds."""

from collections.abc import Iterable, Mapping
from typing import Final

from curfew.core.detectors.about import about
from curfew.core.detectors.alert import Alert, Evidence, Seen, Severity
from curfew.core.detectors.detector import Finding, Tuned
from curfew.core.detectors.tuning import DetectorSettings

NAME: Final = "GrantChanged"

_SEVERITIES: Final[Mapping[str, Severity]] = {
    "grant.drifted": Severity.HIGH,
    "grant.orphan_removed": Severity.HIGH,
    "grant.binding_removed": Severity.MEDIUM,
    "grant.role_changed": Severity.MEDIUM,
}


class GrantChangedSettings(DetectorSettings):
    """Nothing but whether it is on, and for how long the same is not reported again."""


class GrantChanged:
    """Reports each change, once for each grant and kind of change."""

    name = NAME
    events = frozenset(_SEVERITIES)

    def __init__(self, tuned: Tuned[GrantChangedSettings]) -> None:
        """Remember nothing: each record is enough by itself."""
        self._tuned = tuned

    def learn(self, seen: Seen) -> Iterable[Finding]:
        """Learn a change."""
        story = seen.story
        fields = about(story)
        yield Alert(
            detector=NAME,
            key=f"{seen.record.event}/{story.uid}",
            at=seen.at,
            severity=_SEVERITIES[seen.record.event],
            title="A grant was changed from outside",
            message=seen.record.message,
            trigger=seen,
            evidence=(Evidence.of(seen),),
            values={"event": seen.record.event},
            quiet=self._tuned.of(fields["namespace"], fields["policy"]).quiet,
            **fields,
        )

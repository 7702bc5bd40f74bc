"""What an alert is about, as OCSF has it in a Detection Finding."""

from dataclasses import dataclass
from typing import Any

from curfew.audit.event_type import RAISE, RESOLVE, EventType


@dataclass(frozen=True, slots=True)
class FindingInfo:
    """The subject of an alert: one uid from the time it is raised until it is resolved, and a short title."""

    uid: str
    title: str
    detector: str = ""  # what found it
    severity: int | None = None  # in OCSF's numbers; None: that of the event

    def to_ocsf(self, kind: EventType) -> dict[str, Any]:
        """Return the fields of a Detection Finding."""
        # OCSF has other numbers for a finding: 1 it is new, 2 somebody works on it, 4 it is resolved.
        status = {RAISE: 1, RESOLVE: 4}.get(kind.activity_id, 2)
        info = {"uid": self.uid, "title": self.title} | ({"types": [self.detector]} if self.detector else {})
        return {"finding_info": info, "status_id": status, "severity_id": self.severity or kind.severity_id}

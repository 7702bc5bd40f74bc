"""Notices that the API server's state went back to an earlier one, because etcd was restored from a snapshot.

Kubernetes numbers every change. If the numbers go back, a process that remembers them is misled: deleted objects exist
again, newer objects look older, and a watch waits for numbers that are far away. So the number is checked every few seconds.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from curfew.audit.record import CURFEW, Record, make_record
from curfew.ports import Cluster, ClusterError


class Course(Enum):
    """What happened to the API server's state since the last look."""

    ON = auto()  # it went on
    BACK = auto()  # it went back
    UNKNOWN = auto()  # the API server was away in the meantime: only a comparison of all objects can show it


@dataclass(slots=True)
class Revisions:
    """The highest revision seen, and whether the API server was away since the last answer."""

    cluster: Cluster
    highest: int = 0
    found: int = 0  # at the last look
    was_away: bool = False

    async def look(self) -> Course:
        """Ask for the revision, and return what it shows. Never fails: a missing answer is also a result."""
        try:
            self.found = await self.cluster.revision()
        except ClusterError:
            self.was_away = True
            return Course.ON  # nothing is known; the next answer is checked closely
        was_away, self.was_away = self.was_away, False
        if self.found < self.highest:
            return Course.BACK
        self.highest = self.found
        return Course.UNKNOWN if was_away else Course.ON

    def start_over(self) -> None:
        """Treat the revision that was found last as the highest one."""
        self.highest = self.found


def cluster_set_back(log: str, *, at: datetime, seen: int, found: int) -> Record:
    """Return the record that the API server's state went back. The log is compared with what the cluster has now."""
    return make_record(
        "audit.cluster_set_back",
        at=at,
        actor=CURFEW,
        message=f"The cluster was set back to an earlier state (revision {seen} was seen before, {found} after). "
        "Curfew reads everything again, and closes again what the log holds as closed.",
        subject=log,
        qualifier=at.isoformat(),
        detail={"seen": seen, "found": found},
    )

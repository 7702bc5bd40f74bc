"""What the monitor's own log holds, as far as a start needs it: what each session did, and when the feed was whole.

The monitor has no other state. All of this is learnt from durable records only, so an auditor who reads the same log counts
the same.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from curfew.audit.record import Record
from curfew.audit.segment import Head
from curfew.core.activity.attribution import Attribution
from curfew.core.activity.coverage import Coverage
from curfew.core.activity.noticing.noticing import Noticing
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.core.notifications.told import SettledMessages
from curfew.trail.memory import Memory

ASSESSED = "session.assessed"
CONFIRMED = "coverage.confirmed"
LOST = "coverage.lost"


class Recollection(Memory):
    """A memory that knows what the log holds about each session that the operator's log has."""

    def __init__(self, log: str, sessions: Sessions, window: timedelta, noticing: Noticing | None = None) -> None:
        """Start empty. `sessions` were read from the operator's log before; `noticing` learns what was noticed earlier."""
        super().__init__(log, window)
        self._sessions = sessions
        self._noticing = noticing
        self.attribution = Attribution(sessions)
        self.coverage = Coverage()
        self.told = SettledMessages()
        self.assessed: dict[str, Record] = {}
        """By UID, the last answer for each session that the log holds."""
        self.covered_until: datetime | None = None
        """The end of the newest interval in which the feed was whole."""
        self.alive_at: datetime | None = None
        """When the newest segment was sealed."""
        self._tallies: dict[str, SessionTally] = {}
        self._changed: set[str] = set()

    @property
    def is_complete(self) -> bool:
        """Whether the log was read back to before the first of the sessions that are known."""
        oldest = min((session.announced_at for session in self._sessions.all()), default=None)
        return oldest is None or self.remembers(oldest)

    def learn(self, records: Sequence[Record], after: Head, *, own: bool) -> None:
        """Learn a segment: its records, and the state after it."""
        super().learn(records, after, own=own)
        self.alive_at = after.at
        for record in records:
            self.attribution.learn(record)
            self.coverage.learn(record)
            self.told.learn(record)
            if self._noticing is not None and not own:  # what this process wrote, it knows
                self._noticing.learn(record)
            if record.event == LOST:
                # It may lie in sessions that have their answer already.
                self._changed |= {session.uid for session in self._sessions.all()}
            elif record.event == CONFIRMED:
                self._learn_until(record)
            elif record.event == ASSESSED:
                self.assessed[record.subject] = record
            elif self._sessions.get(record.subject) is not None:
                self.tally(record.subject).learn(record)
                self._changed.add(record.subject)

    def _learn_until(self, record: Record) -> None:
        try:
            until = datetime.fromisoformat(str(record.block["detail"]["until"]))
        except (KeyError, TypeError, ValueError):
            return  # written by a version that writes it in another way
        self.covered_until = max(until, self.covered_until or until)

    def tally(self, uid: str) -> SessionTally:
        """Return what a session did, as far as the log holds it."""
        return self._tallies.setdefault(uid, SessionTally())

    def take_changed(self) -> set[str]:
        """Return the UIDs of the sessions about which something was learnt since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def forget(self, sessions_before: datetime, coverage_before: datetime) -> tuple[str, ...]:
        """Forget the sessions that were over before one time, and the coverage before another. Return those sessions."""
        forgotten = self.attribution.forget(sessions_before)
        for uid in forgotten:
            self._tallies.pop(uid, None)
            self.assessed.pop(uid, None)
        self.coverage.forget(coverage_before)
        return forgotten

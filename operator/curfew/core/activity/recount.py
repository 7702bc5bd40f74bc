"""The answers computed again from both logs, by the same fold as the monitor's: so each answer can be checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from curfew.api.activity import COUNTS, Activity
from curfew.audit.record import Record
from curfew.core.activity.coverage import Coverage, Hole
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.core.activity.verdict import assess

ASSESSED = "session.assessed"


@dataclass(frozen=True, slots=True)
class Recounted:
    """One session with its answer, and the answer that the monitor recorded last."""

    session: Session
    tally: SessionTally
    begin: datetime  # the window that the answer is about
    end: datetime
    answer: Activity
    holes: tuple[Hole, ...]  # in the window
    recorded: Activity | None  # None if none is recorded, or it cannot be read
    recorded_in: int | None  # the index of its record in the log of activity

    @property
    def differs(self) -> tuple[str, ...]:
        """The names of the fields in which the recorded answer differs from this one."""
        recorded, kept = self.recorded, self.session.kept
        if recorded is None:
            return () if self.recorded_in is None else ("changes",)
        # The monitor gives no new answer to a decision that comes long after the end.
        is_older = kept is not None and recorded.as_of is not None and recorded.as_of < kept.at
        compared = [name for name in _COMPARED if not (is_older and name == "remains")]
        return tuple(name for name in compared if getattr(self.answer, name) != getattr(recorded, name))


_COMPARED = (
    "changes",
    "reasons",
    *COUNTS,
    "changed",
    "sensitive",
    "sources",
    "remains",
    "first_at",
    "last_at",
)
"""What has to be equal. `final` and `as_of` depend on when the answer was written, and `summary` is made of the rest."""


class Recount:
    """Takes the records of the trail, then those of the log of activity, each in the order of its log."""

    def __init__(self) -> None:
        self.sessions = Sessions()
        self._coverage = Coverage()
        self._tallies: dict[str, SessionTally] = {}
        self._recorded: dict[str, tuple[int, Record]] = {}

    def learn_trail(self, record: Record) -> None:
        """Take a record of the trail."""
        self.sessions.learn(record)

    def learn_activity(self, index: int, record: Record) -> None:
        """Take a record of the log of activity. One about a session that the trail does not have is left out."""
        self._coverage.learn(record)
        if self.sessions.get(record.subject) is None:
            return
        if record.event == ASSESSED:
            self._recorded[record.subject] = index, record
        self._tallies.setdefault(record.subject, SessionTally()).learn(record)

    def answers(self, now: datetime) -> Iterator[Recounted]:
        """Yield the sessions, in the order of their announcement."""
        for session in self.sessions.all():
            yield self._recounted(session, now)

    def answer(self, uid: str, now: datetime) -> Recounted | None:
        """Return one session, or None if the trail does not have it."""
        session = self.sessions.get(uid)
        return self._recounted(session, now) if session is not None else None

    def _recounted(self, session: Session, now: datetime) -> Recounted:
        tally = self._tallies.get(session.uid) or SessionTally()
        index, record = self._recorded.get(session.uid, (None, None))
        recorded = answer_in(record) if record is not None else None
        begin, end = session.announced_at, session.ended_at or now
        return Recounted(
            session=session,
            tally=tally,
            begin=begin,
            end=end,
            answer=assess(session, tally, self._coverage, now, given_up=recorded is not None and recorded.final),
            holes=self._coverage.holes(begin, end),
            recorded=recorded,
            recorded_in=index,
        )


def answer_in(record: Record) -> Activity | None:
    """Return the answer in a record of `session.assessed`, or None if it cannot be read."""
    try:
        return Activity.model_validate({**record.block.get("detail", {}), "as_of": record.at})
    except (TypeError, ValidationError):
        return None

"""Each session is answered for: as it is used, finally when everything has arrived, and again if more comes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from curfew.api.activity import Activity, Changes
from curfew.audit.merkle import CompactRange
from curfew.audit.record import Record
from curfew.audit.segment import Head
from curfew.core.activity import records
from curfew.core.activity.call import CallStage
from curfew.core.activity.session import Session
from curfew.core.activity.sessions import Sessions
from curfew.core.activity.tally import SessionTally
from curfew.processes.monitor.assessing import KEEP, Assessing
from curfew.processes.monitor.feed import GIVE_UP
from curfew.processes.monitor.recollection import Recollection
from tests.support.activity import END, OTHER_UID, UID, a_call, announced, ended, kept
from tests.support.builders import NOON
from tests.support.monitoring import LOG, SPAN
from tests.support.world import FakeClock


class Rounds:
    """Counts the rounds that are wanted."""

    def __init__(self) -> None:
        self.wanted = 0
        self.began: datetime | None = None

    def want_round(self) -> None:
        """Count."""
        self.wanted += 1

    def is_under_way(self, since: datetime) -> bool:
        """Whether the test has let one begin."""
        return self.began is not None and self.began >= since


class Here:
    """Assessing over a log in memory, which is durable at once."""

    def __init__(self, *trail: Record, clock: FakeClock | None = None, log: Iterable[Record] = ()) -> None:
        self.clock = clock or FakeClock(NOON + timedelta(minutes=1))
        self.sessions = Sessions()
        for record in trail:
            self.sessions.learn(record)
        self.log: dict[str, Record] = {}
        self.memory = Recollection(LOG, self.sessions, SPAN)
        self.keep(*log)
        self.rounds = Rounds()
        self.written: list[tuple[str, Activity]] = []
        self.counted: list[tuple[str, float]] = []
        self.unanswered = 0
        self.assessing = Assessing(
            self.sessions,
            self.rounds,
            self.clock,
            self,
            span=SPAN,
            memory=lambda: self.memory,
            submit=lambda record: self.keep(record),
            write=self._write,
            cutting=self,
        )
        self.cut: list[str] = []

    def verdict(self, changes: str, seconds: float) -> None:
        """Note a final answer."""
        self.counted.append((changes, seconds))

    def set_sessions(self, number: int) -> None:
        """Note how many have none."""
        self.unanswered = number

    def want(self, session: Session, tally: SessionTally) -> None:
        """Note for whom it is to be cut."""
        self.cut.append(session.uid)

    def forget(self, uid: str) -> None:
        """Note nothing."""

    def _write(self, session: Session, activity: Activity) -> None:
        self.written.append((session.uid, activity))

    def keep(self, *told: Record) -> None:
        """Append records to the log, each once."""
        new = [record for record in told if record.id not in self.log]
        self.log |= {record.id: record for record in new}
        self.memory.learn(new, Head(LOG, 0, b"", self.clock.now().date(), CompactRange(), self.clock.now()), own=True)

    def arrives(self, **changes: object) -> None:
        """Let a call of alice's arrive."""
        verb, what = str(changes.pop("verb", "get")), str(changes.pop("what", "pods/web-0"))
        call = a_call(verb, what, **changes)
        self.keep(*(found.record for found in self.memory.attribution.attribute(call)))

    def covered(self, until: datetime, since: datetime = NOON - timedelta(minutes=5)) -> None:
        """Let the feed be whole up to an instant."""
        self.keep(records.coverage_confirmed(LOG, since=since, until=until, sources=["a"], servers=1, classes=["Get"]))

    def look(self, **later: float) -> Activity | None:
        """Let time go by, look, and return the newest answer that was written by it."""
        self.clock.advance(**later)
        before = len(self.written)
        self.assessing.look()
        return self.written[-1][1] if len(self.written) > before else None

    @property
    def answers(self) -> list[str]:
        """The answers in the log, in order."""
        return [
            record.block["detail"]["changes"] + ("!" if record.block["detail"]["final"] else "")
            for record in self.log.values()
            if record.event == "session.assessed"
        ]


def test_a_grant_that_was_just_made_is_answered_as_unused() -> None:
    here = Here(announced())
    answer = here.look()
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.NO, False)
    assert here.look(seconds=1) is None
    assert here.unanswered == 1


def test_while_it_is_used_the_answer_follows_at_most_every_ten_seconds() -> None:
    here = Here(announced())
    here.covered(NOON + timedelta(hours=2))
    here.look()
    here.arrives()
    assert here.look(seconds=5) is None
    answer = here.look(seconds=5)
    assert answer is not None
    assert answer.reads == 1
    here.arrives(verb="delete")
    answer = here.look(seconds=10)
    assert answer is not None
    assert answer.changes is Changes.YES
    assert here.answers == ["No", "Yes"]


def test_the_log_gets_no_record_for_each_call() -> None:
    here = Here(announced())
    here.covered(NOON + timedelta(hours=2))
    for _ in range(20):
        here.arrives()
        here.look(seconds=10)
    assert here.answers == ["No"]
    assert len(here.written) == 20


def test_after_its_end_a_round_of_test_calls_is_made_and_the_answer_waits_for_it() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END - timedelta(seconds=30))
    assert here.look() is None
    assert here.rounds.wanted == 1
    here.rounds.began = here.clock.now()
    assert here.look(seconds=1) is None
    assert here.rounds.wanted == 1
    here.covered(END + timedelta(seconds=1))
    answer = here.look(seconds=1)
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.NO, True)
    assert here.answers == ["No!"]
    assert here.counted == [("No", 3.0)]
    assert here.unanswered == 0


def test_a_round_that_began_before_the_end_is_not_enough() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.rounds.began = END - timedelta(seconds=1)
    here.look()
    assert here.rounds.wanted == 1


def test_what_is_not_shown_within_five_minutes_is_unknown() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END - timedelta(seconds=30))
    assert here.look(seconds=GIVE_UP.total_seconds() - 5) is None
    answer = here.look(seconds=10)
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.UNKNOWN, True)
    assert any("not known to be whole" in reason for reason in answer.reasons)


def test_a_hole_that_nothing_can_fill_is_not_waited_for() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1), since=NOON + timedelta(minutes=30))
    answer = here.look()
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.UNKNOWN, True)


def test_a_call_that_comes_late_gives_a_new_answer() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1))
    here.look()
    here.arrives(verb="delete")
    answer = here.look(seconds=10)
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.YES, True)
    assert here.answers == ["No!", "Yes!"]


def test_a_hole_that_is_found_later_changes_the_answer() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1))
    here.look()
    here.clock.advance(minutes=1)
    here.keep(records.coverage_lost(LOG, since=END - timedelta(minutes=4), at=here.clock.now(), why="events were lost"))
    answer = here.look()
    assert answer is not None
    assert (answer.changes, answer.final) == (Changes.UNKNOWN, True)
    assert here.answers == ["No!", "Unknown!"]


def test_a_connection_that_is_open_at_the_end_is_an_alert() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1))
    here.arrives(verb="create", what="pods/web-0 (exec)", stage=CallStage.RESPONSE_STARTED, code=101)
    answer = here.look()
    assert answer is not None
    assert answer.changes is Changes.UNKNOWN
    assert "alert.stream_open_at_end" in [record.event for record in here.log.values()]


def test_a_start_writes_each_answer_again_and_records_none_twice() -> None:
    trail = announced(), ended()
    first = Here(*trail, clock=FakeClock(END + timedelta(seconds=1)))
    first.covered(END + timedelta(seconds=1))
    first.arrives()
    first.look()
    again = Here(*trail, clock=FakeClock(END + timedelta(minutes=20)), log=first.log.values())
    answer = again.look()
    assert answer is not None
    assert (answer.changes, answer.reads, answer.final) == (Changes.NO, 1, True)
    assert again.answers == ["No!"]
    assert again.counted == []


def test_sessions_are_answered_apart() -> None:
    here = Here(announced(), announced(OTHER_UID), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1))
    here.look()
    assert {uid: activity.final for uid, activity in here.written} == {UID: True, OTHER_UID: False}


def test_a_session_is_forgotten_a_day_after_its_end() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.covered(END + timedelta(seconds=1))
    here.look()
    assert here.look(seconds=(KEEP - timedelta(hours=1)).total_seconds()) is None
    assert here.sessions.get(UID) is not None
    here.look(hours=1, minutes=11)
    assert here.sessions.get(UID) is None


def test_it_is_cut_once_everything_up_to_its_end_has_arrived() -> None:
    """A connection whose end is still on its way must not cost its pod."""
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.look()
    assert here.cut == []
    here.covered(END + timedelta(seconds=2))
    here.look(seconds=1)
    assert here.cut == [UID]
    here.arrives(verb="create", what="pods/web-0 (exec)", code=101, stage=CallStage.RESPONSE_STARTED)
    here.look(seconds=10)
    assert here.cut == [UID, UID]


def test_a_decision_to_keep_what_is_left_gives_a_new_answer() -> None:
    here = Here(announced(), ended(), clock=FakeClock(END + timedelta(seconds=1)))
    here.arrives(verb="create", what="pods/debug")
    here.covered(END + timedelta(seconds=2))
    before = here.look(seconds=1)
    assert before is not None
    assert (before.remains, before.kept_by) == (1, None)

    here.sessions.learn(kept(at=END + timedelta(hours=2)))
    after = here.look(hours=2)

    assert after is not None
    assert (after.remains, after.kept_by, after.final) == (0, "bob@example.com", True)
    assert here.look(seconds=30) is None
    detail = [one.block["detail"] for one in here.log.values() if one.event == "session.assessed"][-1]
    assert (detail["remains"], detail["kept_by"], detail["kept_reason"]) == (0, "bob@example.com", "it is the fix")

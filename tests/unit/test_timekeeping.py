"""A clock that is not the API server's: people are told, then nothing is granted, and access goes on to end."""

from datetime import timedelta
from email.utils import format_datetime

import pytest

from curfew.adapters.clock import LaterClock
from curfew.core.facts import ClockState
from curfew.processes.operator.timekeeping import Timekeeping
from tests.support.builders import NOON, a_decision, a_request
from tests.support.stage import Stage, active, pending
from tests.support.world import FakeClock

LAST = "Fri, 31 Dec 9999 23:59:59 -0100"
FIRST = "Mon, 01 Jan 1900 00:00:00 GMT"


class Answers:
    """An API server with a clock of its own, from which our clock is `ahead`."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.clock = FakeClock(NOON)
        self.told: list[ClockState] = []
        self.later = LaterClock(self.clock)
        self.keeping = Timekeeping(self.clock, self.told.append, self.later.prove)
        self.ahead = timedelta(seconds=ahead)

    def come(self, *, took: float = 0.01, date: str | None = None) -> ClockState:
        """Have ten answers come in a second, and return what is known then."""
        for _ in range(10):
            self.clock.advance(seconds=0.1)
            self.answer(took=took, date=date)
        return self.keeping.state

    def answer(self, *, took: float = 0.01, date: str | None = None) -> None:
        """Have one answer come."""
        sent = self.clock.now()
        theirs = (sent - self.ahead).replace(microsecond=0)
        text = format_datetime(theirs, usegmt=True) if date is None else date
        self.keeping.answered(sent, sent + timedelta(seconds=took), text)

    @property
    def reasons(self) -> list[str]:
        """Return what was told, in a word each."""
        return [str(state.reason) for state in self.told]


def test_before_the_first_answer_nothing_is_known() -> None:
    """And unknown means no (promise P8); that is so after every start, and no news."""
    state = Answers().keeping.state

    assert (state.ok, state.is_starting) == (False, True)


@pytest.mark.parametrize("ahead", [12.0, 0.0, -12.0])
def test_whether_an_instant_has_passed_is_known_by_the_api_servers_clock_and_never_too_early(ahead: float) -> None:
    answers = Answers(ahead)
    assert not answers.later.is_past(NOON - timedelta(hours=1))  # nothing was compared yet
    for _ in range(5):
        answers.come()
    theirs = answers.clock.now() - answers.ahead
    assert not answers.later.is_past(theirs + timedelta(milliseconds=20))
    assert answers.later.is_past(theirs - timedelta(seconds=0.2))


@pytest.mark.parametrize("ahead", [-600.0, -6.9, -0.5])
def test_the_time_that_ends_access_is_the_api_servers_if_our_clock_is_behind(ahead: float) -> None:
    answers = Answers(ahead)
    for _ in range(5):
        answers.come()
        theirs = answers.clock.now() - answers.ahead
        assert theirs - timedelta(seconds=1) <= answers.later.now() <= theirs
    assert theirs - answers.later.now() < timedelta(seconds=0.2)


def test_many_answers_in_the_same_part_of_a_second_take_nothing_away_from_what_was_proved() -> None:
    answers = Answers(-600.0)
    answers.come()
    for _ in range(20):
        answers.clock.advance(seconds=0.92)
        for _ in range(80):
            answers.answer()
            answers.clock.advance(seconds=0.001)
    theirs = answers.clock.now() - answers.ahead
    assert timedelta(0) <= theirs - answers.later.now() < timedelta(seconds=0.2)


def test_a_clock_that_was_behind_and_is_set_right_is_not_too_fast_from_then_on() -> None:
    answers = Answers(-600.0)
    answers.come()
    answers.clock.set(answers.clock.now() + timedelta(seconds=600))
    answers.ahead = timedelta(0)
    assert answers.later.now() == answers.clock.now()
    answers.come()
    assert answers.later.now() == answers.clock.now()


def test_a_date_that_was_wrong_counts_until_the_next_answer_contradicts_it() -> None:
    """Then the time goes on at half pace, until the clocks have caught up: it never goes back, and never stands still."""
    answers = Answers(-3600.0)
    answers.come()
    wrong = answers.later.now()
    answers.ahead = timedelta(0)
    answers.come()
    assert wrong < answers.later.now() < wrong + timedelta(seconds=1)
    answers.clock.advance(hours=2)
    answers.come()
    assert answers.later.now() == answers.clock.now()


@pytest.mark.parametrize(
    ("ahead", "reason", "ok"),
    [
        (0.0, "ClockAgrees", True),
        (0.9, "ClockAgrees", True),
        (-0.9, "ClockAgrees", True),
        (2.0, "ClockOff", True),
        (-4.9, "ClockOff", True),
        (5.5, "ClockWrong", False),
        (-5.5, "ClockWrong", False),
        (600.0, "ClockWrong", False),
        (-600.0, "ClockWrong", False),
    ],
)
def test_what_a_difference_means(ahead: float, reason: str, ok: bool) -> None:
    answers = Answers(ahead)
    answers.come()
    state = answers.come()

    assert (state.reason, state.ok) == (reason, ok)
    assert answers.reasons[-1] == reason


def test_the_sentence_says_which_clock_is_where_and_what_to_do() -> None:
    state = Answers(-600.0).come()

    assert state.message.startswith("Curfew's clock is 599.")
    assert "s behind the API server's: nothing is granted until the clocks agree to within 5 s" in state.message
    assert "Synchronise the clocks of both machines (NTP)" in state.message


def test_slow_answers_prove_nothing() -> None:
    """An answer that took ten seconds may have been dated at any moment of them."""
    answers = Answers()

    assert answers.come(took=10.0).reason == "ClockAgrees"


def test_a_clock_that_is_set_right_is_right_at_once() -> None:
    """And what is told is told once for each change."""
    answers = Answers(600.0)
    answers.come()
    answers.come()
    answers.ahead = timedelta(0)
    answers.come()

    assert answers.reasons == ["ClockWrong", "ClockAgrees"]


def test_a_clock_that_is_set_wrong_is_noticed_at_the_next_answer() -> None:
    answers = Answers()
    answers.come()
    answers.clock.advance(seconds=60)
    answers.ahead = timedelta(seconds=60)
    answers.come()

    assert answers.reasons == ["ClockAgrees", "ClockWrong"]


@pytest.mark.parametrize(
    "date", ["", "soon", "Mon, 23 Nov 2026 12:00:00", "x" * 100_000, "1e999", "Mon, 99 Nov 99999", LAST, FIRST]
)
def test_a_date_that_is_none_changes_nothing(date: str) -> None:
    answers = Answers()
    answers.come()

    assert answers.come(date=date).reason == "ClockAgrees"


WRONG = ClockState(
    ok=False, reason="ClockWrong", message="Curfew's clock is 600.0 s behind the API server's", since=NOON
)


async def test_nothing_is_granted_by_a_wrong_clock_and_access_ends() -> None:
    """The request says for what it waits, in an Event too; set right, it is granted."""
    stage = Stage()
    await active(stage)
    stage.clock_state = WRONG
    stage.cluster.decide("inc-4711", a_decision(decision="Revoke"))
    stage.cluster.apply(a_request("second"))
    await stage.settle()
    stage.cluster.decide("second", a_decision())
    await stage.settle()

    assert (stage.phase(), stage.bindings()) == ("Revoked", [])
    assert (stage.phase("second"), stage.condition("Active", "second")["reason"]) == ("Approved", "ClockWrong")
    assert "600.0 s behind" in stage.condition("Active", "second")["message"]
    assert "ClockWrong" in {notice.reason for notice in stage.told.notices}

    stage.clock_state = ClockState(ok=True, reason="ClockAgrees", message="", since=NOON)
    stage.look_at_all_requests()
    await stage.settle()
    assert stage.phase("second") == "Active"


async def test_what_was_announced_before_the_clock_was_wrong_waits_too() -> None:
    """The binding carries the window of the announcement, and that is what must not be wrong."""
    stage = Stage()
    await pending(stage)
    stage.cluster.decide("inc-4711", a_decision())
    while "grant.intended" not in stage.events():
        for key in tuple(stage.dirty):
            stage.dirty.discard(key)
            await stage.reconciler.reconcile(key)
        stage.trail.flush()
    stage.clock_state = WRONG
    stage.look_at_all_requests()
    await stage.settle()

    assert (stage.phase(), stage.bindings()) == ("Approved", [])

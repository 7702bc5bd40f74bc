"""What the dates of answers say of a clock: never more than is certain, and nearly all that there is."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from curfew.core.skew import RESOLUTION, TOO_FAR, Bounds, bound, judge, narrow, read_date

START = datetime(2026, 11, 23, 12, tzinfo=UTC)

ahead = st.timedeltas(min_value=timedelta(hours=-1), max_value=timedelta(hours=1))
"""How far our clock is ahead of the API server's."""

waits = st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=3))


def an_answer(ours_ahead: timedelta, after: timedelta, there: timedelta, back: timedelta) -> Bounds:
    """Return what an answer says that took so long to go there and to come back."""
    theirs = START + after + there
    return bound(START + after + ours_ahead, theirs + back + ours_ahead, theirs.replace(microsecond=0))


@given(ours_ahead=ahead, answers=st.lists(st.tuples(waits, waits, waits), min_size=1, max_size=8))
def test_the_real_difference_is_within_the_bounds(
    ours_ahead: timedelta, answers: list[tuple[timedelta, timedelta, timedelta]]
) -> None:
    """Whatever the network did: a clock that is right is never said to be wrong, and every answer counts."""
    found = [an_answer(ours_ahead, *times) for times in answers]
    whole, counted = narrow(found)

    assert len(counted) == len(found)
    assert whole.least <= ours_ahead <= whole.most
    assert abs(whole.certain) <= abs(ours_ahead)


@given(ours_ahead=ahead, at=waits)
def test_quick_answers_around_a_second_leave_nothing_open(ours_ahead: timedelta, at: timedelta) -> None:
    """A clock that is further off than it may be is found out to a tenth of a second."""
    found = [an_answer(ours_ahead, at + timedelta(seconds=n / 10), timedelta(0), timedelta(0)) for n in range(10)]

    assert abs(ours_ahead) - abs(narrow(found)[0].certain) <= timedelta(seconds=0.1)


@given(before=ahead, now=ahead, times=st.lists(st.tuples(waits, waits, waits), min_size=1, max_size=4))
def test_a_clock_that_was_set_is_judged_by_what_came_since(
    before: timedelta, now: timedelta, times: list[tuple[timedelta, timedelta, timedelta]]
) -> None:
    """The newest answer is always among those that count."""
    found = [an_answer(before, *each) for each in times] + [an_answer(now, *each) for each in times]

    assert narrow(found)[0].least <= now <= narrow(found)[0].most or abs(before - now) <= timedelta(seconds=7)
    assert narrow(found)[1][-1] == found[-1]


@given(ours_ahead=ahead, times=st.tuples(waits, waits, waits))
def test_one_answer_lets_no_clock_through_that_is_off_by_more_than_it_says(
    ours_ahead: timedelta, times: tuple[timedelta, timedelta, timedelta]
) -> None:
    """While it is granted, records are wrong by five seconds, the date's own second and the way there and back at most."""
    state = judge(an_answer(ours_ahead, *times), None, now=START)

    if state.ok:
        assert abs(ours_ahead) <= TOO_FAR + RESOLUTION + times[1] + times[2]


@given(st.integers(0, 4_000_000_000))
def test_a_date_is_read(seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)

    assert read_date(format_datetime(at, usegmt=True)) == at


@given(st.none() | st.text(max_size=60))
def test_whatever_stands_for_a_date_stops_nothing(text: str | None) -> None:
    found = read_date(text)

    assert found is None or found.tzinfo is UTC

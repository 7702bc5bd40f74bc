"""What detectors remember is bounded, and in the right stretch of time whatever the order of arrival."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from curfew.core.detectors.deadlines import Deadlines
from curfew.core.detectors.windows import Lately
from curfew.core.remembered import Remembered
from tests.support.builders import NOON

SECOND = timedelta(seconds=1)


def test_the_key_that_was_set_longest_ago_goes_first() -> None:
    known: Remembered[int, str] = Remembered(2)
    for key in (1, 2, 1, 3):
        known[key] = "x"
    assert (list(known), known.forgotten) == ([1, 3], 1)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=20))
def test_the_fullest_stretch_holds_what_was_added(times: list[int]) -> None:
    lately: Lately[str, int] = Lately(10 * SECOND)
    for number, time in enumerate(times):
        found = lately.add("k", NOON + time * SECOND, time)
        known = [one for one in times[: number + 1] if one >= max(times[: number + 1]) - 20]
        stretches = [
            [one for one in known if begin <= one <= begin + 10] for begin in known if begin <= time <= begin + 10
        ]
        if time in known:
            assert time in found
            assert len(found) == max(map(len, stretches))


def test_of_one_key_only_the_newest_are_kept() -> None:
    lately: Lately[str, int] = Lately(timedelta(days=1), most=10, most_each=5)
    for number in range(100):
        found = lately.add("k", NOON + number * SECOND, number)
        lately.add(f"other-{number}", NOON, number)
    assert list(found) == [95, 96, 97, 98, 99]
    assert len(lately) == 10


def test_what_is_older_than_all_that_is_kept_is_seen_alone() -> None:
    lately: Lately[str, int] = Lately(SECOND)
    lately.add("k", NOON, 1)
    assert list(lately.add("k", NOON - timedelta(days=1), 2)) == [2]


def test_deadlines_come_in_order_and_once() -> None:
    due: Deadlines[str, int] = Deadlines()
    due.set("a", NOON + 2 * SECOND, 1)
    due.set("b", NOON + SECOND, 2)
    due.set("c", NOON + SECOND, 3)
    due.set("a", NOON + 3 * SECOND, 4)
    assert due.cancel("c") == 3
    assert list(due.due(NOON + 2 * SECOND)) == [(NOON + SECOND, "b", 2)]
    assert list(due.due(NOON + 9 * SECOND)) == [(NOON + 3 * SECOND, "a", 4)]
    assert list(due.due(NOON + 9 * SECOND)) == []


def test_deadlines_that_are_set_again_and_again_are_bounded() -> None:
    due: Deadlines[int, None] = Deadlines(10)
    for number in range(20_000):
        due.set(number % 20, NOON + number * SECOND, None)
    assert (len(due), due.forgotten) == (10, 19_990)
    assert len(due._order) < 1100

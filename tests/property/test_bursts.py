"""A burst finds the heaviest window around each thing, whatever the order in which things arrive."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from curfew.core.detectors.alert import Seen, WhichLog
from curfew.core.detectors.bursts import Burst, total
from tests.support.activity import a_call
from tests.support.builders import NOON
from tests.support.findings import called

SEEN = Seen(called(a_call())[0], WhichLog.ACTIVITY, 0)
WITHIN = timedelta(seconds=10)

things = st.lists(st.tuples(st.integers(0, 25), st.integers(1, 3)), min_size=1, max_size=30)
"""Seconds after noon, not more than twice the window apart and some beyond, and weights."""


@given(things)
def test_the_window_is_the_heaviest_one(made: list[tuple[int, int]]) -> None:
    burst: Burst[int] = Burst()
    for number, (second, weight) in enumerate(made):
        at = NOON + timedelta(seconds=second)
        window = burst.add(SEEN, at, number, WITHIN, weight=weight)

        newest = max(other for other, _ in made[: number + 1])
        if newest - second > 20:
            continue  # what is older is forgotten
        known = [(other, weighs) for other, weighs in made[: number + 1] if newest - other <= 20]
        starts = [other for other, _ in known if second - 10 <= other <= second]
        heaviest = max(sum(weighs for other, weighs in known if start <= other <= start + 10) for start in starts)
        assert total(window) == heaviest
        assert any(one.what == number for one in window)
        assert window[-1].at - window[0].at <= WITHIN


@given(things)
def test_the_order_decides_nothing_about_the_largest_count(made: list[tuple[int, int]]) -> None:
    near = [(second % 20, weight) for second, weight in made]

    def largest(order: list[tuple[int, tuple[int, int]]]) -> int:
        burst: Burst[int] = Burst()
        adding = (
            burst.add(SEEN, NOON + timedelta(seconds=second), number, WITHIN, weight=weight)
            for number, (second, weight) in order
        )
        return max(map(total, adding))

    numbered = list(enumerate(near))
    assert largest(numbered) == largest(numbered[::-1]) == largest(sorted(numbered, key=lambda one: one[1]))

"""The histogram: exact where it is shown so, and small whatever is put into it."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from curfew.evidence.history.lateness import BOUNDS_MS, LatenessHistogram

MS = timedelta(milliseconds=1)


@given(st.lists(st.integers(-100, 10_000_000), min_size=1))
def test_percentiles_are_right_to_a_tenth(late: list[int]) -> None:
    histogram = LatenessHistogram()
    for milliseconds in late:
        histogram.add(milliseconds * MS)

    ordered = sorted(max(0, one) for one in late)
    assert histogram.total == len(late)
    assert histogram.latest == ordered[-1] * MS
    assert sum(number for _, number in histogram.rows()) == len(late)
    for share in (0.5, 0.99, 1.0):
        exact = next(value for place, value in enumerate(ordered, 1) if place >= share * len(ordered))
        assert 0.9 * exact <= histogram.percentile(share) / MS <= exact


def test_it_takes_no_more_memory_for_more_ends() -> None:
    histogram = LatenessHistogram()
    for milliseconds in range(200_000):
        histogram.add(milliseconds * MS)

    assert len(histogram._counts) < 500
    assert [bound for bound, _ in histogram.rows()] == [*BOUNDS_MS, None]

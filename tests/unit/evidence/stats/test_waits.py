"""A wait is split into parts that add up to it, whatever the clocks show; percentiles are waits that somebody had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.evidence.stats.waits import WaitMarks, WaitParts, WaitSpread

TIMES = st.integers(0, 10**6)
MAYBE = st.none() | TIMES


@given(TIMES, TIMES, MAYBE, MAYBE, MAYBE, MAYBE, st.booleans())
def test_the_parts_are_never_negative_and_add_up_to_the_wait(
    created: int,
    over: int,
    accepted: int | None,
    looked: int | None,
    decided: int | None,
    not_before: int | None,
    needs_nobody: bool,
) -> None:
    parts = WaitMarks(created, over, accepted, looked, decided, not_before, needs_nobody).split()

    told = (parts.nobody_looked, parts.other_stages, parts.record_or_rules, parts.start_time)
    assert min(told) >= 0
    assert sum(told) == parts.whole == max(0, over - created)


@pytest.mark.parametrize(
    ("marks", "parts"),
    [
        (WaitMarks(0, 100, accepted=1, looked=40, decided=90), WaitParts(39, 50, 11, 0)),
        (WaitMarks(0, 100, accepted=1, looked=40, decided=50, not_before=95), WaitParts(39, 10, 6, 45)),
        (WaitMarks(0, 100, accepted=1, looked=40, decided=50, not_before=20), WaitParts(39, 10, 51, 0)),
        (WaitMarks(0, 100, accepted=1), WaitParts(99, 0, 1, 0)),
        (WaitMarks(0, 100, accepted=1, looked=40), WaitParts(39, 60, 1, 0)),
        (WaitMarks(0, 100, accepted=1, decided=7, needs_nobody=True), WaitParts(0, 0, 100, 0)),
        (WaitMarks(0, 100, accepted=1, decided=7, needs_nobody=True, not_before=80), WaitParts(0, 0, 21, 79)),
        (WaitMarks(0, 100, accepted=1, looked=10, decided=20, not_before=300), WaitParts(9, 10, 1, 80)),
        (WaitMarks(0, 100), WaitParts(0, 0, 100, 0)),
    ],
    ids=[
        "two stages",
        "a later start",
        "a start that had come before the agreement",
        "timed out unseen",
        "timed out half agreed",
        "nobody has to agree",
        "nobody has to agree, and a later start",
        "over before the start",
        "rejected",
    ],
)
def test_each_part_has_its_time(marks: WaitMarks, parts: WaitParts) -> None:
    assert marks.split() == parts


@given(st.lists(TIMES, min_size=1, max_size=200))
def test_percentiles_are_by_nearest_rank(waits: list[int]) -> None:
    found = WaitSpread.of(waits)

    for percent, value in ((50, found.p50), (90, found.p90), (100, found.worst)):
        assert value in waits
        assert value is not None
        assert 100 * sum(one <= value for one in waits) >= percent * len(waits)
        assert 100 * sum(one < value for one in waits) < percent * len(waits)


def test_no_waits_have_no_percentiles() -> None:
    assert WaitSpread.of(()) == WaitSpread(0, None, None, None)

"""Two people who approve each other."""

from datetime import timedelta

from tests.support.builders import ALICE, BOB, CAROL, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, decided

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def exchange(fold: Fold, times: int, *, step: timedelta = HOUR, begin: int = 0) -> None:
    for number in range(begin, begin + times):
        who, by = (ALICE, BOB) if number % 2 else (BOB, ALICE)
        fold.learn(decided(NOON + number * step, a_story(number, who), by))


def test_three_times_each_and_nobody_else() -> None:
    fold = Fold("ReciprocalApproval")
    exchange(fold, 5)
    assert fold.found == []
    exchange(fold, 1, begin=5)

    (alert,) = fold.alerts
    assert alert.key == f"{ALICE}/{BOB}"
    assert set(alert.people) == {ALICE, BOB}
    assert len(alert.evidence) == 6


def test_a_third_person_in_between_breaks_it() -> None:
    fold = Fold("ReciprocalApproval")
    exchange(fold, 4)
    fold.learn(decided(NOON + 4.5 * HOUR, a_story(99), CAROL))
    exchange(fold, 4, begin=5)
    assert fold.found == []


def test_somebody_else_long_before_does_not_matter() -> None:
    fold = Fold("ReciprocalApproval")
    fold.learn(decided(NOON - HOUR, a_story(99), CAROL))
    exchange(fold, 6)
    assert len(fold.alerts) == 1


def test_in_more_than_a_week_it_is_none() -> None:
    fold = Fold("ReciprocalApproval")
    exchange(fold, 30, step=2 * DAY)
    assert fold.found == []


def test_one_direction_is_not_reciprocal() -> None:
    fold = Fold("ReciprocalApproval")
    fold.learn(*(decided(NOON, a_story(number), BOB) for number in range(9)))
    assert fold.found == []


def test_the_order_of_arrival_changes_nothing() -> None:
    fold = Fold("ReciprocalApproval")
    records = [decided(NOON + n * HOUR, a_story(n, (BOB, ALICE)[n % 2]), (ALICE, BOB)[n % 2]) for n in range(6)]
    fold.learn(*records[:4], records[5], records[4])
    assert len(fold.alerts) == 1

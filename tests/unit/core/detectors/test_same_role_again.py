"""The same role again and again."""

from datetime import timedelta

from curfew.core.detectors.alert import Severity
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, every, told

HOUR = timedelta(hours=1)


def test_five_times_a_day_is_again_and_again() -> None:
    fold = Fold("SameRoleAgain")
    records = [told("request.accepted", at, a_story(n)) for n, at in enumerate(every(6 * HOUR, NOON, 5))]
    fold.learn(*records[:4])
    assert fold.found == []
    fold.learn(records[4])

    (alert,) = fold.alerts
    assert (alert.severity, alert.key) == (Severity.LOW, f"{ALICE}/payments/ClusterRole/debug")


def test_one_request_that_is_recorded_twice_is_one() -> None:
    fold = Fold("SameRoleAgain")
    fold.learn(*(told("request.accepted", at, a_story(1)) for at in every(HOUR, NOON, 9)))
    assert fold.found == []


def test_other_people_other_roles_and_other_places_are_counted_alone() -> None:
    fold = Fold("SameRoleAgain")
    for n in range(4):
        fold.learn(told("request.accepted", NOON, a_story(n)))
        fold.learn(told("request.accepted", NOON, a_story(10 + n, BOB)))
        fold.learn(told("request.accepted", NOON, a_story(20 + n, policy="logs")))
        fold.learn(told("request.accepted", NOON, a_story(30 + n, namespace="search")))
    assert fold.found == []


def test_five_in_more_than_a_day_are_not() -> None:
    fold = Fold("SameRoleAgain")
    step = timedelta(hours=6, seconds=1)
    fold.learn(*(told("request.accepted", at, a_story(n)) for n, at in enumerate(every(step, NOON, 20))))
    assert fold.found == []

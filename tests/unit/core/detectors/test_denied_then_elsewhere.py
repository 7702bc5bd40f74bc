"""Denied, and asked again: somewhere else, soon, or often."""

from datetime import timedelta

from curfew.core.detectors.alert import Severity
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, every, told

MINUTE = timedelta(minutes=1)


def test_three_denials_a_day_are_many() -> None:
    fold = Fold("DeniedThenElsewhere")
    records = [told("review.denied", at, a_story(n)) for n, at in enumerate(every(12 * 60 * MINUTE, NOON, 3))]
    fold.learn(*records[:2])
    assert fold.found == []
    fold.learn(records[2])
    assert [alert.key for alert in fold.alerts] == [f"denials/{ALICE}"]


def test_the_same_role_elsewhere_soon_after_a_denial() -> None:
    fold = Fold("DeniedThenElsewhere")
    fold.learn(told("review.denied", NOON, a_story(1)))
    fold.learn(told("request.accepted", NOON + 30 * MINUTE, a_story(2, namespace="search")))

    (alert,) = fold.alerts
    assert alert.severity is Severity.MEDIUM
    assert alert.message == (
        f"{ALICE} was denied ClusterRole debug in payments, and asked for it again 30 min later in search, "
        "under policy debug, with request inc-2"
    )


def test_at_the_same_place_it_is_less_odd() -> None:
    fold = Fold("DeniedThenElsewhere")
    fold.learn(told("review.denied", NOON, a_story(1)), told("request.accepted", NOON + MINUTE, a_story(2)))
    assert [alert.severity for alert in fold.alerts] == [Severity.LOW]


def test_later_or_for_another_role_or_by_somebody_else_it_is_nothing() -> None:
    fold = Fold("DeniedThenElsewhere")
    fold.learn(told("review.denied", NOON, a_story(1)))
    fold.learn(told("request.accepted", NOON + MINUTE, a_story(2, BOB)))
    fold.learn(told("request.accepted", NOON + MINUTE, a_story(3, policy="logs")))
    fold.learn(told("request.accepted", NOON + MINUTE, a_story(1)))
    fold.learn(told("request.accepted", NOON - MINUTE, a_story(4)))
    fold.learn(told("request.accepted", NOON + 31 * MINUTE, a_story(5)))
    assert fold.found == []

"""Approvals that nobody thought about."""

from datetime import timedelta

from curfew.core.detectors.alert import Severity
from tests.support.builders import ALICE, BOB, CAROL, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, decided, told

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def approve(fold: Fold, number: int, after: timedelta, by: str = BOB) -> None:
    at = NOON + number * HOUR
    fold.learn(told("request.accepted", at, a_story(number)), decided(at + after, a_story(number), by))


def test_three_approvals_within_seconds() -> None:
    fold = Fold("RubberStamping")
    for number in range(2):
        approve(fold, number, 9 * SECOND)
    assert fold.found == []
    approve(fold, 2, 9 * SECOND)

    (alert,) = fold.alerts
    assert (alert.key, alert.people, alert.severity) == (f"fast/{BOB}", (BOB,), Severity.MEDIUM)


def test_ten_seconds_are_enough_to_look() -> None:
    fold = Fold("RubberStamping")
    for number in range(9):
        approve(fold, number, 10 * SECOND)
    assert fold.found == []


def test_denials_and_what_did_not_count_are_no_approvals() -> None:
    fold = Fold("RubberStamping")
    for number in range(9):
        fold.learn(told("request.accepted", NOON, a_story(number)))
        fold.learn(decided(NOON, a_story(number), BOB, "Deny", "TookEffect"))
        fold.learn(decided(NOON, a_story(number), BOB, effect="TooLate"))
    assert fold.found == []


def test_an_approval_that_is_read_before_its_request_is_not_fast() -> None:
    fold = Fold("RubberStamping")
    for number in range(9):
        fold.learn(decided(NOON, a_story(number), BOB), told("request.accepted", NOON, a_story(number)))
    assert fold.found == []


def test_one_person_gives_nearly_all_approvals_of_a_policy() -> None:
    fold = Fold("RubberStamping")
    for number in range(20):
        approve(fold, number, HOUR / 2, CAROL if number < 4 else BOB)
    assert fold.found == []  # 16 of 20 are 80 %, and not more
    approve(fold, 20, HOUR / 2)

    (alert,) = fold.alerts
    assert alert.values == {"approvals": 17, "of": 21, "share": 80}
    assert alert.key == f"share/{BOB}/payments/debug"


def test_fewer_than_twenty_approvals_are_no_share() -> None:
    fold = Fold("RubberStamping")
    for number in range(19):
        approve(fold, number, HOUR / 2)
    assert fold.found == []


def test_what_is_older_than_a_month_does_not_count() -> None:
    fold = Fold("RubberStamping")
    for number in range(60):
        fold.learn(decided(NOON + number * 2 * DAY, a_story(number), BOB))
    assert fold.found == []


def test_nobody_is_named_whom_the_alert_is_not_about() -> None:
    fold = Fold("RubberStamping")
    for number in range(3):
        approve(fold, number, SECOND)
    assert ALICE not in fold.alerts[0].message

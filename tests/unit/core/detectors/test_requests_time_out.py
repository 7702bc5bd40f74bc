"""Under one policy, many requests time out."""

from datetime import timedelta

from tests.support.builders import NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, told

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def outcomes(fold: Fold, *events: str, step: timedelta = HOUR, policy: str = "debug") -> None:
    for number, event in enumerate(events):
        fold.learn(told(event, NOON + number * step, a_story(number, policy=policy)))


def test_a_quarter_of_eight() -> None:
    fold = Fold("RequestsTimeOut")
    outcomes(fold, *["review.approved"] * 5, "review.denied", "request.timed_out", "request.timed_out")

    (alert,) = fold.alerts
    assert alert.values == {"timed_out": 2, "requests": 8, "share": 25}
    assert len(alert.evidence) == 2


def test_a_quarter_of_seven_is_too_few_and_less_than_a_quarter_is_too_little() -> None:
    fold = Fold("RequestsTimeOut")
    outcomes(fold, *["review.approved"] * 5, "request.timed_out", "request.timed_out")
    outcomes(fold, *["review.approved"] * 7, "request.timed_out", "request.timed_out", policy="logs")
    assert fold.found == []


def test_what_is_older_than_a_week_does_not_count() -> None:
    fold = Fold("RequestsTimeOut")
    outcomes(fold, *["request.timed_out"] * 30, step=DAY + HOUR)
    assert fold.found == []


def test_policies_are_counted_alone() -> None:
    fold = Fold("RequestsTimeOut")
    for number in range(4):
        outcomes(fold, "request.timed_out", policy=f"policy-{number}")
        outcomes(fold, "request.timed_out", policy=f"policy-{number}")
    assert fold.found == []

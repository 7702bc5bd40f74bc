"""The glass was broken; and nobody reviewed it."""

from datetime import timedelta

from curfew.core.detectors.alert import Severity
from tests.support.builders import BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, decided, told

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BROKEN = "review.break_glass_invoked"


def test_each_use_is_told_and_a_review_ends_it() -> None:
    fold = Fold("BreakGlassUsed")
    fold.learn(told(BROKEN, NOON, a_story(1, reason="all is down")))
    fold.learn(decided(NOON + HOUR, a_story(1), BOB, "Review", "TookEffect"))

    (alert,), (end,) = fold.alerts, fold.ends
    assert alert.severity is Severity.MEDIUM
    assert alert.message.endswith("took access in payments without asking first, with request inc-1: all is down")
    assert (alert.key, end.key) == ("uid-1", "uid-1")
    assert alert.quiet is None


def test_twice_a_week_is_worse_and_twice_in_more_than_a_week_is_not() -> None:
    fold = Fold("BreakGlassUsed")
    for number, after in enumerate((timedelta(), 7 * DAY, 15 * DAY)):
        fold.learn(told(BROKEN, NOON + after, a_story(number)))
    assert [alert.severity for alert in fold.alerts] == [Severity.MEDIUM, Severity.HIGH, Severity.MEDIUM]


def test_other_decisions_are_no_review() -> None:
    for name in ("BreakGlassUsed", "BreakGlassNotReviewed"):
        fold = Fold(name)
        fold.learn(told(BROKEN, NOON, a_story(1)), decided(NOON, a_story(1), BOB))
        fold.learn(decided(NOON, a_story(1), BOB, "Review", "OwnRequest"))
        assert fold.ends == []


def test_a_use_that_nobody_reviews_in_a_day_is_told_when_the_day_is_over() -> None:
    fold = Fold("BreakGlassNotReviewed")
    fold.learn(told(BROKEN, NOON, a_story(1)))
    fold.look(NOON + DAY - timedelta(seconds=1))
    assert fold.found == []
    fold.look(NOON + 3 * DAY)

    (alert,) = fold.alerts
    assert (alert.at, alert.trigger, alert.severity) == (NOON + DAY, None, Severity.HIGH)
    fold.learn(told("review.overdue", NOON + DAY, a_story(1)))
    assert len(fold.alerts) == 1


def test_a_review_in_time_ends_the_wait_also_if_it_is_read_first() -> None:
    fold = Fold("BreakGlassNotReviewed")
    review = decided(NOON + HOUR, a_story(1), BOB, "Review", "TookEffect")
    fold.learn(review, told(BROKEN, NOON, a_story(1)), told(BROKEN, NOON, a_story(2)))
    fold.learn(decided(NOON + HOUR, a_story(2), BOB, "Review", "TookEffect"))
    fold.look(NOON + 3 * DAY)
    assert fold.alerts == []


def test_a_late_review_of_a_use_that_is_longer_ago_than_the_logs_are_read() -> None:
    fold = Fold("BreakGlassNotReviewed")
    fold.learn(told("review.overdue", NOON, a_story(1)))
    assert [alert.trigger is not None for alert in fold.alerts] == [True]
    fold.learn(decided(NOON + HOUR, a_story(1), BOB, "Review", "TookEffect"))
    assert [end.key for end in fold.ends] == ["uid-1"]

"""Many requests of one person in an hour, or few for privileged roles."""

from datetime import timedelta

import pytest

from curfew.core.detectors.alert import Severity
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, every, told

MINUTE = timedelta(minutes=1)


def test_four_requests_in_an_hour_are_many() -> None:
    fold = Fold("ManyRequests")
    records = [told("request.accepted", at, a_story(number)) for number, at in enumerate(every(20 * MINUTE, NOON, 4))]
    fold.learn(*records[:3])
    assert fold.found == []
    fold.learn(records[3])

    (alert,) = fold.alerts
    assert alert.message == f"{ALICE} asked for access 4 times in 1 h, last with request inc-3 in payments"
    assert (alert.severity, alert.people, alert.at) == (Severity.MEDIUM, (ALICE,), NOON + 60 * MINUTE)
    assert [one.index for one in alert.evidence] == [0, 1, 2, 3]
    assert alert.quiet == timedelta(hours=6)


def test_an_hour_and_a_second_is_not_an_hour() -> None:
    fold = Fold("ManyRequests")
    step = 20 * MINUTE + timedelta(seconds=1)
    fold.learn(*(told("request.accepted", at, a_story(n)) for n, at in enumerate(every(step, NOON, 12))))
    assert fold.found == []


def test_two_privileged_requests_are_many() -> None:
    fold = Fold("ManyRequests")
    fold.learn(told("request.accepted", NOON, a_story(1, policy="admin")))
    fold.learn(told("request.accepted", NOON + MINUTE, a_story(2)))
    assert fold.found == []
    fold.learn(told("request.accepted", NOON + 2 * MINUTE, a_story(3, policy="admin")))

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert "privileged access 2 times" in alert.message


def test_everybody_is_counted_alone() -> None:
    fold = Fold("ManyRequests")
    fold.learn(*(told("request.accepted", NOON, a_story(n, (ALICE, BOB)[n % 2])) for n in range(6)))
    assert fold.found == []


@pytest.mark.parametrize("reverse", [False, True])
def test_the_order_of_arrival_changes_nothing(reverse: bool) -> None:
    fold = Fold("ManyRequests")
    records = [told("request.accepted", at, a_story(n)) for n, at in enumerate(every(15 * MINUTE, NOON, 4))]
    fold.learn(*sorted(records, key=lambda record: record.at, reverse=reverse))
    assert len(fold.alerts) == 1


def test_a_policy_may_have_another_limit() -> None:
    fold = Fold("ManyRequests", {"requests": 10})
    fold.learn(*(told("request.accepted", NOON, a_story(n)) for n in range(9)))
    assert fold.found == []
    fold.learn(told("request.accepted", NOON, a_story(9, policy="logs")))
    assert len(fold.alerts) == 1


def test_a_flood_is_bounded() -> None:
    fold = Fold("ManyRequests")
    fold.learn(*(told("request.rejected", NOON, a_story(n)) for n in range(500)))
    assert max(len(alert.evidence) for alert in fold.alerts) == 200

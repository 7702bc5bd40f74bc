"""Requests that wait for people too long."""

from datetime import timedelta

import pytest

from curfew.core.detectors.decision_bottleneck import SETTLED
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, told

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(("policy", "after"), [("debug", 4 * HOUR), ("admin", 30 * MINUTE)])
def test_a_request_that_waits_too_long(policy: str, after: timedelta) -> None:
    fold = Fold("DecisionBottleneck")
    fold.learn(told("request.accepted", NOON, a_story(1, policy=policy, decide_by=NOON + 8 * HOUR)))
    fold.look(NOON + after - timedelta(seconds=1))
    assert fold.found == []
    fold.look(NOON + 10 * HOUR)

    (alert,) = fold.alerts
    assert (alert.at, alert.key, alert.trigger) == (NOON + after, f"payments/{policy}", None)
    assert alert.message.startswith(f"request inc-1 of {ALICE} under AccessPolicy {policy} in payments has waited")
    assert alert.message.endswith("it can be decided until 2026-11-23 20:00 UTC")


@pytest.mark.parametrize("event", sorted(SETTLED))
def test_a_request_that_is_settled_in_time_also_if_that_is_read_first(event: str) -> None:
    fold = Fold("DecisionBottleneck")
    fold.learn(told("request.accepted", NOON, a_story(1)), told(event, NOON + 4 * HOUR, a_story(1)))
    fold.learn(told(event, NOON + HOUR, a_story(2)), told("request.accepted", NOON, a_story(2)))
    fold.look(NOON + 10 * HOUR)
    assert fold.alerts == []


def test_it_is_over_when_no_request_of_the_policy_waits_too_long() -> None:
    fold = Fold("DecisionBottleneck")
    for number in (1, 2):
        fold.learn(told("request.accepted", NOON, a_story(number)))
    fold.look(NOON + 5 * HOUR)
    fold.learn(told("review.approved", NOON + 5 * HOUR, a_story(1)))
    assert fold.ends == []
    fold.learn(told("request.timed_out", NOON + 6 * HOUR, a_story(2)))

    assert [alert.values["waiting"] for alert in fold.alerts] == [1, 2]
    assert [end.key for end in fold.ends] == ["payments/debug"]


def test_a_policy_may_have_another_limit() -> None:
    fold = Fold("DecisionBottleneck", {"after": "1h"})
    fold.learn(told("request.accepted", NOON, a_story(1)))
    fold.look(NOON + HOUR)
    assert len(fold.alerts) == 1

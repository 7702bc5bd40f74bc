"""A privileged role for the first time."""

from datetime import timedelta

from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, told

DAY = timedelta(days=1)


def known() -> Fold:
    fold = Fold("FirstPrivilegedRole")
    fold.learn(told("grant.activated", NOON - 100 * DAY, a_story(0, BOB)))
    return fold


def test_the_first_time_is_told_and_the_second_is_not() -> None:
    fold = known()
    fold.learn(told("grant.activated", NOON, a_story(1, policy="admin")))
    fold.learn(told("grant.activated", NOON + 90 * DAY, a_story(2, policy="admin", namespace="search")))

    (alert,) = fold.alerts
    assert alert.key == f"{ALICE}/ClusterRole/admin"
    assert "for the first time in 90 d" in alert.message


def test_after_ninety_days_it_is_the_first_time_again() -> None:
    fold = known()
    fold.learn(told("grant.activated", NOON, a_story(1, policy="admin")))
    fold.learn(told("grant.activated", NOON + 91 * DAY, a_story(2, policy="admin")))
    assert len(fold.alerts) == 2


def test_other_roles_are_not_told() -> None:
    fold = known()
    fold.learn(told("grant.activated", NOON, a_story(1)))
    assert fold.found == []


def test_nothing_is_a_first_time_before_a_month_is_known() -> None:
    fold = Fold("FirstPrivilegedRole")
    fold.learn(told("grant.activated", NOON, a_story(1, policy="admin")))
    fold.learn(told("grant.activated", NOON + 30 * DAY - timedelta(seconds=1), a_story(2, BOB, policy="admin")))
    assert fold.found == []


def test_what_people_agreed_to_long_before_is_planned_and_counts_as_the_first_time() -> None:
    fold = known()
    agreed = NOON - timedelta(hours=12)
    fold.learn(told("grant.activated", NOON, a_story(1, policy="admin", decided_at=agreed)))
    fold.learn(told("grant.activated", NOON + DAY, a_story(2, policy="admin")))
    assert fold.found == []

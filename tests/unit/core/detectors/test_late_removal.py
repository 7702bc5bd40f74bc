"""Access that did not end on time, as far as the trail shows."""

from datetime import timedelta

import pytest

from curfew.api.times import format_time
from curfew.core.detectors.alert import Severity
from tests.support.builders import BOB, NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, decided, told

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
STORY = a_story(1, expires_at=NOON + HOUR)


@pytest.mark.parametrize("event", ["grant.intended", "grant.activated"])
def test_an_access_of_which_no_record_shows_the_end(event: str) -> None:
    fold = Fold("LateRemoval")
    fold.learn(told(event, NOON, STORY))
    fold.look(NOON + HOUR + MINUTE - SECOND)
    assert fold.found == []
    fold.look(NOON + 5 * HOUR)

    (alert,) = fold.alerts
    assert (alert.at, alert.severity, alert.key) == (NOON + HOUR + MINUTE, Severity.HIGH, "uid-1")
    assert "should have ended at 2026-11-23T13:00:00Z because its time was over, and no record shows" in alert.message
    fold.learn(told("grant.expired", NOON + 6 * HOUR, STORY, late_ms=5 * 3_600_000))
    assert len(fold.alerts) == 1
    assert [end.key for end in fold.ends] == ["uid-1"]


@pytest.mark.parametrize("event", ["grant.expired", "grant.revoked", "grant.binding_removed", "request.closed"])
def test_an_end_in_time(event: str) -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, STORY), told(event, NOON + HOUR + MINUTE, STORY, late_ms=60_000))
    fold.look(NOON + 5 * HOUR)
    assert fold.alerts == []


def test_a_late_end_that_is_read_before_its_deadline_was_looked_at() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, STORY))
    fold.learn(told("grant.expired", NOON + HOUR + 61 * SECOND, STORY, late_ms=61_000))

    (alert,) = fold.alerts
    assert "and ended 1 min 1 s late" in alert.message
    assert alert.trigger is not None


def test_a_revocation_has_a_minute_too() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, STORY))
    fold.learn(decided(NOON + MINUTE, STORY, BOB, "Revoke", "TookEffect"))
    fold.look(NOON + 2 * MINUTE)

    (alert,) = fold.alerts
    assert "because it was revoked" in alert.message


def test_a_revocation_that_had_no_effect_moves_nothing() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, STORY), decided(NOON, STORY, BOB, "Revoke", "UnknownStage"))
    fold.look(NOON + HOUR)
    assert fold.found == []


def test_a_removal_that_fails_has_a_minute_from_its_first_failure() -> None:
    fold = Fold("LateRemoval")
    since = format_time(NOON - 55 * SECOND)
    fold.learn(told("grant.removal_failed", NOON, STORY, since=since, seconds=55, problem="no answer"))
    fold.look(NOON + 5 * SECOND)

    (alert,) = fold.alerts
    assert "because its removal failed" in alert.message


def test_a_privileged_role_is_critical() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, a_story(1, policy="admin", expires_at=NOON)))
    fold.look(NOON + HOUR)
    assert [alert.severity for alert in fold.alerts] == [Severity.CRITICAL]


def test_a_beginning_that_is_read_after_its_end_is_no_grant() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.revoked", NOON + MINUTE, STORY), told("grant.activated", NOON, STORY))
    fold.look(NOON + 5 * HOUR)
    assert fold.alerts == []


def test_a_policy_may_have_another_limit() -> None:
    fold = Fold("LateRemoval", {"after": "10m"})
    fold.learn(told("grant.activated", NOON, STORY))
    fold.look(NOON + HOUR + 9 * MINUTE)
    assert fold.found == []


def test_how_late_it_was_may_be_nonsense() -> None:
    fold = Fold("LateRemoval")
    fold.learn(told("grant.activated", NOON, STORY), told("grant.expired", NOON, STORY, late_ms=10**15))
    assert len(fold.ends) == 1

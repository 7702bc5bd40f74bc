"""Access that begins when nobody works."""

from datetime import UTC, datetime, timedelta

import pytest

from curfew.core.detectors.alert import Severity
from curfew.core.detectors.all import tunings
from curfew.core.detectors.off_hours import OffHoursSettings
from curfew.core.detectors.tuning import TuningRefused
from tests.support.builders import ALICE, BOB
from tests.support.findings import Fold
from tests.support.stories import a_story, told

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def off() -> Fold:
    """Return a detector that knows the trail for long, and nobody who works at night."""
    fold = Fold("OffHours")
    fold.learn(told("grant.activated", MONDAY - 60 * DAY + 12 * HOUR, a_story(0, BOB, namespace="search")))
    return fold


@pytest.mark.parametrize(
    ("at", "is_off"),
    [
        pytest.param(MONDAY + 6 * HOUR, False, id="at six"),
        pytest.param(MONDAY + 6 * HOUR - timedelta(seconds=1), True, id="before six"),
        pytest.param(MONDAY + 22 * HOUR - timedelta(seconds=1), False, id="before ten in the evening"),
        pytest.param(MONDAY + 22 * HOUR, True, id="at ten in the evening"),
        pytest.param(MONDAY + 5 * DAY + 12 * HOUR, True, id="on Saturday"),
    ],
)
def test_the_hours_and_their_ends(at: datetime, is_off: bool) -> None:
    fold = off()
    fold.learn(told("grant.activated", at, a_story(1)))
    assert [alert.key for alert in fold.alerts] == ([ALICE] if is_off else [])


@pytest.mark.parametrize(
    ("hour", "day", "is_off"), [(23, 0, False), (5, 1, False), (5, 0, True), (7, 1, True), (5, 5, False), (23, 5, True)]
)
def test_a_night_shift_belongs_to_the_day_on_which_it_begins(hour: int, day: int, is_off: bool) -> None:
    settings = OffHoursSettings(begin="22:00", end="06:00")
    assert settings.is_off(MONDAY + day * DAY + hour * HOUR) is is_off


def test_a_policy_has_its_own_time_zone() -> None:
    fold = Fold("OffHours", {"timeZone": "America/Los_Angeles", "learning": "1s"})
    fold.learn(told("grant.activated", MONDAY + 12 * HOUR, a_story(0)))
    fold.learn(told("grant.activated", MONDAY + DAY + 3 * HOUR, a_story(1)))  # 19:00 there
    assert [alert.values["at"] for alert in fold.alerts] == []
    fold.learn(told("grant.activated", MONDAY + DAY + 11 * HOUR, a_story(2)))  # 03:00 there
    assert [alert.values["at"] for alert in fold.alerts] == ["03:00"]


def test_nothing_is_known_in_the_first_two_weeks() -> None:
    fold = Fold("OffHours")
    fold.learn(told("grant.activated", MONDAY, a_story(1)), told("grant.activated", MONDAY + 13 * DAY, a_story(2)))
    assert fold.found == []
    fold.learn(told("grant.activated", MONDAY + 14 * DAY, a_story(3)))
    assert len(fold.alerts) == 1


def test_what_is_usual_for_a_person_or_in_a_namespace_is_not_odd() -> None:
    fold = off()
    for day in range(4):
        fold.learn(told("grant.activated", MONDAY + day * DAY, a_story(day)))
    assert len(fold.alerts) == 3  # from the fourth night on, alice is on shift
    fold.learn(told("grant.activated", MONDAY + 5 * DAY, a_story(9, BOB)))
    assert len(fold.alerts) == 3


def test_a_privileged_role_at_night_is_odd_also_where_others_are_on_call() -> None:
    fold = off()
    for day in range(4):
        fold.learn(told("grant.activated", MONDAY + day * DAY, a_story(day)))
    fold.learn(told("grant.activated", MONDAY + 5 * DAY, a_story(9, BOB, policy="admin")))
    assert (fold.alerts[-1].severity, fold.alerts[-1].people) == (Severity.MEDIUM, (BOB,))


def test_one_night_is_one_day() -> None:
    fold = off()
    for hour in range(8):
        fold.learn(told("grant.activated", MONDAY + (22 + hour) * HOUR, a_story(hour)))
    assert {alert.values["other_days"] for alert in fold.alerts} == {0}


def test_what_people_agreed_to_long_before_is_planned() -> None:
    fold = off()
    fold.learn(told("grant.activated", MONDAY, a_story(1, decided_at=MONDAY - 12 * HOUR)))
    assert fold.found == []
    fold.learn(told("grant.activated", MONDAY, a_story(2, decided_at=MONDAY - 11 * HOUR)))
    assert len(fold.alerts) == 1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            {"timeZone": "Mars"},
            r"timeZone: is 'Mars', which is not a time zone; write UTC or a name such as Europe/Berlin",
        ),
        ({"begin": "25:00"}, r"begin: is '25:00'; write a time of day, such as 06:00"),
        ({"days": ["Someday"]}, r"days\.0"),
        ({"hours": 1}, r"OffHours has no setting hours; it has begin, days, enabled, end"),
    ],
)
def test_wrong_settings_are_clear(written: dict[str, object], message: str) -> None:
    with pytest.raises(TuningRefused, match=message):
        tunings({"OffHours": written}, {})

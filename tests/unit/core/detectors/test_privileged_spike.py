"""Many more privileged grants in an hour than is usual."""

from datetime import datetime, timedelta

from curfew.audit.record import Record
from tests.support.builders import NOON
from tests.support.findings import Fold
from tests.support.stories import a_story, every, told

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def grants(number: int, since: datetime = NOON, policy: str = "admin", step: timedelta = MINUTE) -> list[Record]:
    return [
        told("grant.activated", at, a_story(n, f"person-{n}@example.com", policy=policy))
        for n, at in enumerate(every(step, since, number))
    ]


def test_five_in_an_hour_are_a_spike_if_nothing_is_usual() -> None:
    fold = Fold("PrivilegedSpike")
    fold.learn(*grants(4))
    assert fold.found == []
    fold.learn(*grants(1, NOON + 59 * MINUTE))

    (alert,) = fold.alerts
    assert alert.values == {"grants": 5, "limit": 5, "usual": 0}
    assert len(alert.people) == 4


def test_five_in_more_than_an_hour_are_none() -> None:
    fold = Fold("PrivilegedSpike")
    fold.learn(*grants(50, step=15 * MINUTE))
    assert fold.found == []


def test_what_is_usual_is_no_spike() -> None:
    """Three an hour in working hours, for two weeks: then eight are usual enough, and nine are three times as many."""
    fold = Fold("PrivilegedSpike")
    for day in range(14):
        for hour in range(8):
            fold.learn(*grants(3, NOON + day * DAY + hour * HOUR))
    fold.learn(*grants(8, NOON + 14 * DAY))
    assert fold.found == []
    fold.learn(*grants(1, NOON + 14 * DAY + 30 * MINUTE))
    assert [alert.values["limit"] for alert in fold.alerts] == [9]


def test_other_roles_do_not_count() -> None:
    fold = Fold("PrivilegedSpike")
    fold.learn(*grants(50, policy="debug"))
    assert fold.found == []


def test_what_was_planned_long_before_does_not_count() -> None:
    fold = Fold("PrivilegedSpike")
    for n in range(9):
        agreed = NOON - timedelta(hours=12 if n else 11)
        fold.learn(told("grant.activated", NOON, a_story(n, policy="admin", decided_at=agreed)))
    assert fold.found == []

"""Many refusals of different things in a short time are probing; a program that repeats one thing is not."""

from datetime import timedelta

from curfew.audit.record import Record
from curfew.core.detectors.alert import Severity
from tests.support.activity import OTHER_UID, AMonitor, announced, ended, refused
from tests.support.builders import ALICE, NOON
from tests.support.findings import DEBUG, Fold, called

BEGIN = NOON + timedelta(minutes=5)


def refusals(number: int, *, different: int = 5, every: timedelta = timedelta(seconds=1)) -> list[Record]:
    return called(*(refused("get", f"secrets/s{one % different}", at=BEGIN + one * every) for one in range(number)))


def test_ten_refusals_in_five_minutes_are_probing() -> None:
    fold = Fold("Probing")
    fold.learn(*refusals(9))
    assert fold.found == []
    fold.learn(*refusals(10)[9:])

    (alert,) = fold.alerts
    assert alert.severity is Severity.MEDIUM
    assert (
        alert.message
        == f"{ALICE} was refused 10 times in 5 min in payments, about 5 different things, while holding a grant"
    )
    assert alert.people == (ALICE,)


def test_one_thing_again_and_again_is_no_probing() -> None:
    fold = Fold("Probing")
    fold.learn(*refusals(100, different=2, every=timedelta(milliseconds=1)))
    assert fold.found == []


def test_slow_refusals_are_not_counted() -> None:
    fold = Fold("Probing")
    fold.learn(*refusals(60, every=timedelta(seconds=34)))
    assert fold.found == []


def test_a_call_of_a_person_with_two_grants_is_one_call() -> None:
    monitor = AMonitor([announced(policy=DEBUG), announced(OTHER_UID, policy=DEBUG), ended(), ended(OTHER_UID)])
    monitor.arrives(*(refused("get", f"secrets/s{one}", at=BEGIN + timedelta(seconds=one)) for one in range(9)))
    assert len(monitor.log) == 18

    fold = Fold("Probing")
    fold.learn(*monitor.log.values())
    assert fold.found == []


def test_a_policy_may_have_another_limit() -> None:
    fold = Fold("Probing", {"refusals": 3, "different": 1})
    fold.learn(*refusals(3, different=1))
    assert len(fold.alerts) == 1

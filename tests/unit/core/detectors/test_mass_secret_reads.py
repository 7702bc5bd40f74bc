"""Many secrets that are read under a grant in a short time are told; a few, or the same one again and again, are not."""

import random
from dataclasses import replace
from datetime import timedelta

from curfew.audit.record import Record
from curfew.core.activity.call import CallStage
from curfew.core.detectors.alert import Seen, Severity, WhichLog
from tests.support.activity import STANDING, a_call, refused
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold, called

BEGIN = NOON + timedelta(minutes=5)


def reads(number: int, *, every: timedelta = timedelta(seconds=1)) -> list[Record]:
    return called(*(a_call("get", f"secrets/s{one}", at=BEGIN + one * every) for one in range(number)))


def test_twenty_secrets_in_ten_minutes_are_many() -> None:
    fold = Fold("MassSecretReads")
    fold.learn(*reads(20))

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == f"{ALICE} read 20 secrets in 10 min under policy debug in payments"
    assert alert.at == BEGIN + timedelta(seconds=19)
    assert alert.people == (ALICE,)
    assert (alert.namespace, alert.policy) == ("payments", "debug")
    assert alert.story is not None
    assert alert.story.request == "inc-6f1e"
    assert len(alert.evidence) == 20


def test_nineteen_are_not() -> None:
    fold = Fold("MassSecretReads")
    fold.learn(*reads(19))
    assert fold.found == []


def test_the_tenth_minute_is_the_last_that_counts() -> None:
    within, beyond = Fold("MassSecretReads", secrets=2), Fold("MassSecretReads", secrets=2)
    within.learn(*reads(2, every=timedelta(minutes=10)))
    beyond.learn(*reads(2, every=timedelta(minutes=10, microseconds=1)))
    assert (len(within.alerts), len(beyond.alerts)) == (1, 0)


def test_one_secret_counts_once_however_often_it_is_read() -> None:
    fold = Fold("MassSecretReads")
    fold.learn(*called(*(a_call("get", "secrets/db", at=BEGIN + timedelta(seconds=one)) for one in range(100))))
    assert fold.found == []


def test_a_list_of_all_counts_as_ten() -> None:
    fold = Fold("MassSecretReads")
    fold.learn(*called(a_call("list", "secrets", at=BEGIN)), *reads(9))
    assert fold.found == []
    fold.learn(*reads(10)[9:])
    assert (
        fold.alerts[0].message
        == f"{ALICE} read 10 secrets and 1 list of all secrets in 10 min under policy debug in payments"
    )


def test_lists_of_one_namespace_are_told_only_where_one_is_to_be_enough() -> None:
    """Their events do not show whether they were asked for names or for contents."""
    lists = called(*(a_call("list", "secrets", at=BEGIN + timedelta(minutes=one)) for one in range(9)))
    usual, strict = Fold("MassSecretReads"), Fold("MassSecretReads", listing=20)
    usual.learn(*lists)
    strict.learn(*lists[:1])

    assert usual.found == []
    assert strict.alerts[0].values["lists"] == 1


def test_what_was_refused_or_allowed_by_other_access_or_only_changed_is_not_read_with_it() -> None:
    fold = Fold("MassSecretReads", secrets=1)
    fold.learn(
        *called(
            refused("get", "secrets/db", at=BEGIN),
            a_call("get", "secrets/db", reason=STANDING, at=BEGIN),
            a_call("delete", "secrets/db", at=BEGIN),
            a_call("get", "configmaps/db", at=BEGIN),
        )
    )
    assert fold.found == []


def test_a_policy_may_have_another_limit() -> None:
    fold = Fold("MassSecretReads", {"secrets": 3}, secrets=2)
    fold.learn(*reads(2))
    assert fold.found == []
    fold.learn(*reads(3)[2:])
    assert len(fold.alerts) == 1


def test_the_order_in_which_records_arrive_makes_no_difference() -> None:
    shuffled = reads(20)
    random.Random(3).shuffle(shuffled)  # noqa: S311  to be had again, not secret
    fold = Fold("MassSecretReads")
    fold.learn(*shuffled)

    (alert,) = fold.alerts
    assert alert.at == BEGIN + timedelta(seconds=19)
    assert alert.values["secrets"] == 20


def test_a_watch_of_all_counts_once_with_its_end() -> None:
    ends = a_call("watch", "secrets", at=BEGIN, lasted=timedelta(minutes=1))
    begins = replace(ends, stage=CallStage.RESPONSE_STARTED, at=BEGIN)
    records = called(begins, ends)
    assert [record.event for record in records] == ["stream.opened", "call.read"]

    fold = Fold("MassSecretReads", secrets=11)
    fold.learn(*records)
    assert fold.found == []
    fold.learn(*reads(1))
    assert len(fold.alerts) == 1


def test_a_call_that_is_dated_ahead_blinds_nobody_to_the_next_ones() -> None:
    fold = Fold("MassSecretReads")
    ahead = called(a_call("get", "secrets/ahead", at=BEGIN + timedelta(minutes=50)))
    for number, record in enumerate([*ahead, *reads(20)]):
        fold.found += fold.detector.learn(Seen(record, WhichLog.ACTIVITY, number, BEGIN + timedelta(minutes=1)))
    assert fold.alerts

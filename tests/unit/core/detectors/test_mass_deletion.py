"""Much that is deleted or changed under a grant in a short time is told."""

from datetime import timedelta

import pytest

from curfew.audit.record import Record
from curfew.core.activity.call import Call
from tests.support.activity import a_call, refused
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold, called

BEGIN = NOON + timedelta(minutes=5)


def calls(verb: str, number: int, *, every: timedelta = timedelta(seconds=1)) -> list[Record]:
    return called(*(a_call(verb, f"pods/p{one}", at=BEGIN + one * every) for one in range(number)))


def test_twenty_deletions_are_many() -> None:
    fold = Fold("MassDeletion")
    fold.learn(*calls("delete", 19))
    assert fold.found == []
    fold.learn(*calls("delete", 20)[19:])

    (alert,) = fold.alerts
    assert alert.message == f"{ALICE} made 20 deletions in 10 min under policy debug in payments"
    assert alert.story is not None


def test_a_hundred_changes_are_many() -> None:
    fold = Fold("MassDeletion")
    fold.learn(*calls("patch", 99))
    assert fold.found == []
    fold.learn(*calls("patch", 100)[99:])
    assert fold.alerts[0].message == f"{ALICE} made 100 changes in 10 min under policy debug in payments"


def test_deletions_are_changes_too() -> None:
    fold = Fold("MassDeletion", deletes=500, changes=4)
    fold.learn(*calls("delete", 2), *calls("patch", 2))
    assert [alert.values for alert in fold.alerts] == [{"changed": 4, "limit": 4}]


def test_a_whole_collection_counts_as_ten() -> None:
    fold = Fold("MassDeletion")
    one, other = (a_call("deletecollection", f"{kind}", at=BEGIN) for kind in ("pods", "jobs.batch"))
    fold.learn(*called(one))
    assert fold.found == []
    fold.learn(*called(other))
    assert len(fold.alerts) == 1


def test_what_may_have_been_changed_counts() -> None:
    fold = Fold("MassDeletion", deletes=1)
    fold.learn(*called(a_call("delete", "pods/p", code=504)))
    assert len(fold.alerts) == 1


@pytest.mark.parametrize(
    "call",
    [refused("delete", "pods/p"), a_call("get", "pods/p"), a_call("delete", "pods/p", dry_run=True)],
    ids=["refused", "a read", "a dry run"],
)
def test_what_changes_nothing_does_not_count(call: Call) -> None:
    fold = Fold("MassDeletion", deletes=1, changes=1)
    fold.learn(*called(call))
    assert fold.found == []


def test_old_deletions_do_not_count() -> None:
    fold = Fold("MassDeletion", deletes=3)
    fold.learn(*calls("delete", 30, every=timedelta(minutes=5, seconds=1)))
    assert fold.found == []

"""Access that was granted and not used is told, if the feed was whole; what is not known is not told."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.api.activity import Activity, Changes
from curfew.audit.record import Record
from curfew.core.activity import records
from tests.support.activity import END, OTHER_UID, UID, AMonitor, announced, ended
from tests.support.builders import ALICE
from tests.support.findings import DEBUG, Fold

AT = END + timedelta(minutes=1)


def assessed(uid: str = UID, *, at: Any = AT, **told: Any) -> Record:
    """Return the final answer about a grant that was not used."""
    monitor = AMonitor([announced(uid, policy=DEBUG), ended(uid)])
    activity = Activity(**{"changes": Changes.NO, "summary": "nothing", "final": True, **told})
    return records.assessed(monitor.session(uid), activity, covered_until=END, at=at)


def test_a_grant_without_a_call_is_told() -> None:
    fold = Fold("UnusedGrant")
    fold.learn(assessed())

    (alert,) = fold.alerts
    assert alert.message == (
        f"{ALICE} held the access of policy debug in payments and did not use it (request inc-6f1e)"
    )
    assert (alert.people, alert.namespace, alert.policy) == ((ALICE,), "payments", "debug")
    assert alert.story is not None
    assert alert.values == {"grants": 1, "limit": 1}
    assert alert.quiet == timedelta(days=30)


def test_a_policy_may_need_two() -> None:
    fold = Fold("UnusedGrant", {"grants": 2})
    fold.learn(assessed(), assessed(summary="still nothing"))  # one grant, and twice
    assert fold.alerts == []
    fold.learn(assessed(OTHER_UID, at=AT + timedelta(days=30)))

    (alert,) = fold.alerts
    assert alert.message == f"{ALICE} held the access of policy debug in payments and did not use it, 2 times in 30 d"
    assert alert.story is None


def test_grants_that_are_far_apart_are_not_counted_together() -> None:
    fold = Fold("UnusedGrant", grants=2)
    fold.learn(assessed(), assessed(OTHER_UID, at=AT + timedelta(days=30, seconds=1)))
    assert fold.alerts == []


@pytest.mark.parametrize(
    "told",
    [
        {"changes": Changes.UNKNOWN},
        {"final": False},
        {"reads": 1},
        {"writes": 1, "changes": Changes.YES},
        {"denied": 1},
        {"opaque": 1},
        {"standing": 1},
    ],
    ids=str,
)
def test_a_grant_that_was_used_or_may_have_been_or_is_not_over_is_not_told(told: dict[str, Any]) -> None:
    fold = Fold("UnusedGrant")
    fold.learn(assessed(**told))
    assert fold.alerts == []


def test_calls_that_arrive_late_end_the_alert() -> None:
    fold = Fold("UnusedGrant")
    fold.learn(assessed(), assessed(reads=2, at=AT + timedelta(hours=1)))
    assert [(one.key, one.why) for one in fold.ends] == [
        (fold.alerts[0].key, "calls with the access have arrived late")
    ]

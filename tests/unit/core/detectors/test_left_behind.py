"""What a grant has left is told when the time to tidy up is over, unless it is gone or kept by then."""

from datetime import timedelta
from typing import Any

from curfew.api.activity import Activity, Changes
from curfew.audit.record import Record
from curfew.core.activity import records
from tests.support.activity import END, AMonitor, announced, ended
from tests.support.builders import ALICE, BOB
from tests.support.findings import DEBUG, Fold

AT = END + timedelta(minutes=1)
GRACE = timedelta(minutes=15)


def assessed(remains: int, *, minutes: float = 0, **told: Any) -> Record:
    """Return the final answer about a grant."""
    session = AMonitor([announced(policy=DEBUG), ended()]).session()
    activity = Activity(changes=Changes.YES, writes=2, remains=remains, final=True, changed=("pods/shell",), **told)
    return records.assessed(session, activity, covered_until=END, at=AT + timedelta(minutes=minutes))


def test_something_that_is_left_is_told_at_the_end_of_the_time() -> None:
    fold = Fold("LeftBehind")
    fold.learn(assessed(2))
    assert fold.look(AT + GRACE - timedelta(microseconds=1)) == []
    fold.look(AT + GRACE + timedelta(hours=3))

    (alert,) = fold.alerts
    assert alert.at == AT + GRACE
    assert alert.trigger is None
    assert alert.message == (
        f"request inc-6f1e of {ALICE} has left 2 objects behind (changed with it: pods/shell); delete them, or have an "
        "approver decide to keep them"
    )
    assert alert.people == (ALICE,)
    assert alert.story is not None


def test_it_is_told_once() -> None:
    fold = Fold("LeftBehind")
    fold.learn(assessed(2))
    fold.look(AT + GRACE)
    assert fold.look(AT + 2 * GRACE) == []


def test_an_answer_that_comes_again_gives_no_more_time() -> None:
    fold = Fold("LeftBehind")
    fold.learn(assessed(2), assessed(1, minutes=10))
    fold.look(AT + GRACE)
    assert [alert.values["remains"] for alert in fold.alerts] == [1]


def test_nothing_is_told_if_it_is_gone_in_time() -> None:
    fold = Fold("LeftBehind")
    fold.learn(assessed(2), assessed(0, minutes=10))
    assert fold.look(AT + 2 * GRACE) == []


def test_the_alert_ends_when_all_is_gone_or_somebody_keeps_it() -> None:
    fold = Fold("LeftBehind")
    fold.learn(assessed(2))
    fold.look(AT + GRACE)
    fold.learn(assessed(0, minutes=30))
    fold.learn(assessed(0, minutes=40, kept_by=BOB, kept_reason="it is the fix"))
    assert [one.why for one in fold.ends] == [
        f"request inc-6f1e of {ALICE}: nothing is left any more",
        f"request inc-6f1e of {ALICE}: {BOB} decided to keep it",
    ]
    assert {one.key for one in fold.ends} == {fold.alerts[0].key}


def test_a_policy_may_give_other_time() -> None:
    fold = Fold("LeftBehind", {"grace": "1s"})
    fold.learn(assessed(1))
    assert fold.look(AT + timedelta(seconds=1))


def test_while_the_grant_lasts_nothing_is_told() -> None:
    fold = Fold("LeftBehind")
    session = AMonitor([announced(policy=DEBUG)]).session()
    activity = Activity(changes=Changes.YES, writes=1, remains=1)
    fold.learn(records.assessed(session, activity, covered_until=None, at=AT))
    assert fold.look(AT + 2 * GRACE) == []

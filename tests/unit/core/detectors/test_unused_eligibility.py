"""A policy that nobody has asked for in a month is told, until somebody asks or it is gone."""

from datetime import datetime, timedelta
from typing import Any

from curfew.api.access_policy import AccessPolicy
from curfew.audit.carried import cut, make_part
from curfew.audit.record import CURFEW, PolicyRef, Record, Story, make_record
from curfew.core import policy_records
from curfew.core.detectors.alert import WhichLog
from tests.support.builders import ALICE, NOON, a_policy
from tests.support.findings import Fold

DAY = timedelta(days=1)
MONTH = 30 * DAY
TRAIL = WhichLog.TRAIL


def offered(*, at: datetime = NOON, **spec: Any) -> Record:
    """Return the record of the policy debug in payments."""
    body = a_policy(**spec)
    body["metadata"] |= {"uid": "policy-uid", "generation": 1}
    record = policy_records.changed(AccessPolicy.model_validate(body), None, at=at)
    assert record is not None
    return record


def asked(*, at: datetime, policy: str = "debug") -> Record:
    story = Story("uid", "payments", "inc-1", ALICE, policy=PolicyRef(policy, "policy-uid", 1))
    return make_record("request.accepted", at=at, actor=CURFEW, message="understood", story=story)


def carried(record: Record, *, at: datetime) -> Record:
    return make_part(
        "main", set_="s", number=0, is_last=True, began=at, since=at, at=at, stories=(), policies=(cut(record),)
    )


def test_a_policy_that_nobody_has_asked_for_is_told_after_a_month() -> None:
    fold = Fold("UnusedEligibility")
    fold.learn(offered(), log=TRAIL)
    assert fold.look(NOON + MONTH - timedelta(microseconds=1)) == []
    fold.look(NOON + MONTH + DAY)

    (alert,) = fold.alerts
    assert alert.at == NOON + MONTH
    assert alert.message == (
        "nobody has asked for policy debug in payments in 30 d; if nobody needs it any more, delete it"
    )
    assert (alert.namespace, alert.policy, alert.people) == ("payments", "debug", ())


def test_each_request_gives_it_another_month_and_ends_the_alert() -> None:
    fold = Fold("UnusedEligibility")
    fold.learn(offered(), asked(at=NOON + 20 * DAY), log=TRAIL)
    assert fold.look(NOON + 49 * DAY) == []
    assert len(fold.look(NOON + 50 * DAY)) == 1
    fold.learn(asked(at=NOON + 60 * DAY), log=TRAIL)
    assert [end.why for end in fold.ends[-1:]] == ["somebody has asked for it"]
    assert len(fold.look(NOON + 90 * DAY)) == 1


def test_an_old_request_takes_no_time_away() -> None:
    fold = Fold("UnusedEligibility")
    fold.learn(offered(), asked(at=NOON + 20 * DAY), asked(at=NOON + 5 * DAY), log=TRAIL)
    assert fold.look(NOON + 49 * DAY) == []


def test_a_policy_that_is_gone_is_not_told_and_ends_the_alert() -> None:
    fold = Fold("UnusedEligibility")
    gone = make_record(
        "policy.deleted",
        at=NOON + 40 * DAY,
        actor=CURFEW,
        message="gone",
        subject="policy-uid",
        detail={"namespace": "payments", "policy": "debug"},
    )
    fold.learn(offered(), log=TRAIL)
    fold.look(NOON + MONTH)
    fold.learn(gone, log=TRAIL)
    assert [end.why for end in fold.ends] == ["the policy is gone"]
    assert fold.look(NOON + 900 * DAY) == []


def test_policies_for_emergencies_are_meant_to_be_unused_unless_set_otherwise() -> None:
    glass = offered(approval={"mode": "BreakGlass"})
    fold, told = Fold("UnusedEligibility"), Fold("UnusedEligibility", breakGlass=True)
    for one in (fold, told):
        one.learn(glass, log=TRAIL)
        one.look(NOON + MONTH)
    assert (len(fold.alerts), len(told.alerts)) == (0, 1)


def test_a_policy_that_the_log_carries_forward_is_known_and_stays_as_unused_as_it_was() -> None:
    fold = Fold("UnusedEligibility")
    record = offered()
    fold.learn(carried(record, at=NOON), log=TRAIL)
    fold.learn(carried(record, at=NOON + 20 * DAY), log=TRAIL)
    assert len(fold.look(NOON + MONTH)) == 1
    fold.learn(carried(record, at=NOON + 40 * DAY), log=TRAIL)
    assert fold.look(NOON + 200 * DAY) == []


def test_requests_for_policies_that_are_not_known_teach_nothing() -> None:
    fold = Fold("UnusedEligibility")
    fold.learn(asked(at=NOON, policy="unknown"), log=TRAIL)
    assert fold.found == []
    assert fold.look(NOON + MONTH) == []


def test_a_policy_may_have_another_time() -> None:
    fold = Fold("UnusedEligibility", {"within": "24h"})
    fold.learn(offered(), log=TRAIL)
    assert len(fold.look(NOON + DAY)) == 1

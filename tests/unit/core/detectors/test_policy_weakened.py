"""A policy requires less than before."""

from typing import Any

from curfew.api.access_policy import AccessPolicy
from curfew.audit.carried import make_part
from curfew.audit.record import Record
from curfew.core.detectors.alert import Severity
from curfew.core.policy_records import changed, deleted
from tests.support.builders import NOON, a_policy
from tests.support.findings import Fold


def a_version(generation: int = 1, uid: str = "u-1", **spec: Any) -> AccessPolicy:
    policy = a_policy(**spec)
    policy["metadata"] = {**policy["metadata"], "namespace": "payments", "generation": generation, "uid": uid}
    return AccessPolicy.model_validate(policy)


def record_of(policy: AccessPolicy, last: Record | None = None) -> Record:
    record = changed(policy, last, at=NOON)
    assert record is not None
    return record


CREATED = record_of(a_version(maxDuration="1h"))


def test_a_policy_that_was_weakened() -> None:
    fold = Fold("PolicyWeakened")
    fold.learn(CREATED, record_of(a_version(2, maxDuration="2h"), CREATED))

    (alert,) = fold.alerts
    assert alert.message == "AccessPolicy debug in payments was weakened: maxDuration is 2h, was 1h"
    assert (alert.namespace, alert.policy, alert.severity) == ("payments", "debug", Severity.MEDIUM)


def test_a_policy_that_was_tightened() -> None:
    fold = Fold("PolicyWeakened")
    fold.learn(CREATED, record_of(a_version(2, maxDuration="30m"), CREATED))
    assert fold.found == []


def test_each_version_is_told_by_itself() -> None:
    fold = Fold("PolicyWeakened")
    second = record_of(a_version(2, maxDuration="2h"), CREATED)
    fold.learn(CREATED, second, record_of(a_version(3, maxDuration="3h"), second))
    assert len({alert.key for alert in fold.alerts}) == 2


def test_a_policy_that_is_deleted_and_made_again_with_less() -> None:
    fold = Fold("PolicyWeakened")
    fold.learn(CREATED, *deleted(a_version(maxDuration="1h"), CREATED, at=NOON))
    fold.learn(record_of(a_version(uid="u-2", maxDuration="4h")))

    (alert,) = fold.alerts
    assert alert.message == (
        "AccessPolicy debug in payments was made again, and requires less than the last one: maxDuration is 4h, was 1h"
    )


def test_a_policy_that_is_made_again_as_it_was() -> None:
    fold = Fold("PolicyWeakened")
    fold.learn(CREATED, record_of(a_version(uid="u-2", maxDuration="1h")))
    assert fold.found == []


def test_a_policy_is_known_from_what_the_log_carries_forward() -> None:
    fold = Fold("PolicyWeakened")
    part = make_part(
        "main", set_="s", number=0, is_last=True, began=NOON, since=NOON, at=NOON, stories=(), policies=(CREATED,)
    )
    fold.learn(part, record_of(a_version(uid="u-2", maxDuration="4h")))
    assert len(fold.alerts) == 1

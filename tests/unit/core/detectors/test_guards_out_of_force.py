"""What guards Curfew is not in force, or was changed."""

import pytest

from curfew.audit.record import CURFEW, Record, make_record
from curfew.core.detectors.alert import Severity, WhichLog
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import Fold


def lost(event: str = "enforcement.lost", **detail: object) -> Record:
    return make_record(event, at=NOON, actor=CURFEW, message="m", subject="main", detail=detail)


def change(verb: str, *, actor: str = BOB, **detail: object) -> Record:
    told = {"part": "Admission", "verb": verb, "resource": "validatingadmissionpolicies", "name": "curfew", **detail}
    return make_record("guard.changed", at=NOON, actor=actor, message="m", subject="s", detail=told)


@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
def test_a_lock_that_somebody_makes_or_lifts_is_no_alert(verb: str) -> None:
    fold = Fold("GuardsOutOfForce")
    fold.learn(change(verb, part="Locks", resource="accesslocks", name="lock-x7k2p", ours=True))
    assert fold.alerts == []
    fold.learn(change(verb, ours=True))
    assert len(fold.alerts) == 1


def test_guards_that_are_lost_and_restored() -> None:
    fold = Fold("GuardsOutOfForce")
    fold.learn(lost(policies=["curfew-deciding"], message="a policy is gone"), log=WhichLog.TRAIL)
    fold.learn(lost("enforcement.restored"), log=WhichLog.TRAIL)

    (alert,), (end,) = fold.alerts, fold.ends
    assert alert.message == "a policy is gone (curfew-deciding); nothing is granted until they are in force again"
    assert (alert.severity, alert.quiet) == (Severity.CRITICAL, None)
    assert alert.key == end.key


@pytest.mark.parametrize(
    ("verb", "ours", "severity"),
    [("delete", True, Severity.HIGH), ("patch", True, Severity.MEDIUM), ("create", False, Severity.HIGH)],
)
def test_a_guard_that_somebody_changed(verb: str, ours: bool, severity: Severity) -> None:
    fold = Fold("GuardsOutOfForce")
    fold.learn(change(verb, ours=ours, user=ALICE))

    (alert,) = fold.alerts
    assert (alert.severity, alert.people) == (severity, (BOB, ALICE))
    assert f"{BOB} as {ALICE} made the call {verb} on validatingadmissionpolicies/curfew" in alert.message


def test_an_upgrade_is_one_alert_and_hides_no_removal() -> None:
    fold = Fold("GuardsOutOfForce")
    fold.learn(*(change("patch", ours=True, name=f"curfew-{number}") for number in range(40)))
    assert len({alert.key for alert in fold.alerts}) == 1
    fold.learn(change("delete", ours=True), change("patch", ours=True, actor=ALICE))
    assert len({alert.key for alert in fold.alerts}) == 3


def test_a_record_without_details_still_counts() -> None:
    fold = Fold("GuardsOutOfForce")
    fold.learn(lost())
    assert "admission policies are not in force" in fold.alerts[0].message

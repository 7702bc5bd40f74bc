"""Whatever is done as a service account under a person's grant is told, once for each way and account."""

from datetime import timedelta

import pytest

from curfew.core.activity.call import Call, Caller
from curfew.core.detectors.alert import Severity
from tests.support.activity import AMonitor, a_call, announced, ended, of_account
from tests.support.builders import ALICE, NOON
from tests.support.findings import DEBUG, Fold

DEPLOYER = "system:serviceaccount:payments:deployer"
IMPERSONATES = ({"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},)


def a_monitor() -> AMonitor:
    return AMonitor([announced(policy=DEBUG), ended()])


def minted() -> AMonitor:
    monitor = a_monitor()
    monitor.arrives(a_call("create", "serviceaccounts/deployer (token)", issued_credential="JTI=1"))
    return monitor


def test_a_token_that_is_minted_is_told() -> None:
    fold = Fold("ServiceAccountToken")
    fold.learn(*minted().log.values())

    (alert,) = fold.alerts
    assert alert.severity is Severity.MEDIUM
    assert alert.message == (
        f"a token of {DEPLOYER} was minted, which may be used by anybody who has it, under request inc-6f1e of {ALICE}"
    )
    assert alert.people == (ALICE,)
    assert alert.values == {"account": DEPLOYER, "way": "Minted"}


def test_its_use_is_told_with_more_weight() -> None:
    monitor = minted()
    monitor.log.clear()
    monitor.arrives(of_account("get", "secrets/db", credential="JTI=1", at=NOON + timedelta(minutes=12)))
    fold = Fold("ServiceAccountToken")
    fold.learn(*monitor.log.values())

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == (
        f"a call was made as {DEPLOYER}, with a token that was minted, under request inc-6f1e of {ALICE}"
    )


def test_a_pod_that_was_made_with_the_access_is_told_unless_that_is_switched_off() -> None:
    monitor = a_monitor()
    monitor.arrives(
        a_call("create", "pods/shell"), of_account(pod=("shell", "pod-uid"), at=NOON + timedelta(minutes=12))
    )
    fold, without = Fold("ServiceAccountToken"), Fold("ServiceAccountToken", pods=False)
    fold.learn(*monitor.log.values())
    without.learn(*monitor.log.values())

    (alert,) = fold.alerts
    assert alert.severity is Severity.LOW
    assert alert.message.startswith(f"shell, which was made with the access, made a call as {DEPLOYER}, under request")
    assert without.found == []


def test_impersonation_is_told() -> None:
    monitor = AMonitor([announced(policy=DEBUG, rules=IMPERSONATES), ended()])
    monitor.arrives(a_call("get", "secrets/db", impersonated=DEPLOYER))
    fold = Fold("ServiceAccountToken")
    fold.learn(*monitor.log.values())
    assert [alert.message for alert in fold.alerts] == [
        f"a call was made by impersonating {DEPLOYER}, under request inc-6f1e of {ALICE}"
    ]


@pytest.mark.parametrize(
    "call",
    [
        a_call("create", "serviceaccounts/deployer (token)", code=403, decision="forbid", reason=""),
        a_call("get", "serviceaccounts/deployer"),
        a_call("get", "pods/web-0", caller=Caller(ALICE, credential="JTI=1")),
    ],
    ids=["a token that was refused", "a service account that is read", "a call of the person"],
)
def test_the_persons_own_calls_are_not_told(call: Call) -> None:
    monitor = a_monitor()
    monitor.arrives(call)
    assert monitor.log
    fold = Fold("ServiceAccountToken")
    fold.learn(*monitor.log.values())
    assert fold.found == []

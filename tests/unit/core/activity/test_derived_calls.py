"""Calls by what a grant gave birth to: tokens and pods."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.core.activity import derived
from curfew.core.activity.attribution import Attributed, CallAlert
from curfew.core.activity.call import Call
from curfew.core.activity.effect import How
from tests.support.activity import (
    END,
    OTHER_UID,
    STANDING,
    UID,
    AMonitor,
    a_call,
    announced,
    ended,
    of_account,
    refused,
)
from tests.support.builders import BOB, NOON

AT = NOON + timedelta(minutes=20)


def mint(credential: str = "JTI=1", **changes: Any) -> Call:
    """Return a call that mints a token."""
    return a_call("create", "serviceaccounts/deployer (token)", issued_credential=credential, **changes)


def from_pod(name: str = "debug", uid: str = "pod-1", **changes: Any) -> Call:
    """Return a call from a pod, with a token of its own."""
    return of_account(pod=(name, uid), credential=f"JTI=of-{uid}", **{"at": AT, **changes})


def hows(monitor: AMonitor, *calls: Call) -> list[How]:
    """Return how these calls are tied to grants."""
    return [one.how for one in monitor.arrives(*calls) if isinstance(one, Attributed)]


def test_a_token_that_was_minted_under_a_grant_is_followed_also_after_the_end() -> None:
    monitor = AMonitor()
    monitor.arrives(mint())

    late = of_account("delete", "pods/web-0", credential="JTI=1", at=END + timedelta(days=3))
    found = monitor.arrives(of_account(credential="JTI=1"), of_account(credential="JTI=2"), late)

    assert [one.how for one in found if isinstance(one, Attributed)] == [How.TOKEN, How.TOKEN]
    assert [one.record.event for one in found if isinstance(one, CallAlert)] == ["alert.used_after_end"]
    verdict = monitor.verdict()
    assert (verdict.changes, verdict.derived, verdict.reads, verdict.writes) == ("Yes", 2, 1, 2)
    assert "minted one token, 2 calls by its tokens and pods" in verdict.summary


def test_a_token_is_followed_wherever_it_is_used() -> None:
    monitor = AMonitor()

    assert hows(monitor, mint(), of_account("list", "nodes/", namespace="", credential="JTI=1")) == [
        How.BINDING,
        How.TOKEN,
    ]
    assert hows(
        monitor, refused("delete", "secrets/db", caller=of_account(credential="JTI=1").caller, namespace="other")
    ) == [How.TOKEN]


def test_a_refused_call_with_a_token_after_the_end_used_nothing() -> None:
    monitor = AMonitor()
    monitor.arrives(mint(), refused(caller=of_account(credential="JTI=1").caller, at=END + timedelta(days=1)))

    assert "alert.used_after_end" not in monitor.events()


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(mint(reason=STANDING), id="by other access"),
        pytest.param(mint(code=404), id="without success"),
        pytest.param(mint(user=BOB, reason="of his own"), id="by somebody else"),
    ],
)
def test_a_token_that_the_grant_did_not_mint_is_not_followed(call: Call) -> None:
    monitor = AMonitor()
    monitor.arrives(call)

    assert monitor.arrives(of_account(credential="JTI=1")) == []


def test_what_a_token_mints_and_makes_is_followed_too() -> None:
    monitor = AMonitor()
    monitor.arrives(
        mint(), of_account("create", "serviceaccounts/deployer (token)", credential="JTI=1", issued_credential="JTI=2")
    )
    monitor.arrives(of_account("create", "pods/debug", credential="JTI=2"))

    assert hows(monitor, from_pod()) == [How.POD]


def test_a_pod_that_was_made_under_a_grant_is_followed() -> None:
    monitor = AMonitor()

    assert hows(monitor, a_call("create", "pods/debug"), from_pod(), from_pod("other")) == [How.BINDING, How.POD]
    assert hows(monitor, from_pod(account="system:serviceaccount:default:deployer")) == []
    assert hows(monitor, from_pod(uid="pod-0", at=NOON)) == []
    assert hows(monitor, from_pod(account="mallory")) == []


def test_server_side_apply_makes_a_pod_too() -> None:
    assert hows(AMonitor(), a_call("patch", "pods/debug", code=201), from_pod())[1:] == [How.POD]


def test_another_pod_that_bears_the_name_later_is_not_followed() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"), from_pod(uid="pod-1"))

    assert hows(monitor, from_pod(uid="pod-2"), from_pod(uid="pod-1")) == [How.POD]


def test_a_pod_that_was_deleted_before_it_called_leaves_its_name_to_others() -> None:
    monitor = AMonitor()
    monitor.arrives(a_call("create", "pods/debug"), a_call("delete", "pods/debug", user=BOB, reason="his", at=AT))

    assert hows(monitor, from_pod(at=AT + timedelta(minutes=1))) == []
    assert hows(monitor, from_pod(at=AT - timedelta(minutes=1))) == [How.POD]


def test_a_pod_that_the_grant_makes_again_is_followed_again() -> None:
    monitor = AMonitor()
    monitor.arrives(
        a_call("create", "pods/debug"),
        from_pod(uid="pod-1", at=AT),
        a_call("delete", "pods/debug", at=AT + timedelta(minutes=1)),
        a_call("create", "pods/debug", at=AT + timedelta(minutes=2)),
    )

    assert hows(monitor, from_pod(uid="pod-2", at=AT + timedelta(minutes=3))) == [How.POD]


def test_the_use_of_a_token_that_arrives_before_its_making_is_attributed_then() -> None:
    monitor = AMonitor()
    monitor.arrives(of_account("create", "pods/debug", credential="JTI=1"), from_pod())
    assert monitor.log == {}

    monitor.arrives(mint())

    assert [record.block["detail"]["how"] for record in monitor.log.values()] == ["Binding", "Token", "Pod"]


def test_a_start_knows_the_tokens_and_pods_of_the_log() -> None:
    monitor = AMonitor()
    monitor.arrives(mint(), a_call("create", "pods/debug"), from_pod(uid="pod-1"))

    monitor.restart()

    assert hows(monitor, of_account(credential="JTI=1"), from_pod(uid="pod-1"), from_pod(uid="pod-2")) == [
        How.TOKEN,
        How.POD,
    ]


def test_two_grants_have_tokens_of_their_own() -> None:
    monitor = AMonitor(trail=[announced(), announced(OTHER_UID, namespace="default")])
    monitor.arrives(mint())

    (found,) = monitor.arrives(of_account(credential="JTI=1", namespace="default"))

    assert found.session is not None
    assert found.session.uid == UID


def test_tokens_beyond_the_bound_are_counted_and_the_verdict_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = AMonitor()

    monitor.arrives(*(mint(f"JTI={number}") for number in range(derived.MOST_TOKENS + 20)))

    assert monitor.arrives(of_account(credential=f"JTI={derived.MOST_TOKENS + 1}")) == []
    assert f"minted {derived.MOST_TOKENS + 20} tokens, of which 20 are not followed" in monitor.verdict().summary


def test_calls_that_are_nobodys_need_no_memory() -> None:
    monitor = AMonitor()

    for number in range(20_000):
        monitor.arrives(of_account(credential=f"JTI={number}"))

    assert len(monitor.attribution._recent) == 2_000
    assert monitor.log == {}


def test_a_session_that_is_over_is_still_known_for_its_tokens_until_it_is_forgotten() -> None:
    monitor = AMonitor(trail=[announced(), ended(at=NOON + timedelta(minutes=15))])
    monitor.arrives(mint())

    assert hows(monitor, of_account(credential="JTI=1", at=END)) == [How.TOKEN]

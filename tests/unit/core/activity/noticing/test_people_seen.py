"""From where and with what people come is in the log once a day, coarse enough to be the same on most days."""

from datetime import timedelta

import pytest

from curfew.core.activity.call import Call, Caller
from curfew.core.activity.noticing.once import Once
from curfew.core.activity.noticing.places import network_of
from tests.support.activity import a_call, announced, of_account, refused
from tests.support.builders import ALICE, NOON
from tests.support.noticing import ANoticing, detail, events

AT = NOON + timedelta(minutes=10)


def asks(**changes: object) -> Call:
    """Return a look of alice's at her requests."""
    return a_call("list", "accessrequests.curfew.dev/", **{"reason": "", "source_addresses": ("8.8.8.8",), **changes})


@pytest.mark.parametrize(
    ("addresses", "network"),
    [
        (("8.8.8.8",), "8.8.8.0/24"),
        (("1.1.1.1", "8.8.8.8"), "8.8.8.0/24"),
        (("8.8.8.8", "10.0.0.7"), "private"),
        (("192.168.1.1",), "private"),
        (("127.0.0.1",), "private"),
        (("100.64.1.1",), "private"),
        (("::1",), "private"),
        (("fd00::7",), "private"),
        (("2a00:1450:4001:81b::200e",), "2a00:1450:4001::/48"),
        (("::ffff:8.8.8.8",), "8.8.8.0/24"),
        (("::ffff:10.0.0.1",), "private"),
        ((), ""),
        (("nonsense",), ""),
        (("8.8.8.8", "nonsense"), ""),
        (("fe80::1%eth0",), ""),
    ],
)
def test_the_network_of_a_call(addresses: tuple[str, ...], network: str) -> None:
    assert network_of(a_call(source_addresses=addresses)) == network


def test_a_person_is_seen_once_a_day_in_each_place() -> None:
    noticing = ANoticing(announced())

    (first,) = noticing.arrives(asks(), asks(at=AT + timedelta(hours=1)))
    assert (first.event, first.block["actor"], first.subject) == ("person.seen", ALICE, "main-activity")
    assert detail(first) == {"network": "8.8.8.0/24", "credential": "X509SHA256=05fb", "by": "Request"}
    (second,) = noticing.arrives(asks(source_addresses=("9.9.9.9",)), a_call(source_addresses=("8.8.8.7",)))
    assert detail(second)["network"] == "9.9.9.0/24"
    noticing.restart()
    assert noticing.arrives(asks()) == []
    assert len(noticing.arrives(asks(at=AT + timedelta(days=1)))) == 1


def test_who_uses_a_grant_is_seen() -> None:
    (record,) = ANoticing(announced()).arrives(a_call())

    assert detail(record)["by"] == "Grant"


def test_each_token_has_another_id_and_is_the_same_credential() -> None:
    noticing = ANoticing()
    calls = [asks(caller=Caller(ALICE, credential=f"JTI={number}")) for number in range(3)]

    (record,) = noticing.arrives(*calls)

    assert detail(record)["credential"] == "JTI"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(a_call(user="dave", reason=""), id="not under a grant"),
        pytest.param(refused(), id="refused by RBAC while there is a grant"),
        pytest.param(of_account("get", "accessrequests.curfew.dev/inc"), id="a service account"),
        pytest.param(asks(caller=Caller("")), id="nobody"),
        pytest.param(asks(caller=Caller("dave"), source_addresses=()), id="from nowhere with nothing"),
    ],
)
def test_who_is_not(call: Call) -> None:
    assert "person.seen" not in events(ANoticing(announced()).arrives(call))


def test_what_is_remembered_has_a_bound() -> None:
    once = Once[int](most=3)

    assert [once.is_first(number, "a") for number in (1, 2, 3, 1, 4, 1)] == [True, True, True, True, True, True]
    assert [once.is_first(number, "b") for number in (1, 3, 4, 2)] == [False, False, False, True]
    for number in range(10):
        once.remember(number)
    assert len(once) == 3

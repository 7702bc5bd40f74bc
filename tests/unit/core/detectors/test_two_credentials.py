"""Two credentials in turns under one grant are told; a credential that is renewed is not."""

import itertools
from datetime import timedelta

import pytest

from curfew.audit.record import Record
from curfew.core.activity.call import Caller
from curfew.core.detectors.alert import Severity
from curfew.core.detectors.two_credentials import MOST_CREDENTIALS
from tests.support.activity import OTHER_UID, a_call, of_account, reason
from tests.support.builders import ALICE, NOON
from tests.support.findings import Fold, called

BEGIN = NOON + timedelta(minutes=5)


def used(*steps: tuple[str, float], address: str = "8.8.4.7") -> list[Record]:
    """Return the records of calls, each with a credential and so many minutes after the beginning."""
    return called(
        *(
            a_call(
                caller=Caller(ALICE, credential=credential),
                at=BEGIN + timedelta(minutes=minutes),
                source_addresses=(address,),
            )
            for credential, minutes in steps
        )
    )


def test_one_then_another_then_the_first_again_is_told() -> None:
    fold = Fold("TwoCredentials")
    fold.learn(*used(("A", 0), ("B", 5), ("A", 8.5)))

    (alert,) = fold.alerts
    assert alert.severity is Severity.MEDIUM
    assert alert.message == (
        f"{ALICE} used two credentials in turns under request inc-6f1e: the older one 3 min 30 s after the newer one began"
    )
    assert (alert.values["older"], alert.values["newer"]) == ("A", "B")
    assert [one.index for one in alert.evidence] == [0, 1, 2]
    assert alert.story is not None


def test_a_renewed_credential_is_innocent() -> None:
    fold = Fold("TwoCredentials")
    fold.learn(*used(("A", 0), ("A", 5), ("B", 5.1), ("B", 20), ("C", 21), ("C", 40)))
    assert fold.found == []


@pytest.mark.parametrize(("seconds", "told"), [(60, False), (61, True)], ids=["a minute", "more than a minute"])
def test_calls_on_their_way_may_still_use_the_old_one(seconds: int, told: bool) -> None:
    fold = Fold("TwoCredentials")
    fold.learn(*used(("A", 0), ("B", 5), ("A", 5 + seconds / 60)))
    assert bool(fold.alerts) is told


def test_from_two_networks_it_is_worse() -> None:
    fold = Fold("TwoCredentials")
    fold.learn(*used(("A", 0)), *used(("B", 5), address="9.9.9.9"), *used(("A", 9)))
    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message.endswith(", from 8.8.4.0/24 and from 9.9.9.0/24")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_the_order_in_which_records_arrive_makes_no_difference(order: tuple[int, ...]) -> None:
    records = used(("A", 0), ("B", 5), ("A", 9))
    fold = Fold("TwoCredentials")
    fold.learn(*(records[place] for place in order))
    (alert,) = fold.alerts
    assert alert.values == {"credentials": 2, "older": "A", "newer": "B"}
    assert alert.at == BEGIN + timedelta(minutes=9)


def test_each_grant_is_looked_at_by_itself_and_so_are_service_accounts() -> None:
    fold = Fold("TwoCredentials")
    other = a_call(caller=Caller(ALICE, credential="B"), at=BEGIN + timedelta(minutes=5), reason=reason(OTHER_UID))
    minted = of_account("create", "serviceaccounts/deployer (token)")
    fold.learn(*used(("A", 0), ("A", 30)), *called(other, minted))
    assert fold.found == []


def test_the_credentials_of_a_grant_that_are_remembered_are_bounded() -> None:
    fold = Fold("TwoCredentials")
    fold.learn(*used(*((f"C{number}", number / 10) for number in range(MOST_CREDENTIALS + 50))))
    assert fold.found == []
    fold.learn(*used(("C0", 20)))
    assert len(fold.alerts) == 1

"""Refused decisions are in the log at once, and a flood of them makes few records and one count."""

from datetime import UTC, datetime, timedelta

import pytest

from curfew.core.activity.call import Call, Caller
from curfew.core.activity.noticing.refused import COUNT_FOR, MOST_COUNTED
from tests.support.activity import UID, a_call, announced
from tests.support.builders import ALICE, BOB, NOON
from tests.support.noticing import SYSTEM, ANoticing, a_refusal, detail

AT = NOON + timedelta(minutes=10)
NOT = "you need the verb approve on accesspolicies/debug"
EVENT = "decision.refused"


def refused(noticing: ANoticing, *calls: Call) -> list[dict[str, object]]:
    """Return the details of the records of refused decisions that calls lead to."""
    return [detail(record) for record in noticing.arrives(*calls) if record.event == EVENT]


def test_a_refused_decision_is_recorded_with_what_it_was_about() -> None:
    noticing = ANoticing(announced())

    (record,) = [record for record in noticing.arrives(a_refusal()) if record.event == EVENT]

    assert detail(record) == {
        "namespace": "payments",
        "request": "inc-6f1e",
        "decision": "Approve",
        "policy": "curfew-request-decision",
        "why": "own_request",
        "credential": "X509SHA256=05fb",
        "count": 1,
    }
    assert (record.block["actor"], record.subject, record.at) == (ALICE, UID, AT)
    assert record.block["story"]["requester"] == ALICE
    assert record.message == (
        "alice@example.com was refused decision Approve about request payments/inc-6f1e: it is their own request"
    )


def test_a_request_that_is_not_known_is_named() -> None:
    (record, *_) = ANoticing().arrives(a_refusal())

    assert record.subject == "payments/inc-6f1e"
    assert "story" not in record.block


def test_the_newest_request_of_a_name_is_meant() -> None:
    noticing = ANoticing(announced(), announced("9d2c7a4b-1e3f-4c55-8d6e-2b7f8a9c0d1e", request="inc-6f1e"))

    (record, *_) = noticing.arrives(a_refusal())

    assert record.subject == "9d2c7a4b-1e3f-4c55-8d6e-2b7f8a9c0d1e"


def test_whom_somebody_acts_as_is_shown() -> None:
    (found,) = refused(ANoticing(), a_refusal(impersonated=BOB))

    assert found["user"] == BOB


def test_a_flood_makes_two_records_and_an_exact_count() -> None:
    noticing = ANoticing()

    assert [found["count"] for found in refused(noticing, *(a_refusal() for _ in range(1000)))] == [1]
    assert noticing.later(COUNT_FOR - timedelta(seconds=1)) == []
    (counted,) = noticing.later(timedelta(seconds=1))
    assert detail(counted)["count"] == 999
    assert "999 times" in counted.message
    assert noticing.later() == []


def test_what_differs_is_not_counted_together() -> None:
    calls = [
        a_refusal(),
        a_refusal(user=BOB),
        a_refusal(NOT),
        a_refusal(name="other"),
        a_refusal(at=AT + timedelta(minutes=1)),
        a_refusal(impersonated=BOB),
    ]

    assert len(refused(ANoticing(), *calls)) == len(calls)


def test_a_call_that_comes_again_is_counted_once() -> None:
    noticing, calls = ANoticing(), [a_refusal(), a_refusal(), a_refusal()]

    assert len(refused(noticing, *calls, *calls)) == 1
    (counted,) = noticing.later()
    assert detail(counted)["count"] == 2


def test_a_restart_repeats_nothing_and_goes_on_counting() -> None:
    noticing, first = ANoticing(), a_refusal()
    noticing.arrives(first)
    noticing.restart()

    assert refused(noticing, a_refusal()) == []
    (counted,) = noticing.later()
    assert detail(counted)["count"] == 1


def test_what_is_counted_is_written_before_the_end() -> None:
    noticing = ANoticing()
    noticing.arrives(a_refusal(), a_refusal())

    assert [detail(record)["count"] for record in noticing.noticing.finish()] == [1]
    assert list(noticing.noticing.finish()) == []


def test_what_is_remembered_has_a_bound() -> None:
    noticing = ANoticing()
    calls = [a_refusal(name=f"r-{number}") for number in range(MOST_COUNTED + 1) for _ in range(2)]

    found = refused(noticing, *calls)

    assert len(found) == MOST_COUNTED + 2
    assert len(noticing.later()) == MOST_COUNTED


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(a_call("patch", "accessrequests.curfew.dev/inc (status)", code=403), id="refused by RBAC"),
        pytest.param(a_refusal(policy="guard"), id="refused by somebody else's policy"),
        pytest.param(a_refusal(resource="accesspolicies"), id="about a policy"),
        pytest.param(a_refusal(subresource=""), id="about the request itself"),
        pytest.param(a_refusal(group="example.com"), id="about another kind"),
        pytest.param(
            a_refusal(
                namespace=SYSTEM,
                name="curfew-probe",
                dry_run=True,
                caller=Caller(f"system:serviceaccount:{SYSTEM}:curfew-probe"),
            ),
            id="the self-test",
        ),
    ],
)
def test_no_other_call_is_one(call: Call) -> None:
    assert refused(ANoticing(), call) == []


def test_somebody_who_looks_like_the_self_test_is_not() -> None:
    calls = [
        a_refusal(namespace=SYSTEM, name="curfew-probe", dry_run=True),
        a_refusal(name="curfew-probe", dry_run=True, caller=Caller("system:serviceaccount:payments:curfew-probe")),
    ]

    found = refused(ANoticing(), *calls)

    assert [one["dry_run"] for one in found] == [True, True]


def test_a_call_before_all_time_is_no_record() -> None:
    """No record can hold its time."""
    assert ANoticing().arrives(a_refusal(at=datetime(1969, 12, 31, tzinfo=UTC))) == []

"""A decision about somebody's own request is told at once; other refusals if there are several; slips never."""

from datetime import timedelta
from typing import Any

import pytest

from curfew.audit.record import CURFEW, DecisionRef, Record, Story, make_record
from curfew.core.activity.call import Caller
from curfew.core.activity.noticing.records import RefusedBecause, decision_refused
from curfew.core.detectors.alert import Severity, WhichLog
from tests.support.activity import UID, a_call
from tests.support.builders import ALICE, BOB, NOON
from tests.support.findings import DEBUG, Fold

STORY = Story(uid=UID, namespace="payments", request="inc-4711", requester=ALICE, policy=DEBUG)
OWN, FORGED, NOT_ELIGIBLE, OTHER = (
    RefusedBecause.OWN_REQUEST,
    RefusedBecause.FORGED,
    RefusedBecause.NOT_ELIGIBLE,
    RefusedBecause.OTHER,
)


def refusal(
    why: RefusedBecause,
    *,
    who: str = ALICE,
    minutes: float = 0,
    story: Story | None = STORY,
    count: int = 1,
    **call: Any,
) -> Record:
    """Return the record of a decision that the API server refused."""
    made = a_call(
        "patch",
        "accessrequests.curfew.dev/inc-4711 (status)",
        caller=Caller(who),
        at=NOON + timedelta(minutes=minutes),
        **call,
    )
    return decision_refused(made, story, decision="Approve", policy="curfew-request-decision", why=why, count=count)


def test_a_decision_about_ones_own_request_is_told_at_once() -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(OWN))

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == f"{ALICE} tried to decide about their own request payments/inc-4711, and was refused"
    assert (alert.people, alert.namespace, alert.policy, alert.story) == ((ALICE,), "payments", "debug", STORY)
    assert alert.at == NOON


def test_it_is_told_also_if_the_request_is_not_known() -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(OWN, story=None))
    assert fold.alerts[0].message.startswith(f"{ALICE} tried to decide about their own request payments/inc-4711")


@pytest.mark.parametrize(("minutes", "told"), [(60, 1), (60.1, 0)], ids=["within an hour", "later"])
def test_two_others_in_an_hour_are_told(minutes: float, told: int) -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(NOT_ELIGIBLE, who=BOB))
    assert fold.found == []
    fold.learn(refusal(NOT_ELIGIBLE, who=BOB, minutes=minutes))
    assert len(fold.alerts) == told


def test_a_decision_in_anothers_name_weighs_more() -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(NOT_ELIGIBLE, who=BOB), refusal(FORGED, who=BOB, minutes=1))

    (alert,) = fold.alerts
    assert alert.severity is Severity.HIGH
    assert alert.message == (
        f"{BOB} tried to make 2 decisions in 1 h that they may not make, in another's name or with more than one decision; all "
        "were refused"
    )


def test_a_record_that_counts_several_counts_for_all() -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(FORGED, who=BOB, count=2))
    assert fold.alerts[0].values == {"refused": 2, "limit": 2}


def test_two_people_are_two_and_the_order_makes_no_difference() -> None:
    fold = Fold("RefusedDecision")
    fold.learn(refusal(FORGED, who=BOB, minutes=30), refusal(FORGED, who=ALICE))
    assert fold.found == []
    fold.learn(refusal(FORGED, who=BOB, minutes=10))
    assert [(alert.people, alert.at) for alert in fold.alerts] == [((BOB,), NOON + timedelta(minutes=30))]


def test_slips_are_never_told() -> None:
    fold = Fold("RefusedDecision", others=1)
    fold.learn(*(refusal(OTHER, minutes=number) for number in range(50)))
    assert fold.found == []


def test_the_test_of_the_guards_is_not_told() -> None:
    fold = Fold("RefusedDecision", others=1)
    probe = "system:serviceaccount:curfew-system:curfew-probe"
    fold.learn(refusal(FORGED, who=probe, dry_run=True))
    assert fold.found == []
    fold.learn(refusal(FORGED, who=BOB, dry_run=True))
    assert len(fold.alerts) == 1


def test_what_only_the_operator_refused_counts_too() -> None:
    def refused(by: str, effect: str) -> Record:
        decided = DecisionRef(by, "Approve", None, None, NOON)
        return make_record(
            "review.refused",
            at=NOON,
            actor=by,
            message="it does not count",
            story=Story(UID, "payments", "inc-4711", ALICE, policy=DEBUG, decisions=(decided,)),
            qualifier=f"{by}/{effect}",
            detail={"decision": "Approve", "effect": effect},
        )

    fold = Fold("RefusedDecision")
    fold.learn(refused(ALICE, "OwnRequest"), refused(BOB, "TooLate"), refused(CURFEW, ""), log=WhichLog.TRAIL)
    assert [alert.people for alert in fold.alerts] == [(ALICE,)]

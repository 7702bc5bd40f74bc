"""Who counts as having agreed."""

from curfew.api.access_policy import Approval
from curfew.api.access_request import AccessRequest
from curfew.core.approval import tally
from tests.support.builders import BOB, CAROL, a_decision, a_policy, a_request
from tests.support.stage import Stage, pending

EXPLAINED = {"mode": "Review", "count": 2, "reason": {"minLength": 10}}


def test_an_approval_without_the_reason_that_is_asked_for_does_not_count() -> None:
    decisions = [a_decision(BOB, reason="         ok"), a_decision(CAROL, reason="I am on call")]
    body = a_request()
    body["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    request = AccessRequest.model_validate({**body, "status": {"decisions": decisions}})

    assert str(tally(Approval.model_validate(EXPLAINED), request)) == "1/2"
    assert str(tally(Approval.model_validate({**EXPLAINED, "reason": None}), request)) == "2/2"


async def test_the_record_says_why_it_did_not_count() -> None:
    stage = Stage(policy=a_policy(approval={"mode": "Review", "reason": {"minLength": 10}}))
    await pending(stage)

    stage.cluster.decide("inc-4711", a_decision(BOB))
    await stage.settle()

    assert stage.phase() == "Pending"
    assert stage.events()[-1] == "review.refused"
    assert stage.log[-1].block["detail"]["effect"] == "ReasonTooShort"
    assert "the policy requires a longer reason" in stage.log[-1].body["message"]


async def test_one_person_in_two_spellings_counts_once() -> None:
    """Admission compares ASCII; what it cannot compare does not count, and the record says why (promise P4)."""
    stage = Stage(policy=a_policy(approval={"mode": "Review", "count": 2}))
    await pending(stage)

    stage.cluster.decide("inc-4711", a_decision("zoë@example.com"))
    stage.cluster.decide("inc-4711", a_decision("ZOË@example.com"))
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["approvals"]) == ("Pending", "1/2")
    assert [record.block["detail"]["effect"] for record in stage.log[-2:]] == ["Counted", "SamePerson"]
    assert "under another spelling of their name" in stage.log[-1].body["message"]


async def test_nobody_approves_their_own_request_in_another_spelling() -> None:
    stage = Stage()
    await pending(stage)

    stage.cluster.decide("inc-4711", a_decision("Alice@EXAMPLE.com"))
    await stage.settle()

    assert stage.phase() == "Pending"
    assert stage.log[-1].block["detail"]["effect"] == "OwnRequest"


async def test_limits_count_a_person_in_all_spellings() -> None:
    stage = Stage(policy=a_policy(limits={"pendingPerRequester": 1}))
    await pending(stage)

    again = a_request("inc-4712")
    again["spec"] |= {"requester": "ALICE@example.com", "submittedBy": "ALICE@example.com"}
    stage.cluster.apply(again)
    await stage.settle()

    assert stage.cluster.status("inc-4712")["endReason"] == "LimitReached"


async def test_terms_that_somebody_else_wrote_grant_nothing() -> None:
    """Admission reads from them who may approve: they must be what the policy says (promises P5 and P9)."""
    stage = Stage(policy=a_policy(approval={"mode": "Review", "groups": ["security"]}))
    await pending(stage)
    terms = stage.cluster.status("inc-4711")["terms"]
    assert terms["stages"] == [{"name": "", "groups": ["security"]}]

    meta = stage.cluster.all("AccessRequest")[0]["metadata"]
    forged = {"terms": {**terms, "stages": [{"name": "", "groups": []}]}}
    await stage.cluster.patch_request_status(
        meta["namespace"], meta["name"], meta["uid"], meta["resourceVersion"], forged
    )
    stage.cluster.decide("inc-4711", a_decision())
    await stage.settle()

    assert (stage.phase(), stage.cluster.status("inc-4711")["endReason"]) == ("Failed", "TermsChanged")
    assert "the approvers differ from the policy" in stage.log[-2].message

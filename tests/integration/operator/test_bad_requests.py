"""Requests and policies that are no good: each is answered in the words of whoever has to do something about it."""

from typing import Any

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.minute import MISSING_ROLE, Minute
from tests.integration.operator.place import POLICIES, Place
from tests.integration.operator.stage import Stage
from tests.support.operator_process import OperatorProcess


def test_a_policy_that_does_not_exist_is_named(minute: Minute) -> None:
    """At once in the condition, while there is still time to apply it; then the request has failed for good."""
    told = minute.request_without_policy
    assert told is not None
    sentence = (
        f"there is no AccessPolicy debugg in namespace {minute.place.namespace}; "
        f"kubectl get accesspolicies -n {minute.place.namespace} lists those that can be asked for"
    )

    assert minute.first_words["policy"] == sentence
    assert (told.status["phase"], told.status["endReason"]) == ("Failed", "PolicyNotFound")
    assert told.asked.condition("Ready")["message"] == sentence
    assert [(event["reason"], event["type"]) for event in told.events] == [("Rejected", "Warning")]
    assert sentence in told.events[0]["note"]


def test_a_policy_without_its_role_says_so_before_anybody_asks(minute: Minute) -> None:
    """On the policy, where its owner looks; and it takes that back by itself when the role is there."""
    before, after = minute.policy_without_role

    assert before == (
        "False",
        "RoleNotFound",
        (
            f"spec.roleRef names ClusterRole {MISSING_ROLE}, which does not exist or is larger than 512 KiB; "
            "create it, or name one that can be read"
        ),
    )
    assert after == ("True", "Offered", f"ClusterRole {MISSING_ROLE} can be asked for")


def test_a_request_for_a_role_that_does_not_exist_fails_with_a_sentence(minute: Minute) -> None:
    """The requester learns that it is not their mistake, and whose it is."""
    told = minute.request_without_role
    assert told is not None
    sentence = (
        f"AccessPolicy ghost offers ClusterRole {MISSING_ROLE}, which does not exist or is larger than 512 KiB; "
        "create it, or ask the owner of the policy to name one that can be read"
    )

    assert minute.first_words["role"] == sentence
    assert (told.status["phase"], told.status["endReason"]) == ("Failed", "RoleNotFound")
    assert told.asked.condition("Ready")["message"] == sentence


NEVER_GRANTED = [
    pytest.param(
        "debug",
        {"notBefore": "2099-06-01T00:00:00Z"},
        "StartTooFarAway",
        "spec.notBefore is more than 168h away, the maxLeadTime of AccessPolicy {policy}; "
        "apply the request again nearer to its start",
        id="too far away",
    ),
    pytest.param(
        "debug",
        {"notAfter": "2026-01-01T00:00:00Z"},
        "WindowElapsed",
        "spec.notAfter, 2026-01-01T00:00:00Z, has passed: no time is left for the grant; apply a new AccessRequest",
        id="over",
    ),
    pytest.param(
        "debug",
        {"duration": "5h"},
        "DurationTooLong",
        "spec.duration asks for 5h; AccessPolicy {policy} allows at most 4h",
        id="too long",
    ),
    pytest.param(
        "debug",
        {"reason": "because"},
        "ReasonTooShort",
        "spec.reason has 7 visible characters; AccessPolicy {policy} requires at least 10",
        id="no reason",
    ),
    pytest.param(
        "ticketed",
        {},
        "TicketMissing",
        "spec.ticket is missing; AccessPolicy {policy} requires a ticket of the form INC-[0-9]+",
        id="no ticket",
    ),
    pytest.param(
        "ticketed",
        {"ticket": "CHG-12"},
        "TicketMalformed",
        "spec.ticket CHG-12 is not of the form INC-[0-9]+ that AccessPolicy {policy} requires",
        id="bad ticket",
    ),
]


@pytest.mark.parametrize(("policy", "spec", "reason", "sentence"), NEVER_GRANTED)
async def test_what_admission_can_judge_is_refused_at_apply(
    place: Place, policy: str, spec: dict[str, Any], reason: str, sentence: str
) -> None:
    """With the sentence; nothing is stored, so the name stays free for the request that is right."""
    request = place.request(place.people.alice, policy, **spec)

    said = await place.kubectl("apply", "--filename=-", user="alice", stdin=request, check=False)

    assert "ValidatingAdmissionPolicy 'curfew-request-terms'" in said
    assert f"denied request: {sentence.format(policy=policy)}" in said
    name = request["metadata"]["name"]
    assert "NotFound" in await place.kubectl("get", "accessrequest", name, user="alice", check=False)


@pytest.mark.parametrize(("policy", "spec", "reason", "sentence"), NEVER_GRANTED)
async def test_curfew_judges_it_again(
    operator: OperatorProcess, place: Place, policy: str, spec: dict[str, Any], reason: str, sentence: str
) -> None:
    """A request that came before its policy is answered in the condition and in an Event, and holds nobody up."""
    late = f"{policy}-{reason.lower()}"
    bad = await place.ask(place.people.alice, late, **spec)
    await place.apply(place.policy(late, **POLICIES[policy]))
    good = await place.ask(place.people.alice, "automatic")
    await good.phase("Active")
    await bad.closed()

    sentence = sentence.format(policy=late)
    assert (bad.status["phase"], bad.status["endReason"]) == ("Failed", reason)
    for condition in ("Ready", "Approved"):
        assert (bad.condition(condition)["reason"], bad.condition(condition)["message"]) == (reason, sentence)
    (event,) = await bad.events("Rejected")
    assert event["note"] == f"request {bad.name} of alice@example.com can never be granted as written: {sentence}"
    assert sentence in await place.kubectl("get", "accessrequest", bad.name, user="alice")


async def test_a_person_deletes_only_what_they_asked_for(place: Place) -> None:
    """The right to delete is given for one's own; somebody else's needs the right to revoke it."""
    people = place.people
    asked = await place.ask(people.alice, "automatic")

    refused = await people.carol.delete(asked.path)

    assert refused.status == 403
    assert "you can delete only AccessRequests that you made" in refused.body["message"]
    await asked.delete(people.alice)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        pytest.param({"duration": ""}, "duration must be a duration in whole hours, minutes and seconds", id="empty"),
        pytest.param({"duration": "745h"}, "duration must be between 1m and 744h", id="over a month"),
        pytest.param({"duration": "30s"}, "duration must be between 1m and 744h", id="too short"),
        pytest.param({"duration": "soon"}, "duration must be a duration in whole hours", id="no duration"),
    ],
)
async def test_a_duration_that_is_none_is_refused_by_the_api_server(
    cluster: Installed, place: Place, spec: dict[str, Any], sentence: str
) -> None:
    """The answer to kubectl says what would be right; nothing is stored."""
    said = await place.kubectl(
        "apply", "--filename=-", user="alice", stdin=place.request(place.people.alice, **spec), check=False
    )

    assert sentence in said


async def test_a_namespace_that_does_not_take_part_is_told_what_would_change_that(
    operator: OperatorProcess, stage: Stage
) -> None:
    """Promise P9: the operator cannot bind there, and the request says so before anybody decides."""
    place = await stage.place(opted_in=False)
    asked = await place.ask(place.people.alice, "automatic")
    await asked.closed()

    assert (asked.status["phase"], asked.status["endReason"]) == ("Failed", "CannotBind")
    message = asked.condition("Approved")["message"]
    assert message.startswith(f"Curfew may not bind ClusterRole view in namespace {place.namespace}")
    assert "values roles and namespaces" in message
    assert [event["reason"] for event in await asked.events("Rejected")] == ["Rejected"]
    assert place.sights.bindings_of(asked.uid) == []


async def test_a_policy_can_ask_approvers_for_a_reason(operator: OperatorProcess, place: Place) -> None:
    """Refused at once, so that their one Approve is not used up; with the reason it counts."""
    await place.apply(place.policy("explained", approval={"mode": "Review", "reason": {"minLength": 10}}))
    asked = await place.pending(place.people.alice, "explained")
    bob = place.people.bob

    for more in ({}, {"reason": "fine"}):
        refused = await asked.decide(bob, **more)
        assert refused.status == 403
        assert (
            "AccessPolicy explained requires a reason of at least 10 visible characters in each decision"
            in refused.message
        )
    (await asked.decide(bob, reason="I am on call and saw it")).done()

    await asked.phase("Active")


async def test_a_request_that_is_made_anew_is_not_granted_again(operator: OperatorProcess, place: Place) -> None:
    """By a policy that takes each name once: Git or a backup may make it anew, also after the person gave it back."""
    alice = place.people.alice
    limits = {"activePerRequester": 100, "pendingPerRequester": 100, "oncePerName": True}
    await place.apply(place.policy("once", approval={"mode": "Automatic"}, limits=limits))
    first = await place.ask(alice, "once", name="from-git")
    await first.phase("Active")
    (await first.decide(alice, "Cancel")).done()
    await first.closed()
    await first.delete(alice)

    again = await place.ask(alice, "once", name="from-git")
    await again.phase("Failed")

    assert again.status["endReason"] == "NameWasUsed"
    assert f"was used by request {first.uid}" in again.condition("Ready")["message"]
    assert place.sights.bindings_of(again.uid) == []

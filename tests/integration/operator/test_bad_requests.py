"""Requests and policies that are no good: each is answered in the words of whoever has to do something about it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

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


NEVER_GRANTED: Final[Sequence[tuple[str, dict[str, Any], str, str]]] = (
    (
        "debug",
        {"notBefore": "2099-06-01T00:00:00Z"},
        "StartTooFarAway",
        (
            "spec.notBefore is more than 168h away, the maxLeadTime of AccessPolicy {policy}; "
            "apply the request again nearer to its start"
        ),
    ),
    (
        "debug",
        {"notAfter": "2026-01-01T00:00:00Z"},
        "WindowElapsed",
        "spec.notAfter, 2026-01-01T00:00:00Z, has passed: no time is left for the grant; apply a new AccessRequest",
    ),
    (
        "debug",
        {"duration": "5h"},
        "DurationTooLong",
        "spec.duration asks for 5h; AccessPolicy {policy} allows at most 4h",
    ),
    (
        "debug",
        {"reason": "because"},
        "ReasonTooShort",
        "spec.reason has 7 visible characters; AccessPolicy {policy} requires at least 10",
    ),
    (
        "ticketed",
        {},
        "TicketMissing",
        "spec.ticket is missing; AccessPolicy {policy} requires a ticket of the form INC-[0-9]+",
    ),
    (
        "ticketed",
        {"ticket": "CHG-12"},
        "TicketMalformed",
        "spec.ticket CHG-12 is not of the form INC-[0-9]+ that AccessPolicy {policy} requires",
    ),
)
"""A policy, what is asked for, the reason why that is never granted, and the sentence."""


async def test_what_admission_can_judge_is_refused_at_apply(place: Place) -> None:
    """With the sentence, as kubectl shows it; nothing is stored, so the name stays free for the request that is right."""
    alice = place.people.alice
    for policy, spec, reason, sentence in NEVER_GRANTED:
        refused = await alice.post(place.path, place.request(alice, policy, name=reason.lower(), **spec))

        assert "ValidatingAdmissionPolicy 'curfew-request-terms'" in refused.message, reason
        assert f"denied request: {sentence.format(policy=policy)}" in refused.message
        assert (await alice.get(f"{place.path}/{reason.lower()}")).status == 404

    policy, spec, _, sentence = NEVER_GRANTED[0]
    request = place.request(alice, policy, **spec)
    said = await place.kubectl("apply", "--filename=-", user="alice", stdin=request, check=False)
    assert f"denied request: {sentence.format(policy=policy)}" in said


async def test_curfew_judges_it_again(operator: OperatorProcess, place: Place) -> None:
    """A request that came before its policy is answered in the condition and in an Event, and holds nobody up."""
    alice = place.people.alice
    asked = [await place.ask(alice, f"{policy}-{reason.lower()}", **spec) for policy, spec, reason, _ in NEVER_GRANTED]
    await place.apply(
        *(place.policy(f"{policy}-{reason.lower()}", **POLICIES[policy]) for policy, _, reason, _ in NEVER_GRANTED)
    )
    good = await place.ask(alice, "automatic")
    await good.phase("Active")
    await asyncio.gather(*(bad.closed() for bad in asked))
    listed = await place.kubectl("get", "accessrequests", user="alice")

    for bad, (policy, _, reason, words) in zip(asked, NEVER_GRANTED, strict=True):
        sentence = words.format(policy=f"{policy}-{reason.lower()}")
        assert (bad.status["phase"], bad.status["endReason"]) == ("Failed", reason)
        for condition in ("Ready", "Approved"):
            assert (bad.condition(condition)["reason"], bad.condition(condition)["message"]) == (reason, sentence)
        (event,) = await bad.events("Rejected")
        assert event["note"] == f"request {bad.name} of alice@example.com can never be granted as written: {sentence}"
        assert sentence in listed


async def test_a_person_deletes_only_what_they_asked_for(place: Place) -> None:
    """The right to delete is given for one's own; somebody else's needs the right to revoke it."""
    people = place.people
    asked = await place.ask(people.alice, "automatic")

    refused = await people.carol.delete(asked.path)

    assert refused.status == 403
    assert "you can delete only AccessRequests that you made" in refused.body["message"]
    await asked.delete(people.alice)


async def test_a_duration_that_is_none_is_refused_by_the_api_server(place: Place) -> None:
    """The answer says what would be right; nothing is stored."""
    alice = place.people.alice
    for duration, sentence in (
        ("", "duration must be a duration in whole hours, minutes and seconds"),
        ("745h", "duration must be between 1m and 744h"),
        ("30s", "duration must be between 1m and 744h"),
        ("soon", "duration must be a duration in whole hours"),
    ):
        refused = await alice.post(place.path, place.request(alice, name="none", duration=duration))

        assert sentence in refused.message, duration
        assert (await alice.get(f"{place.path}/none")).status == 404


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

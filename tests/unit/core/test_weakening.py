"""A policy that asks for less than before is told to be weaker, in words; one that asks for more is not."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.api.access_policy import AccessPolicySpec
from curfew.core.weakening import Difference, differences, is_weaker

EXPLAINED = {"reason": {"minLength": 10}}

STAGED = {"mode": "Review", "stages": [{"name": "owners", "count": 2}, {"name": "security", "count": 1}]}


def a_spec(**changes: Any) -> AccessPolicySpec:
    """Return what a policy says; a test changes the one thing it is about."""
    return AccessPolicySpec.model_validate(
        {
            "description": "Look into payments pods",
            "roleRef": {"kind": "ClusterRole", "name": "payments-debug"},
            "maxDuration": "4h",
            "decideWithin": "1h",
            "maxLeadTime": "24h",
            "reason": {"minLength": 10},
            "ticket": {"required": True, "pattern": "INC-[0-9]+"},
            "approval": {"mode": "Review", "count": 2, **EXPLAINED},
            "limits": {"activePerRequester": 1, "pendingPerRequester": 3, "oncePerName": True},
            "onRoleChange": "Revoke",
            "onEnd": "DeletePods",
            "allowPermanence": False,
            **changes,
        }
    )


LOOSER: dict[str, tuple[dict[str, Any], str]] = {
    "another role": (
        {"roleRef": {"kind": "ClusterRole", "name": "admin"}},
        "the role is ClusterRole admin, was ClusterRole payments-debug",
    ),
    "permanence": ({"allowPermanence": True}, "allowPermanence is true, was false"),
    "roles that change": ({"onRoleChange": "Keep"}, "onRoleChange is Keep, was Revoke"),
    "connections that stay open": ({"onEnd": "Report"}, "onEnd is Report, was DeletePods"),
    "longer grants": ({"maxDuration": "8h"}, "maxDuration is 8h, was 4h"),
    "approvals for longer": ({"maxLeadTime": "168h"}, "maxLeadTime is 168h, was 24h"),
    "asked afterwards": ({"approval": {"mode": "BreakGlass", **EXPLAINED}}, "approval.mode is BreakGlass, was Review"),
    "asked never": ({"approval": {"mode": "Automatic", **EXPLAINED}}, "approval.mode is Automatic, was Review"),
    "broken without a record": (
        {"approval": {"mode": "Review", "count": 2, **EXPLAINED, "whenNotRecorded": "Grant"}},
        "approval.whenNotRecorded is Grant, was Wait",
    ),
    "fewer people": ({"approval": {"mode": "Review", "count": 1, **EXPLAINED}}, "1 must agree, was 2"),
    "approvers need no reason": (
        {"approval": {"mode": "Review", "count": 2}},
        "approval.reason.minLength is 0, was 10",
    ),
    "a shorter reason": ({"reason": {"minLength": 1}}, "reason.minLength is 1, was 10"),
    "no ticket": ({"ticket": {"required": False, "pattern": "INC-[0-9]+"}}, "ticket.required is false, was true"),
    "any ticket": ({"ticket": {"required": True}}, "ticket.pattern is not set, was INC-[0-9]+"),
    "another pattern": ({"ticket": {"required": True, "pattern": ".*"}}, "ticket.pattern is .*, was INC-[0-9]+"),
    "more grants": (
        {"limits": {"activePerRequester": 2, "pendingPerRequester": 3, "oncePerName": True}},
        "limits.activePerRequester is 2, was 1",
    ),
    "names used again": (
        {"limits": {"activePerRequester": 1, "pendingPerRequester": 3}},
        "limits.oncePerName is false, was true",
    ),
    "more requests": (
        {"limits": {"activePerRequester": 1, "pendingPerRequester": 4, "oncePerName": True}},
        "limits.pendingPerRequester is 4, was 3",
    ),
}

NEUTRAL: dict[str, tuple[dict[str, Any], str]] = {
    "words": ({"description": None}, "the description was changed"),
    "the time to decide": ({"decideWithin": "2h"}, "decideWithin is 2h, was 1h"),
}

NO_RETURN = ("the role is", "ticket.pattern is .*")
"""What cannot be compared: whichever way it is changed, it takes a person to see that it is not looser."""


@pytest.mark.parametrize(("change", "words"), LOOSER.values(), ids=LOOSER)
def test_what_asks_for_less_is_weaker(change: dict[str, Any], words: str) -> None:
    found = differences(a_spec(), a_spec(**change))

    assert found == (Difference(words, loosens=True),)
    assert is_weaker(found)


@pytest.mark.parametrize(("change", "words"), LOOSER.values(), ids=LOOSER)
def test_what_asks_for_more_is_not(change: dict[str, Any], words: str) -> None:
    (found,) = differences(a_spec(**change), a_spec())

    assert found.loosens is words.startswith(NO_RETURN)


@pytest.mark.parametrize(("change", "words"), NEUTRAL.values(), ids=NEUTRAL)
def test_what_changes_nobodys_access_is_not_weaker(change: dict[str, Any], words: str) -> None:
    assert differences(a_spec(), a_spec(**change)) == (Difference(words, loosens=False),)


def test_a_stage_less_is_weaker_whatever_the_number() -> None:
    found = differences(a_spec(approval=STAGED), a_spec(approval={"mode": "Review", "count": 9}))

    assert [difference.words for difference in found if difference.loosens] == [
        "of stage owners 0 must agree, was 2",
        "of stage security 0 must agree, was 1",
    ]
    assert "9 must agree, was 3" in [difference.words for difference in found]


def test_a_stage_that_is_given_to_others_is_weaker() -> None:
    friends = {"mode": "Review", "stages": [{"name": "owners", "count": 2}, {"name": "friends", "count": 1}]}

    assert is_weaker(differences(a_spec(approval=STAGED), a_spec(approval=friends)))


@pytest.mark.parametrize(
    ("before", "now", "loosens"),
    [
        ([], ["owners"], False),
        (["owners", "leads"], ["owners"], False),
        (["owners"], [], True),
        (["owners"], ["owners", "all"], True),
        (["owners"], ["all"], True),
    ],
)
def test_groups_of_approvers_are_compared(before: list[str], now: list[str], loosens: bool) -> None:
    """More groups, or others, or none, let others approve."""
    of_policy = differences(*(a_spec(approval={"mode": "Review", "groups": groups}) for groups in (before, now)))
    of_stage = differences(
        *(a_spec(approval={"mode": "Review", "stages": [{"name": "x", "groups": groups}]}) for groups in (before, now))
    )

    assert [one.loosens for one in of_policy] == [one.loosens for one in of_stage] == [loosens]


def test_what_is_tightened_makes_up_for_nothing() -> None:
    found = differences(a_spec(), a_spec(maxDuration="1h", allowPermanence=True))

    assert [difference.loosens for difference in found] == [True, False]
    assert is_weaker(found)


def test_people_are_not_counted_where_nobody_is_asked() -> None:
    before, now = ({"mode": "Automatic", "count": count} for count in (3, 1))

    assert differences(a_spec(approval=before), a_spec(approval=now)) == ()


def test_every_field_of_a_policy_is_compared() -> None:
    """A field that is added to policies is added to the list, and here."""
    changed = {name for change, _ in (*LOOSER.values(), *NEUTRAL.values()) for name in change}

    assert changed == {field.alias for field in AccessPolicySpec.model_fields.values()}


counts = st.integers(1, 10)
approvals = st.one_of(
    st.fixed_dictionaries({"mode": st.sampled_from(["Automatic", "BreakGlass"])}),
    st.fixed_dictionaries({"mode": st.just("Review"), "count": counts}),
    st.fixed_dictionaries(
        {
            "mode": st.just("Review"),
            "stages": st.dictionaries(st.sampled_from("abc"), counts, min_size=1).map(
                lambda stages: [{"name": name, "count": count} for name, count in stages.items()]
            ),
        }
    ),
)
specs = st.builds(
    a_spec,
    description=st.sampled_from([None, "this", "that"]),
    roleRef=st.fixed_dictionaries({"kind": st.sampled_from(["Role", "ClusterRole"]), "name": st.just("view")}),
    maxDuration=st.sampled_from(["1h", "2h", "4h"]),
    decideWithin=st.sampled_from(["1h", "2h"]),
    maxLeadTime=st.sampled_from(["1h", "2h"]),
    reason=st.fixed_dictionaries({"minLength": st.integers(1, 3)}),
    ticket=st.fixed_dictionaries({"required": st.booleans(), "pattern": st.sampled_from([None, "a", "b"])}),
    approval=approvals,
    limits=st.fixed_dictionaries({"activePerRequester": st.integers(1, 3), "pendingPerRequester": st.integers(1, 3)}),
    onRoleChange=st.sampled_from(["Revoke", "Keep"]),
    onEnd=st.sampled_from(["Report", "DeletePods"]),
    allowPermanence=st.booleans(),
)


@given(specs, specs)
def test_what_is_looser_one_way_is_tighter_the_other(one: AccessPolicySpec, other: AccessPolicySpec) -> None:
    """Symmetric: what is looser one way is tighter the other, but for what cannot be compared or does not matter."""
    there, back = differences(one, other), differences(other, one)

    assert len(there) == len(back)
    for forth, again in zip(there, back, strict=True):
        if forth.words.startswith(("the description", "decideWithin")):
            assert not forth.loosens
            assert not again.loosens
        elif forth.words.startswith(("the role", "ticket.pattern")):
            assert forth.loosens or again.loosens
        else:
            assert forth.loosens is not again.loosens


def asks_for(spec: AccessPolicySpec) -> tuple[Any, ...]:
    """Return what a policy asks for, as numbers that are larger for more; an independent view of the same thing."""
    approval, in_review = spec.approval, spec.approval.mode == "Review"
    stages = {stage.name: stage.count for stage in approval.stages} if in_review else {}
    people = (sum(stages.values()) or approval.count) if in_review else 0
    return (
        -spec.max_duration / timedelta(seconds=1),
        {"Automatic": 0, "BreakGlass": 1, "Review": 2}[approval.mode],
        people,
        *(stages.get(name, 0) for name in "abc"),
        spec.reason.min_length,
        int(spec.ticket.required),
        -spec.max_lead_time / timedelta(seconds=1),
        -spec.limits.active_per_requester,
        -spec.limits.pending_per_requester,
        int(spec.on_role_change == "Revoke"),
        int(spec.on_end == "DeletePods"),
        -int(spec.allow_permanence),
    )


@given(specs, specs)
def test_a_policy_is_weaker_if_and_only_if_something_is(one: AccessPolicySpec, other: AccessPolicySpec) -> None:
    """Whatever else is tightened, and never because of what is."""
    other = other.model_copy(update={"role_ref": one.role_ref})
    if one.ticket.pattern is not None:
        other = other.model_copy(update={"ticket": other.ticket.model_copy(update={"pattern": one.ticket.pattern})})
    pairs = list(zip(asks_for(one), asks_for(other), strict=True))
    if (one.approval.mode == "Review") is not (other.approval.mode == "Review"):
        pairs = pairs[:2] + pairs[6:]  # people are compared where both ask them

    assert is_weaker(differences(one, other)) is any(now < before for before, now in pairs)


@given(specs)
def test_nothing_is_said_of_a_policy_that_is_the_same(spec: AccessPolicySpec) -> None:
    assert differences(spec, spec.model_copy()) == ()

"""Whatever a role grants and whatever was used of it: the advised role allows all of that, and nothing that was not granted."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from curfew.core.activity.rules import allows
from curfew.core.activity.usage import Needed
from curfew.core.advice import enough_for, refused
from tests.support.scale import times

GROUPS = ("", "apps", "*")
RESOURCES = ("pods", "secrets", "deployments", "*")
SUBRESOURCES = ("", "exec", "scale")
VERBS = ("get", "list", "create", "delete", "*", "impersonate")
NAMES = ("", "a", "b", "*")


def some(texts: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Draw some of these texts."""
    return st.lists(st.sampled_from(texts), min_size=1, max_size=3, unique=True)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a rule, as a person might write it."""
    named = [*RESOURCES, *(f"{one}/{sub}" for one in RESOURCES for sub in SUBRESOURCES[1:])]
    rule: dict[str, Any] = {
        "apiGroups": draw(some(GROUPS)),
        "resources": draw(some(named)),
        "verbs": draw(some(VERBS)),
    }
    if draw(st.booleans()):
        rule["resourceNames"] = draw(some(NAMES))
    if draw(st.integers(0, 9)) == 0:
        return {"nonResourceURLs": ["/metrics*"], "verbs": rule["verbs"]}
    return rule


calls = st.builds(
    Needed,
    st.sampled_from(VERBS),
    st.sampled_from(GROUPS),
    st.sampled_from(RESOURCES),
    st.sampled_from(SUBRESOURCES),
    st.sampled_from(NAMES),
)
EVERY_CALL = [
    Needed(verb, group, resource, subresource, name)
    for verb in VERBS
    for group in GROUPS
    for resource in RESOURCES
    for subresource in SUBRESOURCES
    for name in NAMES
]


@settings(max_examples=times(1000), deadline=None)
@given(st.lists(rules(), max_size=5), st.lists(calls, max_size=12))
def test_the_advised_role_allows_what_was_used_and_nothing_that_was_not_granted(
    granted: list[dict[str, Any]], asked: list[Needed]
) -> None:
    used = [one for one in asked if allows(granted, one.call)]

    advice = enough_for(granted, used)

    assert refused(advice.rules, used) == ()
    assert advice.not_granted == ()
    assert [one for one in EVERY_CALL if allows(advice.rules, one.call) and not allows(granted, one.call)] == []
    assert 0 <= advice.used <= advice.granted
    assert bool(used) == bool(advice.rules) == bool(advice.used)


@given(st.lists(rules(), max_size=5), st.lists(calls, max_size=12))
def test_a_call_that_was_not_granted_is_named_and_changes_nothing(
    granted: list[dict[str, Any]], asked: list[Needed]
) -> None:
    used = [one for one in asked if allows(granted, one.call)]

    advice = enough_for(granted, asked)

    assert set(advice.not_granted) == set(asked) - set(used)
    assert advice.rules == enough_for(granted, used).rules


@given(st.lists(rules(), max_size=4), st.lists(calls, min_size=1, max_size=8))
def test_the_order_of_rules_and_calls_means_nothing_to_the_advised_role(
    granted: list[dict[str, Any]], asked: list[Needed]
) -> None:
    assert enough_for(granted, asked).rules == enough_for(granted[::-1], asked[::-1]).rules


@given(st.lists(rules(), max_size=4), st.lists(calls, max_size=8))
def test_the_advised_role_is_advised_again(granted: list[dict[str, Any]], asked: list[Needed]) -> None:
    """Nothing in it is superfluous: all of it is used by the same calls."""
    advice = enough_for(granted, asked)

    again = enough_for(advice.rules, [one for one in asked if allows(granted, one.call)])

    assert again.rules == advice.rules
    assert again.unused == ()

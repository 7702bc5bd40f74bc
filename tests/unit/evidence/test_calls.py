"""Calls are grouped by what was done to what with which outcome, and no caller can make the groups grow without end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from curfew.cli.audit.seen import UNREAD, call_in, outcome_of
from curfew.evidence.calls import MOST_GROUPS, NAMES_SHOWN, OTHER, CallGroups, SeenCall
from tests.support.watching import ADDRESS, AGENT, a_call, the_calls, the_session, the_watch
from tests.vectors.make_vectors import BEGUN


def seen(verb: str = "get", resource: str = "deployments.apps/scale", **changes: Any) -> SeenCall:
    """Return a call of the specification's session, read back from its record."""
    watch = the_watch()
    watch.see(a_call(the_session(watch), verb, resource, BEGUN + timedelta(seconds=3), name="web", **changes))
    call = call_in(7, watch.records[-1])
    assert call is not None
    return call


READ = seen()


def grouped(*calls: SeenCall) -> CallGroups:
    """Return the groups of these calls."""
    groups = CallGroups()
    for call in calls:
        groups.take(call)
    return groups


def test_a_call_is_read_from_its_record() -> None:
    assert (READ.index, READ.verb, READ.resource, READ.name) == (7, "get", "deployments.apps/scale", "web")
    assert (READ.outcome, READ.how, READ.code, READ.after_end) == ("Read", "Binding", 200, False)
    assert (READ.address, READ.user_agent) == (ADDRESS, AGENT)
    assert READ.user == READ.actor == "alice@example.com"


def test_a_call_as_somebody_else_has_both_people() -> None:
    watch = the_watch()
    caller = replace(a_call(the_session(watch), "get", "pods", BEGUN).caller, name="bob@example.com")
    call = seen(caller=caller, impersonated="alice@example.com")

    assert (call.actor, call.user) == ("bob@example.com", "alice@example.com")


def test_what_is_no_call_is_none() -> None:
    coverage = the_watch().records[0]

    assert call_in(1, coverage) is None
    assert outcome_of(coverage) is None


def test_a_call_that_this_version_cannot_read_is_counted_as_such() -> None:
    watch = the_watch()
    watch.see(a_call(the_session(watch), "get", "pods", BEGUN))
    record = watch.records[-1]
    block = {**record.block, "detail": {**record.block["detail"], "effect": "OfALaterVersion"}}
    later = replace(record, body={**record.body, "unmapped": {"curfew": block}})

    call = call_in(1, later)

    assert call is not None
    assert (call.outcome, call.verb, call.message) == (UNREAD, UNREAD, record.message)


def test_calls_of_one_kind_are_one_group_with_its_first_and_its_last() -> None:
    times = [READ.at + timedelta(seconds=seconds) for seconds in (5, 0, 9)]

    (group,) = grouped(*(replace(READ, at=at) for at in times)).groups

    assert (group.verb, group.resource, group.outcome, group.count) == ("get", "deployments.apps/scale", "Read", 3)
    assert (group.first, group.last) == (min(times), max(times))
    assert group.names == ("web",)


@pytest.mark.parametrize(
    "other",
    [
        replace(READ, verb="list"),
        replace(READ, resource="pods"),
        replace(READ, outcome="Denied"),
        replace(READ, how="Token"),
    ],
)
def test_calls_that_differ_in_what_counts_are_two_groups(other: SeenCall) -> None:
    assert len(grouped(READ, other).groups) == 2


def test_changes_come_first() -> None:
    watch = the_watch()
    watch.see(*the_calls(watch))
    calls = [call for index, record in enumerate(watch.records) if (call := call_in(index, record)) is not None]

    assert [group.outcome for group in grouped(*calls).groups] == ["Changed", "Opaque", "Denied", "Read", "Read"]


def test_a_group_lists_some_names_and_says_if_there_are_more() -> None:
    few = grouped(*(replace(READ, name=f"n{number % NAMES_SHOWN}") for number in range(50))).groups[0]
    many = grouped(*(replace(READ, name=f"n{number}") for number in range(50))).groups[0]

    assert few.names == many.names == tuple(f"n{number}" for number in range(NAMES_SHOWN))
    assert not few.has_more_names
    assert many.has_more_names


def test_a_caller_who_makes_up_resources_does_not_fill_the_memory() -> None:
    groups = grouped(*(replace(READ, resource=f"r{number}") for number in range(2 * MOST_GROUPS))).groups

    assert len(groups) == MOST_GROUPS + 1
    (other,) = [group for group in groups if group.verb == OTHER]
    assert other.count == MOST_GROUPS
    assert sum(group.count for group in groups) == 2 * MOST_GROUPS

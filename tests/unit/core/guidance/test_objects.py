"""Objects are read as kubectl writes them; what is missing or not of the right kind counts as empty."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.api.access_request import Phase
from curfew.api.phases import PHASE_CHANGES
from curfew.core.guidance.objects import FINAL_PHASES, OPEN_PHASES, ShownStage, read_policy, read_request
from curfew.core.guidance.waiting import due, waits_for
from tests.support.builders import ALICE, BOB, NOON, a_decision, a_policy, a_request

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


def test_the_phases_are_those_of_the_api() -> None:
    assert {*FINAL_PHASES} == {str(phase) for phase in Phase if not PHASE_CHANGES[phase]}
    assert {*OPEN_PHASES} == {str(phase) for phase in Phase if PHASE_CHANGES[phase]} | {""}


def test_a_request() -> None:
    body = a_request(notAfter="2026-11-23T15:00:00Z")
    body["metadata"]["uid"] = "u-1"
    body["status"] = {
        "phase": "Pending",
        "approvals": "0/2",
        "decideBy": "2026-11-23T13:00:00Z",
        "decisions": [a_decision(stage="owners", reason="on call")],
        "reviews": [{"by": BOB, "decision": "Approve", "effect": "Counted", "seenAt": "2026-11-23T12:01:00Z"}],
        "terms": {
            "digest": "d",
            "role": {"kind": "ClusterRole", "name": "view", "uid": "r", "rulesDigest": "x"},
            "stages": [{"name": "owners"}],
            "risk": ["ReadsSecrets"],
        },
        "conditions": [{"type": "Active", "status": "False", "reason": "NotGranted", "message": "waits"}],
    }
    request = read_request(body)

    assert (request.uid, request.requester, request.policy, request.phase) == ("u-1", ALICE, "debug", "Pending")
    assert (str(request.role), request.role.rules_digest) == ("ClusterRole view", "x")
    assert (request.stages, request.risk, request.terms) == (("owners",), ("ReadsSecrets",), "d")
    assert request.created_at == NOON
    assert request.not_after == datetime(2026, 11, 23, 15, tzinfo=UTC)
    (decision,) = request.decisions
    assert (decision.by, decision.stage, decision.effect) == (BOB, "owners", "Counted")
    assert request.condition("Active").message == "waits"
    assert request.condition("Ready").message == ""


def test_a_policy() -> None:
    policy = read_policy(a_policy(approval={"stages": [{"name": "owners", "count": 2, "groups": ["sre"]}]}))

    assert policy.stages == (ShownStage("owners", 2, ("sre",)),)
    assert (policy.mode, policy.max_duration, policy.reason_length) == ("Review", "4h", 1)
    assert read_policy(a_policy()).stages == (ShownStage("", 1, ()),)


@pytest.mark.parametrize("body", [None, [], "x", {"metadata": 1, "spec": [], "status": None}])
def test_rubbish_is_empty(body: object) -> None:
    assert read_request(body).name == ""
    assert read_policy(body).name == ""


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "metadata": JSON,
            "spec": JSON,
            "status": JSON
            | st.dictionaries(
                st.sampled_from(["phase", "decisions", "terms", "conditions", "approvals", "reviews"]), JSON
            ),
        },
    )
)
def test_nothing_that_an_object_holds_raises(body: dict[str, Any]) -> None:
    request = read_request(body)
    waits_for(request)
    due(request, NOON)
    read_policy(body)

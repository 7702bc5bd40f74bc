"""What the API server answers to each attempt comes to one state: in force, not in force, or not known yet."""

from datetime import timedelta

import pytest

from curfew.core.enforcement import cannot_be_tried, fault_shown, judge_enforcement
from curfew.core.probes import attempts
from tests.support.trail import START

ATTEMPT = attempts("curfew-system", "curfew-probe")[0]
NAME = ATTEMPT.policy
LATER = START + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("refusal", "fault"),
    [
        pytest.param(f"ValidatingAdmissionPolicy '{NAME}' with binding", "", id="in its own name"),
        pytest.param(f"ValidatingAdmissionPolicy '{NAME}.static.k8s.io' with binding", "", id="from a file"),
        pytest.param(None, f"{ATTEMPT.deed} was not refused", id="not at all"),
        pytest.param("no.\n", f"{ATTEMPT.deed} was refused by something else: no", id="by another"),
        pytest.param(f"'{NAME}x' ", f"{ATTEMPT.deed} was refused by something else: '{NAME}x'", id="by its like"),
    ],
)
def test_only_a_refusal_in_its_own_name_shows_that_a_policy_is_in_force(refusal: str | None, fault: str) -> None:
    assert fault_shown(ATTEMPT, refusal) == fault


def test_what_the_api_server_says_has_a_length_for_a_sentence() -> None:
    assert cannot_be_tried(ATTEMPT, "x" * 1000) == f"{ATTEMPT.deed} could not be tried: {'x' * 300}…"


@pytest.mark.parametrize(
    ("faults", "silence", "reason", "words"),
    [
        pytest.param({"a": "", "b": ""}, "", "Enforced", "in force.", id="all refuse"),
        pytest.param({"a": "", "b": ""}, "away", "Enforced", "in force.", id="silence after an answer is none"),
        pytest.param({"a": ""}, "", "NotYetProbed", "are in force.", id="one has not answered"),
        pytest.param({"a": ""}, "it is away.", "NotYetProbed", "are in force: it is away.", id="and it is known why"),
        pytest.param({"a": "x"}, "away", "NotEnforced", "policy not in force: a (x). ", id="one fault is enough"),
        pytest.param(
            {"b": "y", "a": "x"}, "", "NotEnforced", "force: a (x); b (y). ", id="all faults are named in order"
        ),
    ],
)
def test_what_all_answers_come_to(faults: dict[str, str], silence: str, reason: str, words: str) -> None:
    state = judge_enforcement(["a", "b"], faults, silence, None, now=START)

    assert (state.reason, state.ok, state.since) == (reason, reason == "Enforced", START)
    assert words in state.message


def test_another_fault_is_no_new_beginning() -> None:
    before = judge_enforcement(["a", "b"], {"a": "x"}, "", None, now=START)
    after = judge_enforcement(["a", "b"], {"a": "x", "b": "y"}, "", before, now=LATER)

    assert (after.reason, after.since) == ("NotEnforced", START)
    assert judge_enforcement(["a", "b"], {"a": "", "b": ""}, "", after, now=LATER).since == LATER


@pytest.mark.parametrize(
    ("static", "message"),
    [
        ([], "All admission policies are in force."),
        (["a"], "All admission policies are in force, 1 of 2 from static manifests."),
        (
            ["a", "b"],
            "All admission policies are in force, from static manifests: nobody can take them away through the API.",
        ),
    ],
)
def test_the_form_of_the_policies_is_said(static: list[str], message: str) -> None:
    assert judge_enforcement(["a", "b"], {"a": "", "b": ""}, "", None, static=static, now=START).message == message

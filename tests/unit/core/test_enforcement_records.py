"""That a guard is not in force is told once, until another one is lost too or all are back."""

from dataclasses import replace
from datetime import timedelta

from curfew.audit.record import Record
from curfew.core.enforcement_records import told
from curfew.core.facts import EnforcementState
from tests.support.builders import NOON
from tests.support.ocsf import validate

LATER = NOON + timedelta(seconds=95)
ENFORCED = EnforcementState(ok=True, reason="Enforced", message="All admission policies are in force.", since=LATER)
STARTING = EnforcementState(ok=False, reason="NotYetProbed", message="It is not known yet.", since=NOON)


def off(*policies: str) -> EnforcementState:
    """Return the state in which these are not in force."""
    return EnforcementState(False, "NotEnforced", "Not in force.", NOON, policies=policies)


def record(state: EnforcementState, last: Record | None = None) -> Record:
    """Return the record, which there is."""
    found = told("main", state, last, at=LATER)
    assert found is not None
    validate(found)
    return found


def test_a_guard_that_is_lost_and_comes_back_makes_two_records() -> None:
    lost = record(off("a", "b"))
    restored = record(ENFORCED, lost)

    assert (lost.event, lost.subject, lost.block["detail"]) == (
        "enforcement.lost",
        "main",
        {"policies": ["a", "b"], "message": "Not in force.", "since": "2026-11-23T12:00:00Z"},
    )
    assert (restored.event, restored.block["detail"]) == (
        "enforcement.restored",
        {"policies": ["a", "b"], "message": ENFORCED.message, "since": "2026-11-23T12:00:00Z", "seconds": 95},
    )


def test_what_the_log_holds_is_not_told_again() -> None:
    lost = record(off("a"))

    assert told("main", off("a"), lost, at=LATER) is None
    assert told("main", ENFORCED, record(ENFORCED, lost), at=LATER) is None


def test_another_guard_is_told() -> None:
    lost = record(off("a"))

    again = record(off("a", "b"), lost)
    assert again.id != lost.id
    assert again.block["detail"]["policies"] == ["a", "b"]


def test_since_when_something_is_wrong_outlives_the_process_that_saw_it() -> None:
    another = replace(off("b"), since=LATER)

    again = record(another, record(off("a", "b")))
    assert again.block["detail"]["since"] == "2026-11-23T12:00:00Z"
    assert record(ENFORCED, again).block["detail"]["seconds"] == 95


def test_nothing_is_told_of_a_start_or_of_an_order_that_was_never_disturbed() -> None:
    assert told("main", STARTING, None, at=LATER) is None
    assert told("main", STARTING, record(off("a")), at=LATER) is None
    assert told("main", ENFORCED, None, at=LATER) is None


def test_it_can_be_lost_again() -> None:
    restored = record(ENFORCED, record(off("a")))

    assert record(off("a"), restored).event == "enforcement.lost"

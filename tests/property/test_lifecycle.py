"""The table of a request's life: every state and event is known or illegal, and final is final."""

import itertools

import pytest

from curfew.api.access_request import Phase
from curfew.api.phases import PHASE_CHANGES
from curfew.core.change_table import ROWS
from curfew.core.lifecycle import FINAL, TRANSITIONS, Event, IllegalTransition, State, advance

STATES: tuple[State, ...] = (None, *Phase)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(STATES, Event)))
def test_every_event_in_every_state_is_known_or_one_clear_error(state: State, event: Event) -> None:
    """Exhaustive over the whole table."""
    if event in TRANSITIONS[state]:
        assert advance(state, event) is TRANSITIONS[state][event]
    else:
        with pytest.raises(IllegalTransition, match=str(event)):
            advance(state, event)


def test_every_event_has_its_row() -> None:
    """What can happen to a request is also told."""
    assert set(ROWS) == set(Event)


def test_nothing_happens_after_a_final_state() -> None:
    """Final phases are final (promise P6)."""
    assert {Phase.DENIED, Phase.TIMED_OUT, Phase.CANCELLED, Phase.EXPIRED, Phase.REVOKED, Phase.FAILED} == FINAL


def test_active_is_reached_only_from_what_people_could_agree_to() -> None:
    """There is no way around Pending (promise P8)."""
    ways = {state for state, events in TRANSITIONS.items() if Phase.ACTIVE in events.values()}

    assert ways == {Phase.PENDING, Phase.APPROVED}


def test_a_grant_ends_only_as_expired_or_revoked() -> None:
    """What was active cannot be told to have failed or been denied."""
    assert set(TRANSITIONS[Phase.ACTIVE].values()) == {Phase.EXPIRED, Phase.REVOKED}


def test_the_api_server_keeps_the_same_table() -> None:
    """The rule in the custom resource and the table in the code are one (promise P6)."""
    ours = {state: frozenset(events.values()) for state, events in TRANSITIONS.items()}

    assert ours == dict(PHASE_CHANGES)

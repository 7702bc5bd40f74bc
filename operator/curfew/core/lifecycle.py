"""The life of a request, as one table.

Two rules of this file: it holds everything that moves a request from one phase to another; and nothing here knows why,
when or by whom.
"""

from collections.abc import Mapping
from enum import StrEnum

from curfew.api.access_request import Phase


class Event(StrEnum):
    """What can happen to a request."""

    ACCEPT = "accept"  # the request is understood, and its terms are pinned
    REJECT = "reject"  # the request can never be granted as written
    APPROVE = "approve"  # all stages are filled; the request waits for its start or for the trail
    GRANT = "grant"  # the binding was made and read back
    DENY = "deny"
    TIME_OUT = "time-out"  # nobody decided in time
    CANCEL = "cancel"
    FAIL = "fail"  # what was approved cannot be granted
    EXPIRE = "expire"  # the window is over and the binding is gone
    REVOKE = "revoke"  # ended early, and the binding is gone


State = Phase | None
"""A request's phase; None before Curfew has looked at it."""

TRANSITIONS: Mapping[State, Mapping[Event, Phase]] = {
    None: {
        Event.ACCEPT: Phase.PENDING,
        Event.REJECT: Phase.FAILED,
    },
    Phase.PENDING: {
        Event.APPROVE: Phase.APPROVED,
        Event.GRANT: Phase.ACTIVE,
        Event.DENY: Phase.DENIED,
        Event.TIME_OUT: Phase.TIMED_OUT,
        Event.CANCEL: Phase.CANCELLED,
        Event.FAIL: Phase.FAILED,
    },
    Phase.APPROVED: {
        Event.GRANT: Phase.ACTIVE,
        Event.CANCEL: Phase.CANCELLED,
        Event.REVOKE: Phase.REVOKED,
        Event.FAIL: Phase.FAILED,
    },
    Phase.ACTIVE: {
        Event.EXPIRE: Phase.EXPIRED,
        Event.REVOKE: Phase.REVOKED,
    },
    Phase.DENIED: {},
    Phase.TIMED_OUT: {},
    Phase.CANCELLED: {},
    Phase.EXPIRED: {},
    Phase.REVOKED: {},
    Phase.FAILED: {},
}

FINAL: frozenset[Phase] = frozenset(phase for phase, events in TRANSITIONS.items() if phase is not None and not events)
"""The phases in which nothing more can happen."""


class IllegalTransition(Exception):
    """An event that the table does not allow in that phase. This is a defect of Curfew, never of what people wrote."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"a request that is {state or 'new'} cannot {event}")
        self.state = state
        self.event = event


def advance(state: State, event: Event) -> Phase:
    """Return the phase that `event` leads to, or raise `IllegalTransition`."""
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None

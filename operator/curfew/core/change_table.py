"""What is written when something happens to a request: one row for each event of `core/lifecycle.py`.

The word in the table is the word in the record, in the reason of the condition, in the Event and in the docs. A new event
needs a new row here, and a place in the table of transitions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from curfew.api.access_request import DecisionKind
from curfew.core import change_records as records
from curfew.core import change_status as status
from curfew.core.change import Change
from curfew.core.change_records import NOT_MADE, OneRecord, Records
from curfew.core.change_status import REVIEW_OWED, Conditions, Fields
from curfew.core.lifecycle import Event
from curfew.core.reasons import Reason
from curfew.core.reviews import COUNTED

Sentence = Callable[[Change], str]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence about the request, followed by the detail of the transition if there is one."""

    what: str

    def __call__(self, change: Change) -> str:
        """Return the sentence."""
        return f"{_request(change)} {self.what}" + (f": {change.detail}" if change.detail else "")


def _accepted(change: Change) -> str:
    return f"{records.created_sentence(change)}; {records.accepted_sentence(change)}"


def _approved(change: Change) -> str:
    return f"{_request(change)} was approved and waits to begin{_approvers(change)}"


def _granted(change: Change) -> str:
    return f"{_request(change)} was granted: {records.active_sentence(change)}{_approvers(change)}"


def _approvers(change: Change) -> str:
    """Return who agreed, so that no decision to agree needs an Event of its own; nothing if nobody had to."""
    seen = (*change.facts.request.status.reviews, *(review for _, review in change.reviews))
    people = [one.by for one in seen if one.decision is DecisionKind.APPROVE and one.effect == COUNTED]
    return f"; approved by {', '.join(people)}" if people else ""


def _glass_broken(change: Change) -> str:
    return f"{change.facts.request.spec.requester} broke the glass: {_granted(change)}; {REVIEW_OWED}"


def _request(change: Change) -> str:
    return f"request {change.facts.request.metadata.name} of {change.facts.request.spec.requester}"


@dataclass(frozen=True, slots=True)
class EventRow:
    """What is written about one event."""

    reason: str  # of its Kubernetes Event, one CamelCase word
    action: str  # what Curfew did, one CamelCase word
    note: Sentence  # of its Kubernetes Event
    records: tuple[Records, ...]  # in the order of what happened
    fields: Fields = status.no_fields  # of the status
    conditions: Conditions = status.ended  # except Recorded, and except Active if the transition itself sets that
    is_bad: bool = False  # its Kubernetes Event is a Warning for every reason
    is_news: bool = False  # its Kubernetes Event is also put on the namespace


_REJECTED = OneRecord("request.rejected", "it was refused: ", success=False)
_DENIED = OneRecord("review.denied", by=(DecisionKind.DENY,))
_CANCELLED = OneRecord("request.cancelled", by=(DecisionKind.CANCEL,))

ROWS: Mapping[Event, EventRow] = {
    Event.ACCEPT: EventRow(
        "Accepted",
        "Accept",
        _accepted,
        (records.created, records.accepted),
        fields=status.pinned_terms,
        conditions=status.understood,
    ),
    Event.REJECT: EventRow(
        "Rejected",
        "Reject",
        Phrase("can never be granted as written"),
        (records.created, _REJECTED),
        fields=status.count,
        conditions=status.refused,
        is_bad=True,
    ),
    Event.APPROVE: EventRow(
        "Approved",
        "Approve",
        _approved,
        (records.agreed,),
        fields=status.agreement,
        conditions=status.agreed,
    ),
    Event.GRANT: EventRow(
        "Granted",
        "Grant",
        _granted,
        (records.agreed, records.activated),
        fields=status.window_of_grant,
        conditions=status.agreed,
    ),
    Event.DENY: EventRow("Denied", "Deny", Phrase("was denied"), (_DENIED,)),
    Event.TIME_OUT: EventRow("TimedOut", "TimeOut", Phrase("timed out"), (OneRecord("request.timed_out"),)),
    Event.CANCEL: EventRow("Cancelled", "Cancel", Phrase("was cancelled"), (_CANCELLED,)),
    Event.FAIL: EventRow(
        "Failed",
        "Fail",
        Phrase("failed, and nothing is granted"),
        (OneRecord(NOT_MADE, success=False),),
        conditions=status.failed,
        is_bad=True,
    ),
    Event.EXPIRE: EventRow("Expired", "Expire", Phrase("expired, and its access is gone"), (records.expired,)),
    Event.REVOKE: EventRow("Revoked", "Revoke", Phrase("was ended early, and its access is gone"), (records.revoked,)),
}

_BREAK_GLASS = replace(
    ROWS[Event.GRANT],
    reason="BreakGlassInvoked",
    action="BreakGlass",
    note=_glass_broken,
    fields=status.window_and_review,
    conditions=status.glass_broken,
    is_bad=True,
    is_news=True,
)

BAD_ENDS = frozenset(
    {
        Reason.BINDING_REMOVED,
        Reason.BINDING_TAMPERED,
        Reason.BINDING_UNANNOUNCED,
        Reason.EXPIRY_MISSING,
        Reason.ROLE_CHANGED,
        Reason.ROLE_IS_PERMANENT,
        Reason.STORY_CLOSED,
    }
)
"""Reasons that make the Kubernetes Event of any end a Warning."""


def row_of(change: Change) -> EventRow:
    """Return what is written about a transition."""
    is_broken_glass = change.event is Event.GRANT and change.breaks_glass
    return _BREAK_GLASS if is_broken_glass else ROWS[change.event]

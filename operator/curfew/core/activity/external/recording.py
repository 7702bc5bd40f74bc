"""The record of an event of another system."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from curfew.audit.api_call import ExternalCall
from curfew.audit.pseudonyms import is_person
from curfew.audit.record import CURFEW, Record, Source, make_record
from curfew.core.activity.external.event import ExternalEvent, ExternalOutcome
from curfew.core.activity.external.tying import Strength, Tie, TiedBy

_BY: Final[Mapping[TiedBy, str]] = MappingProxyType(
    {
        TiedBy.GRANT: "the grant's own id",
        TiedBy.TICKET: "its ticket",
        TiedBy.CORRELATION: "its correlation id",
        TiedBy.PERSON: "person and time only",
    }
)


def external_called(event: ExternalEvent, tie: Tie) -> Record:
    """Return the record. Its id is that of the line, so the same line makes the same record, whenever it is read."""
    # A name such as system:curfew is nobody's, whatever the other system says.
    actor = event.user if event.user is not None and is_person(event.user) else CURFEW
    detail: dict[str, Any] = {
        "system": event.system,
        "action": event.action,
        "object": event.object,
        "outcome": event.outcome,
        "strength": tie.strength,
        "tied_by": tie.by,
        "after_end": tie.is_after_end or None,
        "person": event.person if event.person != actor else None,
        "ticket": event.ticket,
        "correlation": event.correlation,
        "line": event.line,
    }
    return make_record(
        "external.called",
        at=event.at,
        actor=actor,
        message=_message(event, tie),
        story=tie.session.story,
        qualifier=f"{event.system} {event.line}",
        success=None if event.outcome is None else event.outcome is ExternalOutcome.SUCCESS,
        detail={name: value for name, value in detail.items() if value is not None},
        source=Source(addresses=(event.address,)) if event.address is not None else None,
        call=ExternalCall(event.system, event.action, event.object),
    )


def _message(event: ExternalEvent, tie: Tie) -> str:
    what = event.action or "something"
    on = f" on {event.object}" if event.object is not None else ""
    failed = ", which failed" if event.outcome is ExternalOutcome.FAILURE else ""
    is_another = tie.by is TiedBy.GRANT and tie.strength is not Strength.ATTRIBUTED
    by = f"{_BY[tie.by]}, under another name" if is_another else _BY[tie.by]
    late = ", after its end" if tie.is_after_end else ""
    return (
        f"{event.user or 'somebody'} in {event.system}: {what}{on}{failed} "
        f"(tied to request {tie.session.request} by {by}{late})"
    )

"""Turns the records of a log of activity into what the pages and tables of evidence are made of."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from curfew.audit.event_type import OcsfClass
from curfew.audit.events import EVENTS
from curfew.audit.record import Record
from curfew.core.activity.call_records import BEGAN
from curfew.core.activity.recorded import RecordedCall, is_call
from curfew.core.activity.wording import kind_of
from curfew.evidence.calls import SeenCall
from curfew.evidence.session_page import NotedAlert, SeenElsewhere, SeenSession

UNREAD = "not readable"
"""The outcome of a call that this version cannot read."""


def take_into(seen: SeenSession, index: int, record: Record) -> None:
    """Add a record to a session, if it is a call that has ended, of another system, or an alert."""
    kind = EVENTS.get(record.event)
    call = call_in(index, record)
    if call is not None:
        seen.take(call)
    elif record.event == "external.called":
        detail = _part(record, "detail")
        system, strength = str(detail.get("system", UNREAD)), str(detail.get("strength", UNREAD))
        seen.take_elsewhere(SeenElsewhere(index, record.at, system, strength, record.message))
    elif kind is not None and kind.ocsf_class is OcsfClass.DETECTION_FINDING:
        seen.take_alert(NotedAlert(index, record.at, record.event, record.message))


def outcome_of(record: Record) -> str | None:
    """Return the outcome of a call that has ended; None for any other record."""
    if not is_call(record) or record.event == BEGAN:
        return None
    call = RecordedCall.of(record)
    return str(call.effect) if call is not None else UNREAD


def call_in(index: int, record: Record) -> SeenCall | None:
    """Return the call that a record is about; None for the beginning of one, and for any other record."""
    outcome = outcome_of(record)
    if outcome is None:
        return None
    detail, source = (_part(record, name) for name in ("detail", "source"))
    addresses = source.get("addresses")
    call = RecordedCall.of(record)
    actor = str(record.block.get("actor", ""))
    resource = kind_of(call.group, call.resource) if call is not None and call.resource else ""
    return SeenCall(
        index=index,
        at=record.at,
        event=record.event,
        actor=actor,
        user=str(detail.get("user", actor)),
        verb=call.verb if call is not None else UNREAD,
        resource=f"{resource}/{call.subresource}" if call is not None and call.subresource else resource,
        namespace=call.namespace if call is not None else "",
        name=call.name if call is not None else "",
        code=call.code if call is not None else None,
        outcome=outcome,
        how=str(call.how) if call is not None else UNREAD,
        after_end=detail.get("after_end") is True,
        lasted=call.lasted if call is not None else timedelta(0),
        address=str(addresses[0]) if isinstance(addresses, list) and addresses else "",
        user_agent=str(source.get("user_agent", "")),
        audit_id=call.audit_id if call is not None else "",
        message=record.message,
    )


def _part(record: Record, name: str) -> Mapping[str, Any]:
    part = record.block.get(name)
    return part if isinstance(part, Mapping) else {}

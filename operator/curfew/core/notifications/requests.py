"""The messages that follow from the operator's records: to those who can decide, to the requester, to the owners."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from curfew.api.access_request import DecisionKind
from curfew.api.times import format_duration, format_time
from curfew.audit.record import Record, RecordRefused, Story
from curfew.core.detectors.alert import Severity
from curfew.core.notifications.commands import decide
from curfew.core.notifications.message import Command, Fact, Message, Occasion

BEFORE_END = timedelta(minutes=5)
"""How long before the end of a grant its holder is reminded. A grant that is no longer than this has no reminder."""


def messages(record: Record) -> tuple[Message, ...]:
    """Return what people have to be told because of a record of the operator's log. One that cannot be read gives none."""
    tell = _TELL.get(record.event)
    if tell is None:
        return ()
    try:
        return tuple(tell(record, Story.of(record)))
    except (RecordRefused, AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return ()


def _pending(record: Record, told: Story) -> Iterator[Message]:
    detail = record.block.get("detail", {})
    needed = detail.get("needed", 0)
    if not needed:
        return
    stages = tuple(map(str, detail.get("stages", ())))
    has_reason = bool(detail.get("reason_length"))
    commands = (
        decide(told, decision, stage=stage, needs_reason=has_reason)
        for stage in (stages or ("",))
        for decision in (DecisionKind.APPROVE, DecisionKind.DENY)
    )
    who = f"{told.requester} asks for {_role(told)} in {told.namespace}"
    risk = ", ".join(map(str, detail.get("risk", ())))
    facts = (
        *_facts(told),
        Fact("Needed", f"{needed} to agree" + (f", in the stages {', '.join(stages)}" if stages else "")),
        Fact("Risk", risk or "none that is known"),
        *(_at("Decide by", told.decide_by)),
    )
    severity = Severity.MEDIUM if risk else Severity.LOW
    yield _message(
        Occasion.REQUEST_PENDING,
        record,
        told,
        f"Approval needed: {who}",
        severity,
        facts=facts,
        commands=_some(commands),
    )


def _reviewed(record: Record, told: Story) -> Iterator[Message]:
    detail = record.block.get("detail", {})
    if detail.get("decision") not in (DecisionKind.APPROVE, DecisionKind.DENY):
        return
    stage = f" for stage {detail['stage']}" if "stage" in detail else ""
    verb = {"Approve": "approved", "Deny": "denied"}[detail["decision"]]
    facts = (*_facts(told), *((Fact("Because", detail["reason"]),) if "reason" in detail else ()))
    title = f"Somebody has decided: {record.block['actor']} {verb} request {told.request} of {told.requester}{stage}"
    yield _message(Occasion.REQUEST_REVIEWED, record, told, title, Severity.LOW, facts=facts)


def _approved(record: Record, told: Story) -> Iterator[Message]:
    yield _message(Occasion.REQUEST_APPROVED, record, told, f"Approved: request {told.request}", Severity.LOW)


def _active(record: Record, told: Story) -> Iterator[Message]:
    until = format_time(told.expires_at) if told.expires_at is not None else "its end"
    where = f"{_role(told)} in {told.namespace}"
    yield _message(Occasion.GRANT_ACTIVE, record, told, f"{told.requester} holds {where} until {until}", Severity.LOW)


def ending(record: Record) -> Message | None:
    """Return the reminder that an active grant will end soon, with the instant when it is due; None if it is too short."""
    try:
        told = Story.of(record)
    except RecordRefused:
        return None
    if told.expires_at is None or told.expires_at <= record.at or told.expires_at - record.at <= BEFORE_END:
        return None
    where = f"{_role(told)} in {told.namespace}"
    title = f"Access ends in {format_duration(BEFORE_END)}: {told.requester} holds {where} until {format_time(told.expires_at)}"
    return Message(
        topic=Occasion.GRANT_ENDING,
        record=record.id,
        at=told.expires_at - BEFORE_END,
        title=title,
        text="The access ends at that time. Whoever needs it longer makes a new request.",
        severity=Severity.LOW,
        facts=_facts(told),
        **_about(told),
    )


def _glass(record: Record, told: Story) -> Iterator[Message]:
    title = f"Break-glass was used: {told.requester} took {_role(told)} in {told.namespace} without an approval"
    review = decide(told, DecisionKind.REVIEW)
    yield _message(
        Occasion.GLASS_BROKEN,
        record,
        told,
        title,
        Severity.HIGH,
        text=f"{record.message}. Somebody else has to review it within 24 hours.",
        facts=_facts(told),
        commands=_some((review,)),
    )


def _overdue(record: Record, told: Story) -> Iterator[Message]:
    title = f"Not reviewed in time: {told.requester} used break-glass with request {told.request} in {told.namespace}"
    review = decide(told, DecisionKind.REVIEW)
    yield _message(
        Occasion.REVIEW_OVERDUE, record, told, title, Severity.HIGH, facts=_facts(told), commands=_some((review,))
    )


def _ended(
    topic: Occasion, what: str, severity: Severity = Severity.LOW
) -> Callable[[Record, Story], Iterator[Message]]:
    def tell(record: Record, told: Story) -> Iterator[Message]:
        title = f"{what}: request {told.request} of {told.requester} in {told.namespace}"
        yield _message(topic, record, told, title, severity)

    return tell


_TELL: Mapping[str, Callable[[Record, Story], Iterator[Message]]] = {
    "request.accepted": _pending,
    "review.submitted": _reviewed,
    "review.approved": _approved,
    "review.auto_approved": _approved,
    "review.denied": _ended(Occasion.REQUEST_CLOSED, "Denied"),
    "request.rejected": _ended(Occasion.REQUEST_CLOSED, "Refused"),
    "request.timed_out": _ended(Occasion.REQUEST_CLOSED, "Nobody decided in time"),
    "request.cancelled": _ended(Occasion.REQUEST_CLOSED, "Cancelled"),
    "request.deleted": _ended(Occasion.REQUEST_CLOSED, "Deleted", Severity.MEDIUM),
    "grant.activation_failed": _ended(Occasion.REQUEST_CLOSED, "Approved, but not granted", Severity.MEDIUM),
    "grant.activated": _active,
    "grant.expired": _ended(Occasion.GRANT_ENDED, "The access has ended"),
    "grant.revoked": _ended(Occasion.GRANT_ENDED, "The access was ended early"),
    "grant.binding_removed": _ended(Occasion.GRANT_ENDED, "The access was removed by hand", Severity.MEDIUM),
    "review.break_glass_invoked": _glass,
    "review.overdue": _overdue,
}
"""What each event makes known."""

ENDED = frozenset(
    {"grant.expired", "grant.revoked", "grant.binding_removed", "grant.activation_failed", "request.deleted"}
)
"""After these, nobody has to be reminded of the end of a grant."""


def _message(
    topic: Occasion,
    record: Record,
    told: Story,
    title: str,
    severity: Severity,
    *,
    text: str = "",
    facts: tuple[Fact, ...] | None = None,
    commands: tuple[Command, ...] = (),
) -> Message:
    return Message(
        topic=topic,
        record=record.id,
        at=record.at,
        title=title,
        text=text or record.message,
        severity=severity,
        facts=facts if facts is not None else _facts(told),
        commands=commands,
        **_about(told),
    )


def _about(told: Story) -> dict[str, Any]:
    return {
        "namespace": told.namespace,
        "policy": told.policy.name if told.policy is not None else "",
        "person": told.requester or "",
        "subject": told.uid,
        "request": told.request,
    }


def _facts(told: Story) -> tuple[Fact, ...]:
    """Return who, what, where, for how long and why."""
    known = (
        ("Request", f"{told.request} in namespace {told.namespace}"),
        ("Who", told.requester),
        ("Submitted by", told.submitted_by if told.submitted_by != told.requester else None),
        ("Policy", told.policy.name if told.policy is not None else None),
        ("Role", _role(told) if told.role is not None else None),
        ("For", format_duration(timedelta(seconds=told.duration)) if told.duration else None),
        ("Reason", told.reason),
        ("Ticket", told.ticket),
        ("Ended because", told.end_reason),
    )
    times = (*_at("From", told.starts_at or told.not_before), *_at("Until", told.expires_at))
    return (*(Fact(label, value) for label, value in known if value), *times)


def _at(label: str, at: Any) -> tuple[Fact, ...]:
    return (Fact(label, format_time(at)),) if at is not None else ()


def _role(told: Story) -> str:
    if told.role is not None:
        return f"{told.role.kind} {told.role.name}"
    return f"what AccessPolicy {told.policy.name} offers" if told.policy is not None else "access"


def _some(commands: Any) -> tuple[Command, ...]:
    return tuple(command for command in commands if command is not None)

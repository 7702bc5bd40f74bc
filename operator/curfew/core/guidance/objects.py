"""AccessRequests and AccessPolicies, read from the JSON that kubectl writes.

Nothing here raises: an object of another version is shown as far as it can be read. All texts are as people wrote them; make
them `printable` before they reach a terminal. They are NamedTuples, which load in a tenth of the time of dataclasses.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from curfew.api.time_text import parse_time

Json = Mapping[str, Any]

OPEN_PHASES: Final = ("", "Pending", "Approved", "Active")
"""The phases of a request that is not over; the empty one is before Curfew has looked at it."""

FINAL_PHASES: Final = ("Denied", "TimedOut", "Cancelled", "Expired", "Revoked", "Failed")


class ShownDecision(NamedTuple):
    """What one person decided, and what Curfew made of it: empty until Curfew has seen it."""

    by: str
    decision: str
    stage: str
    reason: str
    effect: str
    seen_at: datetime | None


class ShownRole(NamedTuple):
    """A role by name, and if it is pinned by UID and the digest of its rules."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    rules_digest: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


class ShownCondition(NamedTuple):
    """One condition of a status."""

    is_true: bool
    reason: str
    message: str


NO_CONDITION: Final = ShownCondition(is_true=False, reason="", message="")


class ShownRequest(NamedTuple):
    """An AccessRequest. Times are aware and in UTC, or None."""

    namespace: str
    name: str
    uid: str
    requester: str
    submitted_by: str
    policy: str
    duration: str  # as it is written: 1h30m
    reason: str
    ticket: str
    phase: str
    approvals: str
    decisions: tuple[ShownDecision, ...]
    stages: tuple[str, ...]  # pinned; ("",) for a policy without stages, () before Curfew has looked
    role: ShownRole
    risk: tuple[str, ...]
    mode: str
    terms: str  # digest of what was pinned
    created_at: datetime | None
    not_before: datetime | None
    not_after: datetime | None
    decide_by: datetime | None
    granted_at: datetime | None
    expires_at: datetime | None
    review_by: datetime | None
    ended_at: datetime | None
    end_reason: str
    changes: str  # Yes, No or Unknown, if there is a monitor
    activity: str
    conditions: Mapping[str, ShownCondition]

    @property
    def is_open(self) -> bool:
        """Whether something can still happen. A phase that this version does not know counts as open."""
        return self.phase not in FINAL_PHASES

    def condition(self, type_: str) -> ShownCondition:
        """Return a condition; an empty one if the status has none of this type."""
        return self.conditions.get(type_, NO_CONDITION)


class ShownStage(NamedTuple):
    """How many people must approve, and in which groups they must be. A policy without stages has one without a name."""

    name: str
    needed: int
    groups: tuple[str, ...]


class ShownPolicy(NamedTuple):
    """An AccessPolicy."""

    namespace: str
    name: str
    uid: str
    description: str
    role: ShownRole
    max_duration: str
    decide_within: str
    mode: str
    stages: tuple[ShownStage, ...]
    reason_length: int
    ticket_required: bool
    ticket_pattern: str
    decision_reason: int  # shortest reason of an approval, 0 if none is needed
    risk: tuple[str, ...]
    ready: ShownCondition


def read_request(body: object) -> ShownRequest:
    """Return a request as kubectl shows it."""
    meta, spec, status = _part(body, "metadata"), _part(body, "spec"), _part(body, "status")
    terms = _part(status, "terms")
    activity = _part(status, "activity")
    return ShownRequest(
        namespace=_text(meta, "namespace"),
        name=_text(meta, "name"),
        uid=_text(meta, "uid"),
        requester=_text(spec, "requester"),
        submitted_by=_text(spec, "submittedBy"),
        policy=_text(spec, "policyName"),
        duration=_text(spec, "duration"),
        reason=_text(spec, "reason"),
        ticket=_text(spec, "ticket"),
        phase=_text(status, "phase"),
        approvals=_text(status, "approvals"),
        decisions=tuple(_decisions(status)),
        stages=tuple(_text(stage, "name") for stage in parts(terms, "stages")),
        role=_role(_part(terms, "role")),
        risk=_texts(terms, "risk"),
        mode=_text(terms, "mode"),
        terms=_text(terms, "digest"),
        created_at=_time(meta, "creationTimestamp"),
        not_before=_time(spec, "notBefore"),
        not_after=_time(spec, "notAfter"),
        decide_by=_time(status, "decideBy"),
        granted_at=_time(status, "grantedAt"),
        expires_at=_time(status, "expiresAt"),
        review_by=_time(status, "reviewBy"),
        ended_at=_time(status, "endedAt"),
        end_reason=_text(status, "endReason"),
        changes=_text(activity, "changes"),
        activity=_text(activity, "summary"),
        conditions=_conditions(status),
    )


def read_policy(body: object) -> ShownPolicy:
    """Return a policy as kubectl shows it."""
    meta, spec, status = _part(body, "metadata"), _part(body, "spec"), _part(body, "status")
    approval, ticket = _part(spec, "approval"), _part(spec, "ticket")
    stages = tuple(
        ShownStage(_text(one, "name"), _number(one, "count", 1), _texts(one, "groups"))
        for one in parts(approval, "stages")
    )
    alone = ShownStage("", _number(approval, "count", 1), _texts(approval, "groups"))
    return ShownPolicy(
        namespace=_text(meta, "namespace"),
        name=_text(meta, "name"),
        uid=_text(meta, "uid"),
        description=_text(spec, "description"),
        role=_role(_part(spec, "roleRef")),
        max_duration=_text(spec, "maxDuration"),
        decide_within=_text(spec, "decideWithin"),
        mode=_text(approval, "mode") or "Review",
        stages=stages or (alone,),
        reason_length=_number(_part(spec, "reason"), "minLength", 1),
        ticket_required=ticket.get("required") is True,
        ticket_pattern=_text(ticket, "pattern"),
        decision_reason=_number(_part(approval, "reason"), "minLength", 1) if "reason" in approval else 0,
        risk=_texts(status, "risk"),
        ready=_conditions(status).get("Ready", NO_CONDITION),
    )


def parts(body: object, name: str) -> tuple[Json, ...]:
    """Return the objects of a list in an object; nothing if there is no list of this name."""
    value = body.get(name) if isinstance(body, Mapping) else None
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list | tuple) else ()


def _decisions(status: Json) -> Iterator[ShownDecision]:
    effects = {(_text(one, "by"), _text(one, "decision")): one for one in parts(status, "reviews")}
    for one in parts(status, "decisions"):
        by, decision = _text(one, "by"), _text(one, "decision")
        review = effects.get((by, decision), {})
        yield ShownDecision(
            by, decision, _text(one, "stage"), _text(one, "reason"), _text(review, "effect"), _time(review, "seenAt")
        )


def _conditions(status: Json) -> dict[str, ShownCondition]:
    return {
        _text(one, "type"): ShownCondition(_text(one, "status") == "True", _text(one, "reason"), _text(one, "message"))
        for one in parts(status, "conditions")
    }


def _role(body: Json) -> ShownRole:
    return ShownRole(_text(body, "kind"), _text(body, "name"), _text(body, "uid"), _text(body, "rulesDigest"))


def _part(body: object, name: str) -> Json:
    value = body.get(name) if isinstance(body, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    return value if isinstance(value, str) else ""


def _texts(body: Json, name: str) -> tuple[str, ...]:
    value = body.get(name)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list | tuple) else ()


def _number(body: Json, name: str, default: int) -> int:
    value = body.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _time(body: Json, name: str) -> datetime | None:
    try:
        return parse_time(_text(body, name))
    except ValueError:
        return None

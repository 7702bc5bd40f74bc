"""A record: one thing that happened, as an OCSF 1.8 event with our own block under `unmapped.curfew`.

Who, what, when, where, why and who agreed stand on every record, so that none needs another to be understood. All values
are strings, integers, booleans, lists and objects; what is not known is left out.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from curfew.audit.canonical import canonical
from curfew.audit.events import EVENTS, OcsfClass

SCHEMA = "curfew.audit/v1"
OCSF_VERSION = "1.8.0"
PRODUCT = {"name": "Curfew", "vendor_name": "Curfew"}


class RecordRefused(ValueError):
    """Something that is not a record. `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """The policy, pinned."""

    name: str
    uid: str
    generation: int


@dataclass(frozen=True, slots=True)
class RoleRef:
    """The role, pinned, with the SHA-256 of its rules in hex."""

    kind: str
    name: str
    uid: str
    rules_digest: str


@dataclass(frozen=True, slots=True)
class BindingRef:
    """The RoleBinding of a grant."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DecisionRef:
    """One person's decision, and when it was first seen."""

    by: str
    decision: str
    stage: str | None
    reason: str | None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """What every record about a request says of it. Times are aware and in UTC; the duration is in seconds."""

    uid: str
    namespace: str
    request: str
    requester: str | None = None
    submitted_by: str | None = None
    reason: str | None = None
    ticket: str | None = None
    duration: int | None = None
    policy: PolicyRef | None = None
    role: RoleRef | None = None
    binding: BindingRef | None = None
    decisions: tuple[DecisionRef, ...] = ()
    not_before: datetime | None = None
    decide_by: datetime | None = None
    decided_at: datetime | None = None
    starts_at: datetime | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    @classmethod
    def of(cls, record: "Record") -> "Story":
        """Read a story back from a record, or raise `RecordRefused` for one that is not about a request."""
        told = record.block.get("story")
        if not isinstance(told, Mapping):
            raise RecordRefused(f"record {record.id} ({record.event}) is not about a request")
        known = dict(told)
        for name, type_ in (("policy", PolicyRef), ("role", RoleRef), ("binding", BindingRef)):
            if name in known:
                known[name] = type_(**known[name])
        known["decisions"] = tuple(
            DecisionRef(
                by=decision["by"],
                decision=decision["decision"],
                stage=decision.get("stage"),
                reason=decision.get("reason"),
                seen_at=_parse_time(decision["seen_at"]),
            )
            for decision in known.get("decisions", ())
        )
        for name in _TIMES:
            if name in known:
                known[name] = _parse_time(known[name])
        try:
            return cls(**known)
        except TypeError as error:
            raise RecordRefused(f"record {record.id} tells a story with words that are not known: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return what is known of the story."""
        told: dict[str, Any] = _plain(self)
        return told


_TIMES = ("not_before", "decide_by", "decided_at", "starts_at", "granted_at", "expires_at", "ended_at")


@dataclass(frozen=True)
class Record:
    """One record. Two records with one id tell of the same thing, and the log holds only one of them."""

    id: str
    event: str
    subject: str  # what it is about: the UID of a request, or the id of the log
    body: Mapping[str, Any]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Record":
        """Read a record's JSON object, or raise `RecordRefused`."""
        try:
            block = body["unmapped"]["curfew"]
            id_, event, subject, schema = block["id"], block["event"], block["subject"], block["schema"]
        except (KeyError, TypeError) as error:
            raise RecordRefused(f"it is not a record: {error} is missing") from error
        if schema != SCHEMA:
            raise RecordRefused(f"record {id_} has schema {schema}; this version reads {SCHEMA}")
        if not all(isinstance(word, str) for word in (id_, event, subject)):
            raise RecordRefused("a record's id, event and subject are strings")
        return cls(id_, event, subject, body)

    @property
    def block(self) -> Mapping[str, Any]:
        """Our own part of it."""
        block: Mapping[str, Any] = self.body["unmapped"]["curfew"]
        return block

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.body["message"])

    @property
    def at(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.body["time"] / 1000, UTC)

    def line(self) -> bytes:
        """Return its bytes in the log, without the newline: canonical JSON, the leaf of the Merkle tree."""
        return canonical(self.body)


def record_id(subject: str, event: str, qualifier: str = "") -> str:
    """Return the id of a record: the same thing told twice has one id, so that a retry appends nothing twice."""
    parts = (SCHEMA, subject, event, qualifier)
    unambiguous = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    return hashlib.sha256(unambiguous).hexdigest()[:32]


def make_record(
    event: str,
    *,
    at: datetime,
    actor: str,
    message: str,
    story: Story | None = None,
    subject: str = "",
    qualifier: str = "",
    success: bool = True,
    detail: Mapping[str, Any] | None = None,
) -> Record:
    """Return the record of an event.

    `at` is when it happened (aware, UTC); `actor` who did it; `message` a sentence for people; `qualifier` tells apart
    several events of one name about one subject. Raise `KeyError` for an event that is not in the catalogue.
    """
    kind = EVENTS[event]
    subject = subject or (story.uid if story is not None else "")
    id_ = record_id(subject, event, qualifier)
    metadata: dict[str, Any] = {
        "product": PRODUCT,
        "version": OCSF_VERSION,
        "uid": id_,
        "event_code": kind.code,
        "correlation_uid": subject,
        "log_name": "curfew",
    }
    block: dict[str, Any] = {
        "schema": SCHEMA,
        "id": id_,
        "event": event,
        "code": kind.code,
        "subject": subject,
        "actor": actor,
        "at": _format_time(at),
    }
    if story is not None:
        block["story"] = story.to_json()
    if detail:
        block["detail"] = dict(detail)
    body: dict[str, Any] = {
        "activity_id": kind.activity_id,
        "activity_name": event,
        "actor": {"user": {"name": actor}} if actor != "curfew" else {"app_name": "curfew"},
        "category_uid": 3,
        "class_uid": int(kind.ocsf_class),
        "message": message,
        "metadata": metadata,
        "severity_id": kind.severity_id,
        "status_id": 1 if success else 2,
        "time": round(at.timestamp() * 1000),
        "type_uid": int(kind.ocsf_class) * 100 + kind.activity_id,
        "unmapped": {"curfew": block},
    }
    body.update(_access(story) if kind.ocsf_class is OcsfClass.USER_ACCESS_MANAGEMENT else _entity(story, subject))
    return Record(id_, event, subject, body)


def with_end(story: Story, *, ended_at: datetime, end_reason: str) -> Story:
    """Return a story that is over."""
    return dataclasses.replace(story, ended_at=ended_at, end_reason=end_reason)


def _entity(story: Story | None, subject: str) -> dict[str, Any]:
    if story is None:
        return {"entity": {"name": subject, "type": "Log", "uid": subject}}
    return {"entity": {"name": f"{story.namespace}/{story.request}", "type": "AccessRequest", "uid": story.uid}}


def _access(story: Story | None) -> dict[str, Any]:
    who = story.requester if story is not None and story.requester else "unknown"
    role = story.role if story is not None else None
    access: dict[str, Any] = {
        "user": {"name": who},
        "privileges": [f"{role.kind}/{role.name}"] if role is not None else [],
    }
    if story is not None:
        access["resource"] = {"name": story.namespace, "type": "Namespace"}
    return access


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _format_time(value)
    if dataclasses.is_dataclass(value):
        fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(part) for name, part in fields if part is not None and part != ()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def _format_time(at: datetime) -> str:
    text = at.astimezone(UTC).isoformat(timespec="microseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _parse_time(text: str) -> datetime:
    return datetime.fromisoformat(text)

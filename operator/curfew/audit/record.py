"""A record: one event, as an OCSF 1.8 event with our own block under `unmapped.curfew`.

Who, what, when, where, why and who agreed are on every record, so that each can be understood without another. All
values are strings, integers, booleans, lists and objects; unknown values are left out.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from curfew.audit.api_call import ApiCall, ExternalCall
from curfew.audit.canonical import canonical
from curfew.audit.event_type import OTHER, OcsfClass
from curfew.audit.events import EVENTS
from curfew.audit.finding_info import FindingInfo
from curfew.audit.plain import plain, told_time

SCHEMA = "curfew.audit/v1"
OCSF_VERSION = "1.8.0"
CURFEW = "system:curfew"
"""The actor of every event that no person caused. Nobody who may hold or decide anything has a `system:` name."""

PRODUCT = {"name": "Curfew", "vendor_name": "Curfew"}

LONGEST_MESSAGE = 2048
"""Most characters of a record's sentence for people; a longer one is cut. Story and detail hold the whole text."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_TIME = 253_402_300_799_999  # the last millisecond of the year 9999, in milliseconds since 1970


class RecordRefused(ValueError):
    """A value that is not a record. `str(error)` is the reason."""


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
class Entity:
    """The subject of a record without a story: a name for people, a kind, for example AccessPolicy, and a UID."""

    name: str
    kind: str
    uid: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a person's calls came from. Known only from the API server's audit log; left out if that is not read."""

    addresses: tuple[str, ...] = ()  # IP addresses: the client's first, then those of the proxies on the way
    user_agent: str | None = None
    audit_ids: tuple[str, ...] = ()  # the Kubernetes auditID of each call


@dataclass(frozen=True, slots=True)
class Story:
    """The facts that every record about a request holds. Times are aware and in UTC; the duration is in seconds."""

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
    not_after: datetime | None = None
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
        try:
            known = {name: _READ[name](told[name]) for name in _FIELDS if name in told}
            return cls(**known)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RecordRefused(f"record {record.id} holds a story that cannot be read: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return the known fields of the story."""
        told: dict[str, Any] = plain(self)
        return told


@dataclass(frozen=True)
class Record:
    """One record. Two records with one id are about the same thing, and the log holds only one of them."""

    id: str
    event: str
    subject: str  # the subject: the UID of a request or of a policy, or the id of the log
    body: Mapping[str, Any]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> "Record":
        """Read a record's JSON object, or raise `RecordRefused`. Fields that a later version added are accepted."""
        id_, event, subject = identity(body)
        return cls(id_, event, subject, body)

    @property
    def block(self) -> Mapping[str, Any]:
        """Our own block of the record."""
        block: Mapping[str, Any] = self.body["unmapped"]["curfew"]
        return block

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self.body["message"])

    @property
    def at(self) -> datetime:
        """When the event happened, in UTC, to the millisecond."""
        return _EPOCH + timedelta(milliseconds=self.body["time"])

    def line(self) -> bytes:
        """Return its bytes in the log, without the newline: canonical JSON, the leaf of the Merkle tree."""
        return self._line

    @functools.cached_property
    def _line(self) -> bytes:
        """The same: measured, sealed and appended, a record is written three times. Its body never changes."""
        return canonical(self.body)


def identity(body: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return id, event and subject of a record's JSON object, or raise `RecordRefused` if it is no record."""
    try:
        block = body["unmapped"]["curfew"]
        schema, id_, event, subject = block["schema"], block["id"], block["event"], block["subject"]
        message, time = body["message"], body["time"]
    except (KeyError, TypeError, IndexError) as error:
        raise RecordRefused(f"it is not a record: {error}") from error
    if schema != SCHEMA:
        raise RecordRefused(f"its schema is {schema}; this version reads {SCHEMA}")
    if not (type(id_) is type(event) is type(subject) is type(message) is str):
        raise RecordRefused("a record's id, event, subject and message are strings")
    if type(time) is not int or not 0 <= time <= _LAST_TIME:
        raise RecordRefused(f"a record's time is in milliseconds since 1970, and {time!r} is not")
    return id_, event, subject


@functools.lru_cache(maxsize=1024)  # each step of a story looks for the same few records
def record_id(subject: str, event: str, qualifier: str = "") -> str:
    """Return the id of a record: the same event has the same id each time, so that a retry appends nothing twice."""
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
    entity: Entity | None = None,
    subject: str = "",
    qualifier: str = "",
    success: bool | None = True,
    detail: Mapping[str, Any] | None = None,
    source: Source | None = None,
    finding: FindingInfo | None = None,
    call: ApiCall | ExternalCall | None = None,
) -> Record:
    """Return the record of an event.

    `at` is when the event happened (aware, UTC); `actor` is the person or part of the system that caused it; `message`
    is a sentence for people; `qualifier` distinguishes several events of one name about one subject; `success` is None
    if nobody knows. The record is about the request of its `story`, or about an `entity`, or else about a `subject`,
    which is the id of the log. `detail` holds strings, whole numbers, booleans, and lists and objects of these, under
    the names that the catalogue has for the event. An alert has a `finding`, and API activity a `call`. Raise
    `KeyError` for an event that is not in the catalogue.
    """
    kind = EVENTS[event]
    if len(message) > LONGEST_MESSAGE:
        message = f"{message[: LONGEST_MESSAGE - 1]}\N{HORIZONTAL ELLIPSIS}"
    subject = subject or (story.uid if story is not None else entity.uid if entity is not None else "")
    if not subject:
        raise ValueError(f"{event} is about nothing: it has neither a story nor an entity nor a subject")
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
        "at": told_time(at),
    }
    if story is not None:
        block["story"] = story.to_json()
    if detail:
        block["detail"] = dict(detail)
    if source is not None and source != Source():
        block["source"] = plain(source)
    body: dict[str, Any] = {
        "activity_id": kind.activity_id,
        "activity_name": kind.activity_name,
        "actor": {"user": {"name": actor}} if actor != CURFEW else {"app_name": CURFEW},
        "category_uid": kind.ocsf_class // 1000,
        "class_uid": int(kind.ocsf_class),
        "message": message,
        "metadata": metadata,
        "severity_id": kind.severity_id,
        "status_id": 0 if success is None else 1 if success else 2,
        "time": (at - _EPOCH) // timedelta(milliseconds=1),
        "type_uid": int(kind.ocsf_class) * 100 + kind.activity_id,
        "unmapped": {"curfew": block},
    }
    match kind.ocsf_class:
        case OcsfClass.DETECTION_FINDING:
            body |= (finding or FindingInfo(subject, message)).to_ocsf(kind)
        case OcsfClass.USER_ACCESS_MANAGEMENT:
            body |= _access(story) | _from(source)
        case OcsfClass.ENTITY_MANAGEMENT:
            body |= _entity(story, entity or Entity(subject, "Log", subject)) | _from(source)
        case OcsfClass.API_ACTIVITY if call is not None:
            # OCSF requires the place that the call came from, also if it is not known.
            body |= call.to_ocsf() | {"src_endpoint": {"name": "unknown"}} | _from(source)
        case OcsfClass.API_ACTIVITY:
            raise ValueError(f"{event} needs a call")
    return Record(id_, event, subject, body)


def with_end(story: Story, *, ended_at: datetime, end_reason: str) -> Story:
    """Return a story with its end."""
    return dataclasses.replace(story, ended_at=ended_at, end_reason=end_reason)


def _entity(story: Story | None, entity: Entity) -> dict[str, Any]:
    if story is not None:
        entity = Entity(f"{story.namespace}/{story.request}", "AccessRequest", story.uid)
    return {"entity": {"name": entity.name, "type": entity.kind, "type_id": OTHER, "uid": entity.uid}}


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


def _from(source: Source | None) -> dict[str, Any]:
    """Return the part that OCSF has fields for; the whole is in our own block."""
    told: dict[str, Any] = {}
    if source is not None and source.addresses:
        told["src_endpoint"] = {"ip": source.addresses[0], "name": source.addresses[0]}
    if source is not None and source.user_agent:
        told["http_request"] = {"user_agent": source.user_agent}
    return told


def _parse_time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is not a time in UTC") from error


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"a text was expected, not a {type(value).__name__}")
    return value


def _number(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number was expected, not a {type(value).__name__}")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


_FIELDS = tuple(field.name for field in dataclasses.fields(Story))
_READ: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_FIELDS, _text),
    "duration": _number,
    "policy": lambda told: PolicyRef(_text(told["name"]), _text(told["uid"]), _number(told["generation"])),
    "role": lambda told: RoleRef(*(_text(told[part]) for part in ("kind", "name", "uid", "rules_digest"))),
    "binding": lambda told: BindingRef(_text(told["name"]), _text(told["uid"])),
    "decisions": lambda told: tuple(
        DecisionRef(
            _text(one["by"]),
            _text(one["decision"]),
            _text_or_none(one.get("stage")),
            _text_or_none(one.get("reason")),
            _parse_time(one["seen_at"]),
        )
        for one in told
    ),
    "not_before": _parse_time,
    "not_after": _parse_time,
    "decide_by": _parse_time,
    "decided_at": _parse_time,
    "starts_at": _parse_time,
    "granted_at": _parse_time,
    "expires_at": _parse_time,
    "ended_at": _parse_time,
}
"""The function that reads each field of a story."""

"""The catalogue of recorded events: each event's name, its code, its place in OCSF and its meaning.

Names are dotted and in the past tense. Codes are stable: four digits and I, W or E for how serious the event is.
"""

from collections.abc import Mapping
from types import MappingProxyType

from curfew.audit.activity_events import ACTIVITY_EVENTS
from curfew.audit.detection_events import DETECTION_EVENTS
from curfew.audit.event_type import (
    ASSIGN,
    CREATE,
    DELETE,
    OTHER,
    REVOKE,
    UPDATE,
    EventType,
    OcsfClass,
)
from curfew.audit.noticed_events import NOTICED_EVENTS
from curfew.audit.notification_events import NOTIFICATION_EVENTS

_ENTITY, _ACCESS = OcsfClass.ENTITY_MANAGEMENT, OcsfClass.USER_ACCESS_MANAGEMENT
_ENDED = ("end_reason",)
_DECIDED = ("decision", "effect", "stage", "reason")
_POLICY = ("namespace", "policy", "generation", "manager", "spec")
_CHANGED = (*_POLICY, "previous_generation", "differences")
_LOCK = ("lock", "scope", "person", "namespace", "policy", "reason", "submitted_by", "ends_at")
_GONE = ("namespace", "policy", "generation", "spec")

EVENTS: Mapping[str, EventType] = MappingProxyType(
    {
        event.name: event
        for event in (
            EventType("request.created", "1001I", _ENTITY, CREATE, "A person asked for access."),
            EventType(
                "request.accepted",
                "1002I",
                _ENTITY,
                UPDATE,
                "The request was understood and its terms pinned.",
                ("needed", "stages", "reason_length", "risk"),
            ),
            EventType(
                "request.rejected", "1003W", _ENTITY, UPDATE, "The request can never be granted as written.", _ENDED
            ),
            EventType("request.cancelled", "1004I", _ENTITY, UPDATE, "The requester withdrew the request.", _ENDED),
            EventType("request.timed_out", "1005I", _ENTITY, UPDATE, "Not enough people agreed in time.", _ENDED),
            EventType(
                "request.deleted",
                "1006W",
                _ENTITY,
                DELETE,
                "The request was deleted before its story was over.",
                _ENDED,
            ),
            EventType(
                "request.closed",
                "1007I",
                _ENTITY,
                UPDATE,
                "The end of a request: how it ended, with counts.",
                ("phase", "decisions", "approvals", "end_reason"),
            ),
            EventType(
                "request.outbox_altered",
                "1008E",
                _ENTITY,
                OTHER,
                "The status held an entry that is not a record of Curfew's; it was left out.",
                ("entries", "digest", "why"),
            ),
            EventType(
                "request.rejections_counted",
                "1009W",
                _ENTITY,
                OTHER,
                "Many requests of one person were refused in an hour; this counts those without records of their own.",
                ("submitter", "namespace", "hour", "rejected", "reasons", "first", "last", "exact"),
            ),
            EventType(
                "review.submitted", "2001I", _ENTITY, UPDATE, "A person decided, and it has an effect.", _DECIDED
            ),
            EventType("review.approved", "2002I", _ENTITY, UPDATE, "Enough people agreed."),
            EventType("review.denied", "2003I", _ENTITY, UPDATE, "A person denied the request.", _ENDED),
            EventType("review.auto_approved", "2004I", _ENTITY, UPDATE, "The policy grants without review."),
            EventType(
                "review.refused",
                "2005W",
                _ENTITY,
                UPDATE,
                "A person made a decision that must not count; it did not.",
                _DECIDED,
            ),
            EventType(
                "review.break_glass_invoked", "2006W", _ENTITY, UPDATE, "A person took the access without asking first."
            ),
            EventType(
                "review.overdue",
                "2007W",
                _ENTITY,
                UPDATE,
                "The glass was broken, and nobody else reviewed it in time.",
                ("review_by",),
            ),
            EventType(
                "grant.intended",
                "3001I",
                _ACCESS,
                OTHER,
                "A grant is announced; no binding is made before.",
                ("terms", "rules", "on_end"),
            ),
            EventType("grant.activated", "3002I", _ACCESS, ASSIGN, "The binding was made and read back."),
            EventType(
                "grant.activation_failed", "3003E", _ACCESS, ASSIGN, "What was approved was not granted.", _ENDED
            ),
            EventType(
                "grant.expired",
                "3004I",
                _ACCESS,
                REVOKE,
                "The window is over and the binding read back as gone.",
                ("end_reason", "late_ms"),
            ),
            EventType(
                "grant.revoked",
                "3005I",
                _ACCESS,
                REVOKE,
                "The access was ended early and its binding is gone.",
                _ENDED,
            ),
            EventType("grant.binding_removed", "3006W", _ACCESS, REVOKE, "Somebody else deleted the binding.", _ENDED),
            EventType(
                "grant.removal_failed",
                "3007E",
                _ACCESS,
                OTHER,
                "The access has to end, and its binding cannot be removed.",
                ("end_reason", "since", "seconds", "problem"),
            ),
            EventType(
                "grant.drifted",
                "3008E",
                _ACCESS,
                OTHER,
                "The binding was not as it was made, and was removed.",
                _ENDED,
            ),
            EventType(
                "grant.orphan_removed",
                "3009E",
                _ACCESS,
                REVOKE,
                "A binding with our label had no right to exist.",
                ("role", "subjects"),
            ),
            EventType(
                "grant.role_changed",
                "3010W",
                _ACCESS,
                OTHER,
                "The rules of the role were changed during the grant.",
                ("rules_digest",),
            ),
            EventType("policy.created", "5001I", _ENTITY, CREATE, "A new policy offers access.", _POLICY),
            EventType("policy.updated", "5002I", _ENTITY, UPDATE, "A policy was changed.", _CHANGED),
            EventType(
                "policy.weakened",
                "5003W",
                _ENTITY,
                UPDATE,
                "A policy was changed and requires less than before.",
                _CHANGED,
            ),
            EventType(
                "policy.deleted", "5004W", _ENTITY, DELETE, "A policy is gone; nothing is granted under it.", _GONE
            ),
            EventType(
                "lock.created",
                "5101W",
                _ENTITY,
                CREATE,
                "A person locked access: grants end, and new ones are refused.",
                _LOCK,
            ),
            EventType(
                "lock.changed",
                "5102W",
                _ENTITY,
                UPDATE,
                "The end of a lock was brought closer.",
                (*_LOCK, "previous_end"),
            ),
            EventType(
                "lock.lifted",
                "5103I",
                _ENTITY,
                DELETE,
                "A lock was deleted, or its end has come.",
                (*_LOCK, "grants_ended"),
            ),
            EventType(
                "enforcement.lost",
                "5201E",
                _ENTITY,
                OTHER,
                "An admission policy is not in force: nothing is granted until all of them are.",
                ("policies", "message", "since"),
            ),
            EventType(
                "enforcement.restored",
                "5202I",
                _ENTITY,
                OTHER,
                "All admission policies are in force again.",
                ("policies", "message", "since", "seconds"),
            ),
            *ACTIVITY_EVENTS,
            *DETECTION_EVENTS,
            *NOTIFICATION_EVENTS,
            *NOTICED_EVENTS,
            EventType(
                "audit.opened",
                "9001I",
                _ENTITY,
                CREATE,
                "The log begins; names the key that signs it.",
                ("verifier_key",),
            ),
            EventType(
                "audit.leader_changed",
                "9002I",
                _ENTITY,
                OTHER,
                "Another replica leads and writes the log from here on.",
                ("before", "segment", "writer"),
            ),
            EventType(
                "audit.sink_failed",
                "9003E",
                _ENTITY,
                OTHER,
                "The log could not be written for a while.",
                ("reason", "writer"),
            ),
            EventType(
                "audit.sink_recovered",
                "9004I",
                _ENTITY,
                OTHER,
                "The log can be written again.",
                ("seconds", "failed", "writer"),
            ),
            EventType(
                "audit.attested",
                "9005I",
                _ENTITY,
                OTHER,
                "Whether the store was proved to be write-once.",
                ("evidence", "sufficient", "findings", "store", "writer"),
            ),
            EventType(
                "audit.verification_failed",
                "9006E",
                _ENTITY,
                OTHER,
                "A segment does not read back as it was stored.",
                ("segment", "stored", "found", "writer"),
            ),
            EventType(
                "audit.writer_changed",
                "9007W",
                _ENTITY,
                OTHER,
                "Another writer appended to the log.",
                ("other", "segment", "records", "writer"),
            ),
            EventType(
                "audit.key_rotated",
                "9008I",
                _ENTITY,
                UPDATE,
                "Another key signs the log from here on.",
                ("verifier_key", "previous_key", "proof"),
            ),
            EventType(
                "audit.stories_open",
                "9009I",
                _ENTITY,
                OTHER,
                "The log carries its open stories, its policies and its locks forward.",
                ("set", "part", "last", "began", "since", "stories", "policies", "locks", "keys"),
            ),
            EventType(
                "audit.cluster_set_back",
                "9010W",
                _ENTITY,
                OTHER,
                "The cluster's state went back to an earlier one: etcd was restored.",
                ("seen", "found"),
            ),
            EventType(
                "audit.begins_at",
                "9011I",
                _ENTITY,
                UPDATE,
                "The log states where it begins now; what is older may be removed.",
                (
                    "segment",
                    "object",
                    "record",
                    "previous",
                    "sealed_at",
                    "hashes",
                    "verifier_key",
                    "keep_for",
                    "writer",
                ),
            ),
        )
    }
)
"""All events, by name."""

"""What an auditor has to look at: the kinds of exception, how serious each kind is, and what it means."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum

from curfew.evidence.grants import Mention


class ExceptionSeverity(StrEnum):
    """How serious an exception is. High: access or evidence was not as promised. Medium: look into it. Low: know it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class _Meaning:
    name: str
    severity: ExceptionSeverity
    title: str
    meaning: str


class ExceptionKind(Enum):
    """The kinds, worst first."""

    UNANNOUNCED = _Meaning(
        "unannounced",
        ExceptionSeverity.HIGH,
        "Access without announcement",
        "Access existed that the log had not announced before.",
    )
    UNAPPROVED = _Meaning(
        "unapproved",
        ExceptionSeverity.HIGH,
        "Access without approval",
        "The log has no approval by anybody other than the requester, and the policy did not waive approval.",
    )
    LONGER_THAN_ASKED = _Meaning(
        "longer-than-asked",
        ExceptionSeverity.HIGH,
        "Longer than asked",
        "The access was granted for longer than was requested and approved.",
    )
    LATE_END = _Meaning(
        "late-end",
        ExceptionSeverity.HIGH,
        "Ended late",
        "The access was still there more than 60 s after its promised end.",
    )
    END_MISSING = _Meaning(
        "end-missing",
        ExceptionSeverity.HIGH,
        "No end recorded",
        "The promised end has passed, and no record shows that the access ended.",
    )
    REMOVAL_FAILED = _Meaning(
        "removal-failed",
        ExceptionSeverity.HIGH,
        "Removal failed",
        "The access had to end, and its binding could not be removed.",
    )
    NOT_REVIEWED = _Meaning(
        "not-reviewed",
        ExceptionSeverity.HIGH,
        "Break glass without review",
        "Access was taken without approval, and nobody else reviewed it within 24 hours.",
    )
    DRIFTED = _Meaning(
        "binding-drifted",
        ExceptionSeverity.HIGH,
        "Binding altered",
        "Somebody changed a binding that Curfew had made; Curfew removed it.",
    )
    ORPHAN = _Meaning(
        "orphan-binding",
        ExceptionSeverity.HIGH,
        "Binding without request",
        "A binding that claimed to be Curfew's had no request; Curfew removed it.",
    )
    NOT_WRITE_ONCE = _Meaning(
        "not-write-once",
        ExceptionSeverity.HIGH,
        "Store not proved write-once",
        "For this time, nothing proves that the store kept records from being deleted or replaced.",
    )
    VERIFICATION_FAILED = _Meaning(
        "verification-failed",
        ExceptionSeverity.HIGH,
        "Log failed its own check",
        "Curfew verified its own log, and the log failed.",
    )
    SILENCE = _Meaning(
        "log-silent",
        ExceptionSeverity.MEDIUM,
        "Gap in the log",
        "Nothing was written for longer than three signs of life: Curfew was not running, or could not write.",
    )
    OUTAGE = _Meaning(
        "log-outage",
        ExceptionSeverity.MEDIUM,
        "Log could not be written",
        "The store did not accept what Curfew wrote. Meanwhile, nothing is granted.",
    )
    NOT_COVERED = _Meaning(
        "not-covered",
        ExceptionSeverity.MEDIUM,
        "Part of the period without log",
        "The log begins after the start of the period, or ends before its end.",
    )
    SELF_APPROVAL = _Meaning(
        "self-approval",
        ExceptionSeverity.MEDIUM,
        "Self-approval attempted",
        "Somebody decided on their own request. The decision did not count.",
    )
    ROLE_CHANGED = _Meaning(
        "role-changed",
        ExceptionSeverity.MEDIUM,
        "Role changed during access",
        "The rules of a role were changed while somebody held it: from then on it allowed other things than were approved.",
    )
    POLICY_WEAKENED = _Meaning(
        "policy-weakened",
        ExceptionSeverity.MEDIUM,
        "Policy weakened",
        "A policy was changed and requires less than before.",
    )
    BINDING_REMOVED = _Meaning(
        "binding-removed",
        ExceptionSeverity.MEDIUM,
        "Binding deleted by others",
        "Somebody other than Curfew deleted a binding. The access ended early.",
    )
    UNPINNED = _Meaning(
        "unpinned",
        ExceptionSeverity.MEDIUM,
        "Terms not pinned",
        "The records do not show which policy and which rules were approved.",
    )
    WRITER_CHANGED = _Meaning(
        "writer-changed",
        ExceptionSeverity.LOW,
        "Another writer",
        "Another process appended to the log. It is expected when the leader changes; compare with deployments.",
    )
    DECISION_REFUSED = _Meaning(
        "decision-refused",
        ExceptionSeverity.LOW,
        "Decision did not count",
        "Somebody decided too late, or for a stage that does not exist. It had no effect.",
    )
    REFUSALS_COUNTED = _Meaning(
        "refusals-counted",
        ExceptionSeverity.LOW,
        "Many requests refused",
        "Somebody had more than 20 requests refused in a namespace in an hour. The log holds the number of further refusals.",
    )
    UNREAD = _Meaning(
        "unreadable",
        ExceptionSeverity.LOW,
        "Unreadable records",
        "Signed lines that this version cannot read; use a newer one.",
    )

    @property
    def severity(self) -> ExceptionSeverity:
        """How serious the kind is."""
        return self.value.severity

    @property
    def title(self) -> str:
        """The kind's name, in a few words."""
        return self.value.title

    @property
    def meaning(self) -> str:
        """What the kind means, in a sentence."""
        return self.value.meaning

    def __str__(self) -> str:
        return self.value.name


@dataclass(frozen=True, slots=True)
class Exceptional:
    """One exception: when it happened, what exactly happened, to which person and thing, and the records that show it."""

    kind: ExceptionKind
    at: datetime
    what: str
    who: str = ""
    namespace: str = ""
    request: str = ""
    role: str = ""
    records: tuple[Mention, ...] = ()

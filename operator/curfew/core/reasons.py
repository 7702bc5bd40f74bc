"""Why a request ended, or why it is not granted: one CamelCase word each, the same in status, record, Event and docs."""

from enum import StrEnum


class Reason(StrEnum):
    """The words. `status.endReason` holds one of them from the moment a request is over."""

    # It is never granted.
    POLICY_NOT_FOUND = "PolicyNotFound"
    POLICY_DELETED = "PolicyDeleted"
    POLICY_INVALID = "PolicyInvalid"
    ROLE_NOT_FOUND = "RoleNotFound"
    ROLE_IS_PERMANENT = "RoleIsPermanent"
    REQUESTER_MAY_NOT_ASK = "RequesterMayNotAsk"
    REQUESTER_NOT_A_PERSON = "RequesterNotAPerson"
    DURATION_TOO_LONG = "DurationTooLong"
    START_TOO_FAR_AWAY = "StartTooFarAway"
    REASON_TOO_SHORT = "ReasonTooShort"
    TICKET_MISSING = "TicketMissing"
    TICKET_MALFORMED = "TicketMalformed"
    LIMIT_REACHED = "LimitReached"
    WITHDRAWN_TOO_OFTEN = "WithdrawnTooOften"
    REQUEST_UNREADABLE = "RequestUnreadable"
    NAME_WAS_USED = "NameWasUsed"
    LOCKED = "Locked"  # also why access ends
    SELF_TEST = "SelfTest"

    # People said so.
    DENIED_BY_APPROVER = "DeniedByApprover"
    CANCELLED_BY_REQUESTER = "CancelledByRequester"
    RELEASED_BY_REQUESTER = "ReleasedByRequester"
    REVOKED_BY_APPROVER = "RevokedByApprover"
    REQUEST_DELETED = "RequestDeleted"

    # Time said so.
    NOBODY_DECIDED = "NobodyDecided"
    DURATION_ELAPSED = "DurationElapsed"
    WINDOW_ELAPSED = "WindowElapsed"

    # What was approved cannot be granted.
    TERMS_CHANGED = "TermsChanged"
    CANNOT_BIND = "CannotBind"
    BINDING_CONFLICT = "BindingConflict"
    ACTIVATION_INTERRUPTED = "ActivationInterrupted"

    # What was granted is not what is there.
    BINDING_TAMPERED = "BindingTampered"
    BINDING_REMOVED = "BindingRemoved"
    BINDING_UNANNOUNCED = "BindingUnannounced"
    ROLE_CHANGED = "RoleChanged"
    EXPIRY_MISSING = "ExpiryMissing"

    # The cluster was set back to a time before the end that the log holds.
    STORY_CLOSED = "StoryClosed"

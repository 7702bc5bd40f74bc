"""What is known to have happened: facts of the API server's audit log, of a watch of bindings, and of the trail.

All times are aware and in UTC, by the clock of whoever wrote the fact down.
"""

from dataclasses import dataclass
from datetime import datetime

from curfew.audit.record import Record


@dataclass(frozen=True, slots=True)
class BindingMade:
    """A call made the binding of a grant. `received_at` is when the API server got the call, `at` when it answered.

    It is not certain if the answer is an error of the server: the API server may have stored the binding before that.
    """

    at: datetime
    received_at: datetime
    request_uid: str  # from the binding's name
    namespace: str
    by: str
    call: str  # identifies the call, so that an event that comes twice counts once
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class BindingGone:
    """The binding of a grant was gone when a call was answered: the call deleted it, or did not find it."""

    at: datetime
    received_at: datetime
    request_uid: str
    namespace: str
    by: str
    was_deleted: bool  # False: the call did not find it


@dataclass(frozen=True, slots=True)
class BindingSeen:
    """The binding of a grant was still there when the API server got a call."""

    at: datetime
    request_uid: str


@dataclass(frozen=True, slots=True)
class BindingsCleared:
    """A call deleted all RoleBindings of a namespace."""

    at: datetime
    namespace: str
    by: str


@dataclass(frozen=True, slots=True)
class BindingWatched:
    """A watch showed the binding of a grant, which says when it ends and where in the trail it was announced."""

    at: datetime
    request_uid: str
    uid: str
    expires_at: datetime | None
    announced_in: int | None  # the index of a record, from the receipt


@dataclass(frozen=True, slots=True)
class BindingUnwatched:
    """A watch showed that a binding is gone."""

    at: datetime
    request_uid: str
    uid: str


@dataclass(frozen=True, slots=True)
class RequestMade:
    """A call made an AccessRequest."""

    at: datetime
    received_at: datetime
    namespace: str
    name: str
    by: str
    call: str


@dataclass(frozen=True, slots=True)
class RequestGone:
    """A call deleted an AccessRequest, or with an empty name all of a namespace."""

    at: datetime
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class DecisionTaken:
    """The API server took somebody's decision about a request."""

    at: datetime
    namespace: str
    name: str
    by: str
    decision: str
    call: str


@dataclass(frozen=True, slots=True)
class RecordTold:
    """The trail holds a record. `sealed_at` is when its segment was sealed, which is before it was durable."""

    index: int
    sealed_at: datetime
    record: Record

    @property
    def at(self) -> datetime:
        """When the segment was sealed."""
        return self.sealed_at


CallFact = BindingMade | BindingGone | BindingSeen | BindingsCleared | RequestMade | RequestGone | DecisionTaken
"""What the API server's audit log shows."""

HistoryFact = CallFact | BindingWatched | BindingUnwatched | RecordTold
"""Any of them."""

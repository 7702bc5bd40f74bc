"""Refused requests that are counted in one record: which count a request is in, and the count's record (decision 0049).

The first 20 requests of a person that are refused in a namespace in an hour have records of their own. The later ones are
counted: their status shows in which hour, and one record shows how many they were.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from curfew.api.access_request import AccessRequest, Phase
from curfew.api.times import format_time
from curfew.audit.record import CURFEW, Entity, Record, make_record, record_id
from curfew.core.reasons import Reason

OWN_RECORDS = 20
"""How many refused requests of a person have records of their own, in one namespace and hour."""

HOUR = timedelta(hours=1)

SETTLED_AFTER = timedelta(minutes=2)
"""How long after its hour a count is written: by then, the last refusals of the hour are in their status."""

EVENT = "request.rejections_counted"

OTHER = "Other"  # a reason that is no word of Curfew's


class TallyKey(NamedTuple):
    """Whose refused requests are counted together: who submitted them, in which namespace, and in which hour."""

    submitter: str  # empty: the count of all people and namespaces for which there is no room
    namespace: str
    hour: datetime  # its beginning, in UTC

    @property
    def is_others(self) -> bool:
        """Whether this is the count of everybody for whom there is no room."""
        return not self.submitter

    @property
    def subject(self) -> str:
        """What the record of the count is about."""
        return f"{self.namespace or '*'}/{format_time(self.hour)}"

    @property
    def record_id(self) -> str:
        """The id of the record. It is the same in every process, so that the log holds only one."""
        return record_id(self.subject, EVENT, self.submitter)

    def later(self) -> "TallyKey":
        """Return the key for the next hour."""
        return self._replace(hour=self.hour + HOUR)


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour that an instant is in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def others(hour: datetime) -> TallyKey:
    """Return the key that counts everybody for whom there is no room."""
    return TallyKey("", "", hour)


def counted_key(request: AccessRequest) -> TallyKey | None:
    """Return the count that the status of a refused request names, or None.

    A request with pinned terms was shown to people. It is never counted, whatever its status shows.
    """
    status = request.status
    if status.counted_in is None or status.phase is not Phase.FAILED or status.terms is not None:
        return None
    hour = hour_of(status.counted_in)
    if status.counted_with_others:
        return others(hour)
    return TallyKey(request.spec.submitted_by, request.metadata.namespace, hour)


class Refused(NamedTuple):
    """One refused request that was counted."""

    at: str
    request: str
    uid: str


@dataclass(slots=True)
class Tally:
    """How many requests were refused and why, and the first and the last of them."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: Refused | None = None
    last: Refused | None = None

    @property
    def total(self) -> int:
        """How many were refused."""
        return self.reasons.total()

    def add(self, request: AccessRequest) -> None:
        """Add one refused request."""
        reason, meta = request.status.end_reason, request.metadata
        self.reasons[reason if reason in frozenset(Reason) else OTHER] += 1
        at = request.status.ended_at or meta.creation_timestamp
        one = Refused(format_time(at) if at is not None else "", meta.name, meta.uid)
        self._place(one, one)

    def merge(self, other: "Tally") -> None:
        """Add another count. No request may be in both."""
        self.reasons += other.reasons
        self._place(other.first, other.last)

    def _place(self, first: Refused | None, last: Refused | None) -> None:
        self.first = min((one for one in (self.first, first) if one is not None), default=None)
        self.last = max((one for one in (self.last, last) if one is not None), default=None)


def counted(key: TallyKey, tally: Tally, *, at: datetime, is_exact: bool) -> Record:
    """Return the record of a count. `is_exact` is False if more may have been refused, and deleted unseen."""
    who = "Other people" if key.is_others else key.submitter
    where = "" if key.is_others else f" in {key.namespace}"
    words = ", ".join(f"{number} {reason}" for reason, number in sorted(tally.reasons.items()))
    detail = {
        "hour": format_time(key.hour),
        "rejected": tally.total,
        "reasons": dict(sorted(tally.reasons.items())),
        "exact": is_exact,
        **({} if key.is_others else {"submitter": key.submitter, "namespace": key.namespace}),
        **{name: one._asdict() for name, one in (("first", tally.first), ("last", tally.last)) if one is not None},
    }
    return make_record(
        EVENT,
        at=at,
        actor=CURFEW if key.is_others else key.submitter,
        message=f"{who} had {'' if is_exact else 'at least '}{tally.total} more requests refused{where} in the hour from "
        f"{format_time(key.hour)}, after {OWN_RECORDS} with records of their own: {words}",
        entity=Entity(key.namespace or "*", "Namespace", key.subject),
        qualifier=key.submitter,
        success=False,
        detail=detail,
    )

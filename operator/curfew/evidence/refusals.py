"""What one record counts: requests of one person that were refused in an hour and have no records of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from curfew.audit.record import Record, RecordRefused
from curfew.evidence.cases import detail_of


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many requests were refused in an hour, by reason."""

    hour: datetime  # its beginning
    reasons: Mapping[str, int]
    is_exact: bool  # False: more requests may have been refused

    @classmethod
    def of(cls, record: Record) -> "Refusals":
        """Read a count. Raise `RecordRefused` if it cannot be read, or if its reasons do not add up to its number."""
        detail = detail_of(record)
        reasons, number = detail.get("reasons"), detail.get("rejected")
        try:
            hour = datetime.fromisoformat(str(detail.get("hour")))
        except ValueError as error:
            raise RecordRefused(f"record {record.id} names no hour: {error}") from error
        if hour.tzinfo is None:
            raise RecordRefused(f"record {record.id} names an hour without a time zone")
        if not isinstance(reasons, Mapping) or not all(type(one) is int and one > 0 for one in reasons.values()):
            raise RecordRefused(f"record {record.id} does not count by reason")
        if type(number) is not int or sum(reasons.values()) != number:
            raise RecordRefused(f"record {record.id} does not add up: {number} is not the sum of its reasons")
        return cls(hour, reasons, detail.get("exact") is True)

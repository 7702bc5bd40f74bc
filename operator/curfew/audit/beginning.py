"""Where a log begins, once its oldest segments may be removed: a record of the log states it.

The statement holds the whole state before the first segment that is kept. So all later segments are verified as after
any other segment, to the same roots; the only records missing are those that the log itself has allowed to be removed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from curfew.audit.checkpoint import KeyRefused, Verifier
from curfew.audit.merkle import CompactRange
from curfew.audit.record import CURFEW, Record, RecordRefused, make_record
from curfew.audit.segment import MAX_STORED, TRAILER_BYTES, Head, format_time, origin, sequence, unpack

EVENT = "audit.begins_at"
"""The event of the record that states where a log begins."""

_MARK = b'"event":"audit.begins_at"'  # canonical JSON has no second way to write it


@dataclass(frozen=True, slots=True)
class Beginning:
    """The state of a log before the first segment that is kept, and the key that sealed that segment."""

    head: Head
    verifier: Verifier

    @property
    def segment(self) -> int:
        """The number of the first segment that is kept."""
        return self.head.seq + 1

    @property
    def record(self) -> int:
        """The index of the first record that is kept: how many may be removed."""
        return self.head.range.size

    def to_json(self) -> dict[str, Any]:
        """Return it in the form in which a record and a bundle hold it."""
        if self.head.at is None:
            raise ValueError("a log that begins later has segments before")
        return {
            "segment": self.segment,
            "object": self.head.next_name(),
            "record": self.record,
            "previous": self.head.object_hash.hex(),
            "sealed_at": format_time(self.head.at),
            "hashes": [hash_.hex() for hash_ in self.head.range.hashes],
            "verifier_key": str(self.verifier),
        }

    @classmethod
    def of(cls, log: str, told: object) -> "Beginning":
        """Read what `to_json` wrote for this log. Raise `ValueError` for anything else. Reading it proves nothing."""
        if not isinstance(told, Mapping):
            raise ValueError("it is not the beginning of a log")  # noqa: TRY004  all that is wrong with it is one error
        try:
            at = datetime.fromisoformat(told["sealed_at"])
            tree = CompactRange(told["record"], tuple(map(bytes.fromhex, told["hashes"])))
            head = Head(log, told["segment"] - 1, bytes.fromhex(told["previous"]), at.date(), tree, at)
            beginning = cls(head, Verifier.parse(told["verifier_key"]))
            is_so = (
                type(told["segment"]) is type(told["record"]) is int
                and head.seq >= 0
                and beginning.verifier.name == origin(log)
                and beginning.to_json() == {name: told[name] for name in _FIELDS}
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, KeyRefused) as error:
            raise ValueError(f"it is not the beginning of a log: {error}") from error
        if not is_so:
            raise ValueError(f"it is not the beginning of log {log}, or not in the only valid form")
        return beginning


_FIELDS = ("segment", "object", "record", "previous", "sealed_at", "hashes", "verifier_key")


def statement(beginning: Beginning, *, at: datetime, keep_for: timedelta, writer: str) -> Record:
    """Return the record that states where a log begins."""
    log, sealed = beginning.head.log, beginning.head.at or at
    return make_record(
        EVENT,
        at=at,
        actor=CURFEW,
        message=f"The log {log} begins with segment {beginning.segment} and record {beginning.record}: what was sealed up to "
        f"{sealed.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is older than {keep_for.days}d and may be removed.",
        subject=log,
        qualifier=f"{writer}/{at.isoformat()}",
        detail={**beginning.to_json(), "keep_for": int(keep_for.total_seconds()), "writer": writer},
    )


def stated_in(log: str, body: Any) -> Beginning | None:
    """Return the beginning that a record of a log states, or None if it states none that can be read."""
    try:
        record = Record.parse(body)
        if record.event != EVENT or record.subject != log:
            return None
        return Beginning.of(log, record.block.get("detail"))
    except (RecordRefused, ValueError):
        return None


def claimed_in(log: str, stored: bytes) -> Beginning | None:
    """Return the newest beginning that an object claims for a log. It proves nothing: anybody may have written it."""
    if len(stored) > MAX_STORED:
        return None
    try:
        lines = unpack(stored[:-TRAILER_BYTES]).split(b"\n")
    except ValueError:
        return None
    for line in reversed(lines):
        if _MARK in line:
            try:
                found = stated_in(log, orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
            if found is not None:
                return found
    return None


def first_gap(names: Iterable[str]) -> int | None:
    """Return the lowest number without a segment, if a higher number has one; None for a log without a gap.

    `names` are the names of one log's segments; a name without a number is skipped.
    """
    there = {seq for seq in map(sequence, names) if seq >= 0}
    return next((seq for seq in range(len(there)) if seq not in there), None)

"""The records that are to become durable: those that wait, in order, and those of the segment being written."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from curfew.audit.canonical import NotCanonical
from curfew.audit.record import Record
from curfew.audit.segment import MAX_BYTES, MAX_RECORDS

MOST_RECORDS = MAX_RECORDS
MOST_BYTES = 1024 * 1024
"""How much one segment holds, before compression. A single record is taken whatever its size."""

LARGEST_RECORD = MAX_BYTES // 2
"""The largest line of a record in bytes. A segment has to hold it with pseudonyms for names, together with the seal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record on its way, and its bytes."""

    record: Record
    line: bytes
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())  # when it was handed over


class RecordQueue:
    """Entries by the ids of their records: no record is in it twice."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[str, Entry] = {}
        self._carried: frozenset[str] = frozenset()  # the ids of the records in flight that nobody handed over
        self.in_flight: dict[str, Entry] = {}

    def __contains__(self, id_: object) -> bool:
        """Whether a record is on its way: it waits, or is in flight."""
        return id_ in self._waiting or id_ in self.in_flight

    def __bool__(self) -> bool:
        """Whether any record waits that is not in flight."""
        return bool(self._waiting)

    def add(self, records: Iterable[Record], is_settled: Callable[[Record], bool]) -> None:
        """Add records to those that wait. Records that are settled in the log, and records already here, are ignored.

        Raise `NotCanonical` for a record that cannot be written, or is too large to be read back.
        """
        for record in records:
            if record.id in self or is_settled(record):
                continue
            line = record.line()
            if len(line) > LARGEST_RECORD:
                raise NotCanonical(f"is larger than a record can be: {len(line):,} bytes; at most {LARGEST_RECORD:,}")
            self._waiting[record.id] = Entry(record, line)

    def add_first(self, *records: Record) -> None:
        """Add records before all others that wait."""
        self._waiting = {**{record.id: Entry(record, record.line()) for record in records}, **self._waiting}

    def take(self, carried: Sequence[Record]) -> dict[str, Entry]:
        """Take out the contents of the next segment: what is carried forward, then what waits, as far as there is room."""
        # What is carried forward comes first: it was true before the records that follow.
        batch = {record.id: Entry(record, record.line()) for record in carried}
        self._carried = frozenset(batch)
        size = sum(len(entry.line) for entry in batch.values())
        waiting: list[str] = []
        for id_, entry in itertools.islice(self._waiting.items(), MOST_RECORDS - len(batch)):
            size += len(entry.line)
            if batch and size > MOST_BYTES:
                break
            batch[id_] = entry
            waiting.append(id_)
        for id_ in waiting:
            del self._waiting[id_]
        return batch

    def give_back(self) -> None:
        """Let the records in flight wait again, before all others. What was carried forward is made again."""
        lost = {id_: entry for id_, entry in self.in_flight.items() if id_ not in self._carried}
        self._waiting = {**lost, **self._waiting}

    def drop(self, id_: str) -> None:
        """Remove a record that need not be written any more, if it waits."""
        self._waiting.pop(id_, None)

    def drop_settled(self, is_settled: Callable[[Record], bool]) -> list[Record]:
        """Remove the waiting records that are settled in the log, and return them."""
        settled = [entry.record for entry in self._waiting.values() if is_settled(entry.record)]
        for record in settled:
            del self._waiting[record.id]
        return settled

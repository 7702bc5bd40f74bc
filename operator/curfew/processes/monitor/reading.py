"""Reads both logs as one: from long ago to their ends, in the order of time, and then whatever is appended to either.

At a start, both are read side by side, and of the two records at hand the earlier one comes first. Only what is at hand is
in memory: some segments of each log, however long the logs are.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime

import structlog

from curfew.audit.checkpoint import Verifier
from curfew.audit.record import Record
from curfew.audit.segment import ChainBroken, Segment
from curfew.audit.wording import sentence
from curfew.core.detectors.alert import Seen, WhichLog
from curfew.ports import ObjectStore
from curfew.reader.follow import Follower, find_start
from curfew.reader.stream import read_record
from curfew.storage.people import People

log = structlog.get_logger("curfew")


class LogReader:
    """The records of one log with their places, from a day on. One caller at a time."""

    def __init__(
        self, store: ObjectStore, name: str, key: Verifier | None, which: WhichLog, people: People | None
    ) -> None:
        """Nothing is read yet. `key` is the log's first key; without it, the one that the log announces is used."""
        self._store = store
        self._name = name
        self._key = key
        self._people = people
        self.which = which
        self._follower: Follower | None = None
        self._listed: Sequence[str] = ()
        self._segments: AsyncIterator[Segment] | None = None
        self._read: Segment | None = None  # read, and its records are not at hand yet
        self._lines: deque[tuple[int, bytes]] = deque()  # of a log that holds names
        self._records: deque[Seen] = deque()
        self.sealed_at: datetime | None = None
        """When the newest segment that was read was sealed, also if it holds no record."""

    @property
    def trouble(self) -> str:
        """Why the log may end too early, as a sentence for people; empty if all is well."""
        doubt = self._follower.doubt if self._follower is not None else None
        return "" if doubt is None else f"Log {self._name} at {self._store.url} is not whole: {sentence(str(doubt))}"

    async def open(self, since: date) -> None:
        """Find the place to begin, unless that is done: before everything that was sealed on that day or later.

        Raise `CannotRead` if there is no such log, `Unfounded` or `ChainBroken` if it is not as it should be, and a
        `StoreError` if the store cannot be read.
        """
        if self._follower is not None:
            return
        start = await find_start(self._store, self._name, self._key, since)
        self._follower, self._listed = Follower(self._store, start.head, start.verifier, self._bad), start.names
        self._read = start.segment

    async def has_more(self) -> bool:
        """Have a record at hand, and return True; return False at the end of the log. Raise a `StoreError`.

        After an error, the next call continues where this one was. `open` comes first.
        """
        while not self._records:
            if self._lines:
                index, line = self._lines.popleft()
                record = read_record(line)
                if record is not None:
                    self._records.append(Seen(record, self.which, index, self.sealed_at))
                continue
            if self._read is None:
                self._read = await self._next()
            if self._read is None:
                return False
            await self._unpack(self._read)
            self.sealed_at, self._read = self._read.at, None
        return True

    @property
    def first(self) -> Seen:
        """The record at hand. `has_more` was True."""
        return self._records[0]

    def take(self) -> Seen:
        """Take the record at hand. `has_more` was True."""
        return self._records.popleft()

    async def _next(self) -> Segment | None:
        if self._follower is None:
            raise RuntimeError("the log is read before it was opened")
        segments, self._segments = self._segments, None
        if segments is None:
            segments = self._follower.listed(self._listed) if self._listed else self._follower.appended()
        found = await anext(segments, None)
        if found is not None:
            self._segments = segments  # after an error, it would yield nothing more
        else:
            self._listed = ()
        return found

    async def _unpack(self, segment: Segment) -> None:
        numbered = enumerate(segment.lines, segment.first)
        if self._people is None:
            self._lines.extend(numbered)
            return
        known = [(index, record) for index, line in numbered if (record := read_record(line)) is not None]
        told: list[Record] = list(await self._people.reveal_often([record for _, record in known]))
        self._records.extend(
            Seen(record, self.which, index, segment.at) for (index, _), record in zip(known, told, strict=True)
        )

    def _bad(self, broken: ChainBroken) -> None:
        log.error("a log that the detectors read holds an object that is no segment of it", problem=str(broken))


async def take_earlier(readers: Sequence[LogReader]) -> Seen | None:
    """Take the earlier one of the records at hand, or return None at the end of all logs. Raise as `has_more` does."""
    at_hand = [reader for reader in readers if await reader.has_more()]
    return min(at_hand, key=lambda reader: reader.first.at).take() if at_hand else None

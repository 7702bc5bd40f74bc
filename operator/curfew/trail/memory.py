"""What is known of the log's recent past: which records it holds, with their receipts, and which stories are open."""

import hashlib
import json
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.segment import Head

GENERATIONS = 4
"""Into how many parts the window is cut; the oldest is forgotten as a whole."""

OPENS = frozenset({"request.accepted", "grant.intended", "grant.activated"})
"""The events whose records are a story's milestones."""
INTENDED = "grant.intended"
CLOSED = "request.closed"
POLICY_TOLD = frozenset({"policy.created", "policy.updated", "policy.weakened"})
"""The events that say that there is a policy."""
POLICY_DELETED = "policy.deleted"


@dataclass(slots=True)
class _Generation:
    """What was appended in one part of the window, packed: a few bytes more than an id and an index for each record."""

    since: datetime
    indexes: dict[bytes, int] = field(default_factory=dict)  # own records by their index, others by its complement
    sizes: list[int] = field(default_factory=list)  # of the log, after each segment with records, ascending
    roots: list[bytes] = field(default_factory=list)  # the same
    asked: dict[bytes, tuple[Receipt, bool]] = field(default_factory=dict)  # older ones that somebody still asks for


@dataclass(slots=True)
class _Story:
    latest: bytes
    intent: bytes | None = None


class Memory:
    """The last `window` of the log, measured from its newest segment and not from now: a long sleep forgets nothing.

    A record is forgotten when it is older than the window and nobody has asked for it in all that time.
    """

    def __init__(self, log: str, window: timedelta) -> None:
        """Know nothing yet."""
        self._log = log
        self._window = window
        self._generations: deque[_Generation] = deque()
        self._stories: dict[str, _Story] = {}
        self._policies: dict[str, bytes] = {}

    def learn(self, records: Sequence[Record], lines: Sequence[bytes], after: Head, *, own: bool) -> None:
        """Take in a segment: its records, the same as lines, and the state after it."""
        generation = self._generation(after.at)
        first = after.range.size - len(records)
        for offset, (record, line) in enumerate(zip(records, lines, strict=True)):
            index = first + offset
            generation.indexes.setdefault(_key(record.id), index if own else ~index)
            self._tell(record, line)
        if records:
            generation.sizes.append(after.range.size)
            generation.roots.append(after.range.root())

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None where it is not known to be durable."""
        found = self._find(_key(record_id))
        return found[0] if found is not None else None

    def is_own(self, record_id: str) -> bool:
        """Whether this process appended the record."""
        found = self._find(_key(record_id))
        return found is not None and found[1]

    def intent(self, uid: str) -> Record | None:
        """Return the announcement of the grant to a request whose story is open, or None."""
        story = self._stories.get(uid)
        return _parse(story.intent) if story is not None and story.intent is not None else None

    def open_stories(self) -> Mapping[str, Record]:
        """Return the last milestone of each story that is open, by the UID of its request, as of now."""
        return _Milestones({uid: story.latest for uid, story in self._stories.items()})

    def open_policies(self) -> Mapping[str, Record]:
        """Return the last record of each policy that is not deleted, by its UID, as of now."""
        return _Milestones(dict(self._policies))

    def __len__(self) -> int:
        """Return how many records are remembered."""
        return sum(len(generation.indexes) + len(generation.asked) for generation in self._generations)

    def _generation(self, at: datetime | None) -> _Generation:
        """Return the part of the window that is being filled, and forget what lies before the window."""
        if at is None:
            raise ValueError("a segment has a time")
        if not self._generations or at - self._generations[-1].since >= self._window / GENERATIONS:
            self._generations.append(_Generation(at))
        # A part ends where the next begins.
        while len(self._generations) > 1 and self._generations[1].since <= at - self._window:
            self._generations.popleft()
        return self._generations[-1]

    def _find(self, key: bytes) -> tuple[Receipt, bool] | None:
        for generation in reversed(self._generations):
            found = generation.asked.get(key)
            if found is None and (index := generation.indexes.get(key)) is not None:
                found = self._receipt(generation, index), index >= 0
            if found is not None:
                if generation is not self._generations[-1]:
                    # Whoever asks may ask again, and offer the record again if told that it is not there.
                    self._generations[-1].asked[key] = found
                return found
        return None

    def _receipt(self, generation: _Generation, index: int) -> Receipt:
        index = max(index, ~index)
        place = bisect_right(generation.sizes, index)
        return Receipt(self._log, index, generation.sizes[place], generation.roots[place].hex())

    def _tell(self, record: Record, line: bytes) -> None:
        if record.event == POLICY_DELETED:
            self._policies.pop(record.subject, None)
        elif record.event in POLICY_TOLD:
            self._policies[record.subject] = line
        elif record.event == CLOSED:
            self._stories.pop(record.subject, None)
        elif record.event in OPENS:
            story = self._stories.setdefault(record.subject, _Story(line))
            story.latest = line
            if record.event == INTENDED:
                story.intent = line


class _Milestones(Mapping[str, Record]):
    """Records by UID, parsed when they are looked at: there may be many, and few are."""

    def __init__(self, lines: Mapping[str, bytes]) -> None:
        self._lines = lines

    def __getitem__(self, uid: str) -> Record:
        return _parse(self._lines[uid])

    def __contains__(self, uid: object) -> bool:
        return uid in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def _key(record_id: str) -> bytes:
    """Return a record's id in 16 bytes; an id may be any string."""
    return hashlib.blake2b(record_id.encode(), digest_size=16).digest()


def _parse(line: bytes) -> Record:
    return Record.parse(json.loads(line))

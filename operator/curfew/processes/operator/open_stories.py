"""Which stories, policies and locks are open in the log: learnt from its records. The log carries them forward in sets.

Memory: about 4 KiB for each open story of ordinary size and 1 KiB for each policy and each lock.
"""

import functools
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import orjson

from curfew.audit.carried import PART_BYTES, STORIES_OPEN, CarriedStory, Part, Told, cut, make_part, size_of
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, RecordRefused
from curfew.core.lock_records import CHANGED, CREATED, LIFTED
from curfew.core.unrecorded import INTENDED
from curfew.trail.lineage import Lineage

OPENS = frozenset({"request.created", "request.accepted", INTENDED, "grant.activated"})
"""The events whose records are a story's milestones."""
CLOSED = "request.closed"
POLICY_TOLD = frozenset({"policy.created", "policy.updated", "policy.weakened"})
"""The events that show that a policy exists."""
POLICY_DELETED = "policy.deleted"
LOCK_TOLD = frozenset({CREATED, CHANGED})
"""The events that show that a lock exists."""

CARRY_EVERY = timedelta(hours=6)
"""How old the last set becomes before the next one is begun."""

SEGMENT_BYTES = 4 * PART_BYTES
"""How much of a set goes into one segment: other records must not wait for the whole set."""


MOST_TOLD = 128
"""How many record ids of one open story are known while it is open: 32 decisions and all milestones are fewer."""


@dataclass(slots=True)
class _Story:
    latest: bytes
    intent: bytes | None = None
    announcement: str = ""  # its id
    told: list[Told] = field(default_factory=list)


class OpenStories:
    """The open stories, by the UID of their requests, and the existing policies and locks, by their UID."""

    def __init__(self, lineage: Lineage) -> None:
        """Start empty. `lineage` learns the keys that a set names, and has the keys that the next set will name."""
        self.lineage = lineage
        self._stories: dict[str, _Story] = {}
        self._policies: dict[str, bytes] = {}
        self._locks: dict[str, bytes] = {}
        self._told: dict[str, int] = {}  # id and index of each record of an open story
        self._receipts: dict[str, Receipt] = {}  # of the announcements in open stories, by their ids
        self._set: tuple[str, int] | None = (
            None  # the name of the set that is being read, and the number of the part that follows
        )
        self.carried_at: datetime | None = None  # when the newest complete set, or the log itself, was begun
        self.since: datetime | None = None  # all stories opened after this are known; None: nothing was learnt yet

    @property
    def is_complete(self) -> bool:
        """Whether a complete set was learnt, or the whole log from its first record."""
        return self.carried_at is not None

    def begin(self, at: datetime, *, is_first: bool) -> None:
        """Note when the first segment that is learnt was sealed, and whether it is the first of the log."""
        self.since = at
        if is_first:
            self.carried_at = at

    def learn(self, record: Record, index: int) -> None:
        """Learn from a record of the log. A record that carries stories and cannot be read is ignored."""
        if record.event == POLICY_DELETED:
            self._policies.pop(record.subject, None)
        elif record.event in POLICY_TOLD:
            self._policies[record.subject] = _line(record)
        elif record.event == LIFTED:
            self._locks.pop(record.subject, None)
        elif record.event in LOCK_TOLD:
            self._locks[record.subject] = _line(record)
        elif record.event == CLOSED:
            self._close(record.subject)
        elif record.event == STORIES_OPEN:
            self._learn_part(record)
        else:
            self._learn_of_story(record, index)

    def announced(self, record: Record, receipt: Receipt) -> None:
        """Store the receipt of an announcement that was just learnt."""
        self._receipts[record.id] = receipt

    def _learn_of_story(self, record: Record, index: int) -> None:
        story = self._stories.get(record.subject)
        if record.event in OPENS:
            line = _line(cut(record))
            if story is None:
                story = self._stories[record.subject] = _Story(line)
            story.latest = line
            if record.event == INTENDED:
                story.intent, story.announcement = line, record.id
        if story is not None and len(story.told) < MOST_TOLD and record.id not in self._told:
            story.told.append(Told(record.id, index, str(record.block.get("actor", ""))))
            self._told[record.id] = index

    def _close(self, uid: str) -> None:
        story = self._stories.pop(uid, None)
        if story is None:
            return
        self._receipts.pop(story.announcement, None)
        for one in story.told:
            self._told.pop(one.id, None)

    def _learn_part(self, record: Record) -> None:
        try:
            part = Part.of(record)
        except RecordRefused:
            self._set = None
            return
        self.lineage.learn_keys(*(key for key in part.keys if key not in self.lineage.keys))
        for carried in part.stories:
            uid = carried.latest.subject
            self._close(uid)
            story = self._stories[uid] = _Story(_line(carried.latest), told=list(carried.told))
            if carried.intent is not None and carried.receipt is not None:
                story.intent, story.announcement = _line(carried.intent), carried.intent.id
                self._receipts[story.announcement] = carried.receipt
            self._told.update((one.id, one.index) for one in carried.told)
        self._policies.update((policy.subject, _line(policy)) for policy in part.policies)
        self._locks.update((lock.subject, _line(lock)) for lock in part.locks)
        if part.number not in (0, self._set[1] if self._set is not None and self._set[0] == part.set else 0):
            self._set = None
            return
        self._set = (part.set, part.number + 1)
        if part.is_last:
            self._set, self.carried_at = None, part.began
            self.since = min(part.since, self.since or part.since)

    # --- what others ask -------------------------------------------------------------------------------------------------

    def __contains__(self, uid: object) -> bool:
        return uid in self._stories

    def knows_all(self, uid: str) -> bool:
        """Whether each record of a story is known by its id: the story is open, and does not have too many records."""
        story = self._stories.get(uid)
        return story is not None and len(story.told) < MOST_TOLD

    def intent(self, uid: str) -> Record | None:
        """Return the announcement of the grant to a request whose story is open, or None."""
        story = self._stories.get(uid)
        return _parse_once(story.intent) if story is not None and story.intent is not None else None

    def stories(self) -> Mapping[str, Record]:
        """Return the last milestone of each open story, as of now."""
        return _Milestones({uid: story.latest for uid, story in self._stories.items()})

    def policies(self) -> Mapping[str, Record]:
        """Return the last record of each policy that is not deleted, as of now."""
        return _Milestones(dict(self._policies))

    def locks(self) -> Mapping[str, Record]:
        """Return the last record of each lock that is not lifted, as of now."""
        return _Milestones(dict(self._locks))

    def index(self, record_id: str) -> int | None:
        """Return the index of a record of an open story, or None for any other."""
        return self._told.get(record_id)

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of the announcement with this id, or None for any other record."""
        return self._receipts.get(record_id)

    def carried(self, uid: str) -> CarriedStory | None:
        """Return a story in the form for a set, or None if it was closed."""
        story = self._stories.get(uid)
        if story is None:
            return None
        intent = _parse(story.intent) if story.intent is not None else None
        return CarriedStory(_parse(story.latest), intent, self._receipts.get(story.announcement), tuple(story.told))

    def policy(self, uid: str) -> Record | None:
        """Return the last record of a policy, or None if it was deleted."""
        line = self._policies.get(uid)
        return _parse(line) if line is not None else None

    def lock(self, uid: str) -> Record | None:
        """Return the last record of a lock, or None if it was lifted."""
        line = self._locks.get(uid)
        return _parse(line) if line is not None else None


class Carrier:
    """Makes the parts of a set. Each is made from what is known when it is written, so it is true at its place in the log."""

    def __init__(self, log: str, writer: str) -> None:
        """Start without a set."""
        self._log = log
        self._writer = writer
        self._rest: deque[str] = (
            deque()
        )  # the UIDs of stories, then of policies and of locks, that are still to be carried
        self._began: datetime | None = None
        self._number = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a set was begun and is not complete."""
        return self._began is not None

    def abandon(self) -> None:
        """Give up a set: another writer's segment came first, and the parts to come may not contain what it records."""
        self._began = None

    def parts(self, known: OpenStories, at: datetime) -> list[Record]:
        """Return what the next segment must begin with: the next parts of a set, or nothing while none is due."""
        if not self.is_under_way:
            if known.since is None or (known.carried_at is not None and at - known.carried_at < CARRY_EVERY):
                return []
            self._began, self._number = at, 0
            self._rest = deque((*known.stories(), *known.policies(), *known.locks()))
        made: list[Record] = []
        size = 0
        while self._began is not None and size < SEGMENT_BYTES:
            part, part_size = self._part(known, self._began, at)
            made.append(part)
            size += part_size
        return made

    def _part(self, known: OpenStories, began: datetime, at: datetime) -> tuple[Record, int]:
        stories: list[CarriedStory] = []
        policies: list[Record] = []
        locks: list[Record] = []
        size = 0
        while self._rest and size < PART_BYTES:
            uid = self._rest.popleft()
            if (story := known.carried(uid)) is not None:
                stories.append(story)
                size += size_of([story])
            elif (policy := known.policy(uid)) is not None:
                policies.append(policy)
                size += size_of([policy])
            elif (lock := known.lock(uid)) is not None:
                locks.append(lock)
                size += size_of([lock])
        number, self._number = self._number, self._number + 1
        is_last = not self._rest
        if is_last:
            self._began = None
        part = make_part(
            self._log,
            set_=f"{self._writer}/{began.isoformat()}",
            number=number,
            is_last=is_last,
            began=began,
            since=known.since or began,
            at=at,
            stories=stories,
            policies=policies,
            locks=locks,
            keys=known.lineage.keys if number == 0 else (),
        )
        return part, max(size, 1)


class _Milestones(Mapping[str, Record]):
    """Records by UID, parsed only when they are read: there may be many, and few are read."""

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


def _line(record: Record) -> bytes:
    """Return a record's line in memory of its exact size: the encoder's bytes keep a buffer of 4 KiB alive."""
    return bytes(memoryview(record.line()))


def _parse(line: bytes) -> Record:
    return Record.parse(orjson.loads(line))


@functools.lru_cache(maxsize=64)  # for as many turns as are under way: each looks several times
def _parse_once(line: bytes) -> Record:
    return _parse(line)

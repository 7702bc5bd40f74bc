"""What the operator remembers from its log besides receipts: open stories and policies, and recent refusals."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime, timedelta

from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, RecordRefused, Story, record_id
from curfew.audit.segment import Head
from curfew.audit.stories import AFTER_CLOSED
from curfew.core.enforcement_records import LOST, RESTORED
from curfew.core.facts import RecordedEnd
from curfew.core.refused_or_withdrawn import RefusedOrWithdrawn
from curfew.core.seals import Seals, statement
from curfew.core.unrecorded import INTENDED
from curfew.processes.operator.open_stories import CLOSED, Carrier, OpenStories
from curfew.trail import Appender
from curfew.trail.keys import Keys
from curfew.trail.memory import REMEMBERED, Memory

GATHER_SECONDS = 0.025
"""How long a segment waits for more records while many turns are about to make some."""

MOST_ENDS = 8192
"""How many ends of stories are known in full: those of a burst, whose statuses did not show them when a process died."""

SKEW = timedelta(hours=1)
"""How much the API server's clock may differ from the log's clock when a request's age is compared with the log."""


class Recall(Memory):
    """A memory that knows the records of an open story for as long as the story is open."""

    def __init__(self, log: str, writer: str, window: timedelta = REMEMBERED) -> None:
        """Start empty. `writer` names this process in the sets that the log carries forward."""
        super().__init__(log, window)
        self._carrier = Carrier(log, writer)
        self.open = OpenStories(self.lineage)
        self.refused_or_withdrawn = RefusedOrWithdrawn()
        self._ends: OrderedDict[str, RecordedEnd] = OrderedDict()
        self.last_of_guards: Record | None = None
        """The last record about whether our admission policies are in force."""

    def learn(self, records: Sequence[Record], after: Head, *, own: bool) -> None:
        """Learn a segment: its records, and the state after it."""
        super().learn(records, after, own=own)
        if self.open.since is None and after.at is not None:
            self.open.begin(after.at, is_first=after.seq == 0)
        for index, record in enumerate(records, after.range.size - len(records)):
            self.open.learn(record, index)
            self.refused_or_withdrawn.learn(record)
            if record.event == CLOSED:
                self._learn_end(record)
            if record.event in (LOST, RESTORED):
                self.last_of_guards = record
            if record.event == INTENDED:
                self.open.announced(record, self.receipt_at(index))

    def _learn_end(self, record: Record) -> None:
        try:
            told = Story.of(record)
        except RecordRefused:
            return
        phase = record.block.get("detail", {}).get("phase")
        if isinstance(phase, str) and told.ended_at is not None and told.end_reason is not None:
            self._ends[record.subject] = RecordedEnd(phase, told.end_reason, told.ended_at)
        if len(self._ends) > MOST_ENDS:
            self._ends.popitem(last=False)

    # --- what the log carries forward -------------------------------------------------------------------------------

    @property
    def is_complete(self) -> bool:
        """Whether a complete set of the open stories was learnt, or the whole log from its first record."""
        return self.open.is_complete

    @property
    def is_carrying(self) -> bool:
        """Whether a set was begun and is not complete."""
        return self._carrier.is_under_way

    def carry(self, at: datetime) -> Sequence[Record]:
        """Return the next parts of a set, or nothing while none is due."""
        return self._carrier.parts(self.open, at)

    def abandon(self) -> None:
        """Give up a set: another writer's segment came first."""
        self._carrier.abandon()

    # --- what others ask --------------------------------------------------------------------------------------------

    def receipt(self, id_: str) -> Receipt | None:
        """Return the receipt of a durable record, or None if the record is not known to be durable.

        A record of an open story is known while the story is open. So is its receipt, if the record announces the grant.
        """
        found = super().receipt(id_) or self.open.receipt(id_)
        if found is None and (index := self.open.index(id_)) is not None:
            return self.receipt_at(index)
        return found

    def is_settled(self, record: Record, on_the_way: Container[str] = ()) -> bool:
        """Whether there is no need to write a record: the log holds it, or its story is closed without it, or is being closed.

        A process may have handed the record over before it learnt that another process had closed the story, or may find
        another end in a status while it closes the story itself (promise P10).
        """
        if super().is_settled(record):
            return True
        closing = record_id(record.subject, CLOSED)
        is_closed = closing in on_the_way or self.receipt(closing) is not None
        return is_closed and record.event not in AFTER_CLOSED and record.id != closing

    def recorded_end(self, uid: str) -> RecordedEnd | None:
        """Return how the story of a request ended, or None if it is not known."""
        return self._ends.get(uid)

    def is_told(self, record: Record) -> bool:
        """Whether the log holds a record that is to be written once, as far as can be known.

        A record old enough to be forgotten counts as written, unless its story is open and all its records are known.
        A record that was not written keeps waiting, and nothing is forgotten during a time without a segment. A record that
        a closed story takes no more waits for nothing.
        """
        before = self.forgotten_before
        is_forgettable = before is not None and record.at < before + SKEW and not self.open.knows_all(record.subject)
        return is_forgettable or self.is_settled(record)

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log shows the story of a request created at `created`, by the API server's clock, as closed.

        A request that nothing is remembered about is over if it is old enough that its end would be forgotten, but not so
        old that an open story from that time may be unknown.
        """
        if uid in self.open:
            return False
        if self.receipt(record_id(uid, CLOSED)) is not None:
            return True
        since, before = self.open.since, self.forgotten_before
        return since is not None and before is not None and since + SKEW <= created <= before + SKEW


class Trail(Appender[Recall]):
    """The operator's log: an appender, and what is remembered from the log. Nothing is remembered until it is open."""

    _seals: Seals | None = None
    _is_crowded: Callable[[], bool] = staticmethod(lambda: False)

    def gather_if(self, is_crowded: Callable[[], bool]) -> None:
        """From now on, gather records before each segment if `is_crowded` returns True: many turns are about to make some."""
        self._is_crowded = is_crowded

    async def gather(self) -> None:
        """Let the records of many turns come together: a segment costs as much as several of their calls."""
        if self._is_crowded():
            await asyncio.sleep(GATHER_SECONDS)

    async def prepare(self, keys: Keys) -> None:
        """Make the seals: the records in a status can be read before the log is read."""
        self._seals = self._seals or Seals(*await keys.signatures(statement))

    @property
    def seals(self) -> Seals | None:
        """The seals for the records in a status, or None until the log's key has signed for them."""
        return self._seals

    def is_told(self, record: Record) -> bool:
        """Whether the log holds a record that is to be written once. A record old enough to be forgotten counts as written."""
        return self.memory.is_told(record)

    def intent(self, uid: str) -> Record | None:
        """Return the durable announcement of the grant to a request whose story is open, however old it is.

        None while the trail is not open. Also None if it holds no announcement: then no binding for that request is a grant.
        """
        return self.memory.open.intent(uid)

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log shows the story of a request created at `created` as closed; False while the trail is not open."""
        return self.memory.is_over(uid, created)

    def recorded_end(self, uid: str) -> RecordedEnd | None:
        """Return how the log shows the story of a request as ended, or None. Only the last few thousand ends are known."""
        return self.memory.recorded_end(uid)

    def open_stories(self) -> Mapping[str, Record]:
        """Return, by UID, the last milestone of each request that is accepted and not closed in the log, as of now."""
        return self.memory.open.stories()

    def open_policies(self) -> Mapping[str, Record]:
        """Return, by UID, the last record of each policy that the log does not show as deleted, as of now."""
        return self.memory.open.policies()

    def open_locks(self) -> Mapping[str, Record]:
        """Return, by UID, the last record of each lock that the log does not show as lifted, as of now."""
        return self.memory.open.locks()

    def last_of_guards(self) -> Record | None:
        """Return the last record about whether our admission policies are in force, as far as is remembered."""
        return self.memory.last_of_guards

    @property
    def refused_or_withdrawn(self) -> RefusedOrWithdrawn:
        """The refusals and withdrawals in the log from this hour and the hour before."""
        return self.memory.refused_or_withdrawn

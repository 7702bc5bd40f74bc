"""The writer: whatever is handed over while a segment is on its way becomes the next one.

A segment is tried with the same bytes, under the same name, until it is known what became of it. Its name is the only one
that it can have, and a store gives a name once; so whoever dies, whoever comes late and however often an answer is lost,
each record is in the log once.
"""

import asyncio
import functools
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from curfew.audit.canonical import NotCanonical
from curfew.audit.carried import STORIES_OPEN
from curfew.audit.checkpoint import Signer, SigningFailed
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.rotation import successor
from curfew.audit.segment import MAX_BYTES, MAX_RECORDS, ChainBroken, Head, Segment, follow, seal
from curfew.core.lately import Lately
from curfew.core.seals import Seals
from curfew.ports import Clock, ObjectExists, ObjectMissing, ObjectStore, StoreError, StoreUnavailable
from curfew.storage.people import People
from curfew.storage.time_limits import PunctualStore
from curfew.trail import records
from curfew.trail.attestor import AttestationObserver, Attestor
from curfew.trail.health import Health, HealthKeeper, Outage, TrailReason, TrailTrouble
from curfew.trail.keys import Keys, KeyUnknown
from curfew.trail.memory import Memory
from curfew.trail.open_stories import Carrier
from curfew.trail.recovery import Recovered, records_of, recover
from curfew.trail.retention import Retention
from curfew.trail.samples import Samples

R = TypeVar("R")

MOST_RECORDS = MAX_RECORDS
MOST_BYTES = 1024 * 1024
"""How much one segment holds, before compression; one record is taken however large it is."""

LARGEST_RECORD = MAX_BYTES // 2
"""The largest line of a record in bytes: a segment has to hold it with pseudonyms for names, and the seal besides."""

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
LASTING_PAUSE = 30.0
"""Seconds between two tries: at first, at most, and where the trouble does not pass by itself."""


class TrailObserver(AttestationObserver, Protocol):
    """Who is told. The calls come from the event loop and must not block."""

    def durable(self, records: Sequence[Record]) -> None:
        """These records have become durable, or were found to be."""
        ...

    def health_changed(self, health: Health) -> None:
        """Records become durable now, or do not, or for another reason."""
        ...

    def committed(self, seconds: float, records: int, size: int) -> None:
        """A segment of so many records and stored bytes is durable, so long after its oldest record was handed over."""
        ...

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """A segment of our own is durable: the index of its first record, its records as lines of the log, and its bytes."""
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record on its way, and its bytes."""

    record: Record
    line: bytes
    since: float = field(default_factory=lambda: asyncio.get_running_loop().time())  # when it was handed over


class _SlotTaken(Exception):
    """The only name that the next segment can have is taken by what cannot be gone on from.

    `stored` is what stands there, if it is no segment, so that the place can be left to it.
    """

    def __init__(self, name: str, why: str, stored: bytes | None = None) -> None:
        super().__init__(f"The object {name} stands where the next segment belongs, and {why}.")
        self.stored = stored


@dataclass(frozen=True, slots=True)
class _Void:
    """A place in the log that is left to what stands there: the next segment commits to it, and goes on after it."""

    stored: bytes


class Trail:
    """The log of one operator process: it remembers, it takes records, and it makes them durable, in order."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        signer: Signer,
        log: str,
        writer: str,
        *,
        observer: TrailObserver,
        previous: Signer | None = None,
        heartbeat: timedelta = timedelta(seconds=60),
        window: timedelta = timedelta(hours=25),
        worm_required: bool = True,
        attest_every: timedelta = timedelta(minutes=15),
        people: People | None = None,
        keep_for: timedelta | None = None,
        call_timeout: timedelta = timedelta(seconds=12),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """Nothing is read or written before `open`.

        `signer` is the key to be used from now on, `previous` the one before it: where the log is still signed with that,
        it is handed over. `writer` names this process in each segment; `heartbeat` is how long the log may be silent
        before an empty segment proves life; `window` is how much is read of a log that carries no stories forward yet; with
        `worm_required` the store has to be proved write-once for the trail to be healthy, which is asked for every
        `attest_every`. With `people`, the log holds pseudonyms instead of names; here and in the memory are the names.
        With `keep_for`, the log states once a day that what is older may be removed.
        `call_timeout` is longer than the store's own, which can say more about what did not answer.
        """
        self._store = PunctualStore(store, call_timeout)
        self._clock = clock
        self._keys = Keys(signer, previous, patience=call_timeout)
        self._log = log
        self._writer = writer
        self._observer = observer
        self._heartbeat = heartbeat.total_seconds()
        self._window = window
        self._people = people
        self._jitter = jitter
        self._keeper = HealthKeeper(clock, observer.health_changed, worm_required=worm_required)
        self._attestor = Attestor(
            self._store,
            clock,
            self._keeper,
            observer,
            self.submit,
            log=log,
            writer=writer,
            every=attest_every,
            worm_required=worm_required,
        )
        self._retention = (
            Retention(
                self._store,
                clock,
                self.submit,
                log=log,
                writer=writer,
                keep_for=keep_for,
                verifiers=self._keys.verifiers,
                known=lambda: self._memory.open,
            )
            if keep_for is not None
            else None
        )
        self._head: Head | None = None
        self._seals: Seals | None = None
        self._memory = Memory(log)
        self._carrier = Carrier(log, writer)
        self._queue: dict[str, _Entry] = {}
        self._in_flight: dict[str, _Entry] = {}
        self._samples = Samples(window, jitter)
        self._is_begun = asyncio.Event()  # there is one
        self._work = asyncio.Event()
        self._is_closing = False
        self._ended: asyncio.Event | None = None

    # --- what others ask -------------------------------------------------------------------------------------------------

    @property
    def health(self) -> Health:
        """Whether records become durable now, and if not, why."""
        return self._keeper.health

    @property
    def seals(self) -> Seals | None:
        """What seals the records in a status, or None until the log's key was asked for it."""
        return self._seals

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over; those that are durable or on their way are ignored. Never waits.

        Raise `NotCanonical` for one that cannot be written, or is too large to be read back.
        """
        for record in records:
            if record.id in self._queue or record.id in self._in_flight or self.receipt(record.id) is not None:
                continue
            line = record.line()
            if len(line) > LARGEST_RECORD:
                raise NotCanonical(
                    f"is larger than a record can be: {len(line):,} bytes, and {LARGEST_RECORD:,} at most"
                )
            self._queue[record.id] = _Entry(record, line)
        if self._queue:
            self._work.set()

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None where it is not known to be durable."""
        return self._memory.receipt(record_id)

    def is_told(self, record: Record) -> bool:
        """Whether the log holds a record that was to be told once: what it would have forgotten counts as told."""
        return self._memory.is_told(record)

    def is_own(self, record_id: str) -> bool:
        """Whether this process appended the record; not so for what was found at the start or came from another writer."""
        return self._memory.is_own(record_id)

    def intent(self, uid: str) -> Record | None:
        """Return the durable announcement of the grant to a request whose story is open, however old it is.

        None while the trail is not open, and where it holds none: then no binding for that request is a grant.
        """
        return self._memory.open.intent(uid)

    def is_over(self, uid: str, created: datetime) -> bool:
        """Whether the log holds the story of a request closed that was created then; False while the trail is not open."""
        return self._memory.is_over(uid, created)

    def open_stories(self) -> Mapping[str, Record]:
        """Return, by UID, the last milestone of each request that the log holds accepted and not closed, as of now."""
        return self._memory.open.stories()

    def open_policies(self) -> Mapping[str, Record]:
        """Return, by UID, the last record of each policy that the log does not hold deleted, as of now."""
        return self._memory.open.policies()

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since then is known; False while the trail is not open."""
        return self.health.is_open and self._memory.remembers(since)

    @property
    def lately(self) -> Lately:
        """What the log says of refusals and withdrawals in this hour and the one before it."""
        return self._memory.lately

    # --- life ------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Read the log back. Tried until it succeeds; the health says meanwhile what is wrong."""
        pauses = self._pauses()
        while True:
            try:
                self._seals = self._seals or await self._keys.seals()
                known = await self._people.by_pseudonym() if self._people is not None else {}
                recovered = await recover(
                    self._store, self._log, self._keys.verifiers, self._window, self._clock.now(), known, self._jitter
                )
                self._keys.use(recovered.verifier)
            except StoreError as error:
                trouble = TrailTrouble(TrailReason.STORE_UNAVAILABLE, str(error))
            except SigningFailed as error:
                trouble = TrailTrouble(TrailReason.SIGNING_FAILED, str(error))
            except KeyUnknown as error:
                trouble = TrailTrouble(TrailReason.KEY_UNKNOWN, str(error), lasts=True)
            except ChainBroken as error:
                trouble = TrailTrouble(
                    TrailReason.CHAIN_BROKEN, f"The log at {self._store.url} is not whole: {error}.", lasts=True
                )
            else:
                break
            self._keeper.failed(trouble)
            await asyncio.sleep(LASTING_PAUSE if trouble.lasts else next(pauses))
        self._take_over(recovered)

    async def run(self) -> None:
        """Write, until `close` is called or the task is cancelled; open first where that was not done."""
        if self._head is None:
            await self.open()
        self._ended = asyncio.Event()
        try:
            await _first_of(self._write_until_closed(), self._attest_once_begun(), self._state_once_begun())
        except Exception as error:
            self._keeper.stopped(f"The writer ended: {error}")
            raise
        finally:
            self._keeper.rest()
            self._keys.close()
            self._ended.set()

    async def close(self, within: timedelta = timedelta(seconds=5)) -> None:
        """Write what is queued, if that takes no longer than `within`, and let `run` end."""
        self._is_closing = True
        self._work.set()
        if self._ended is not None:
            # What is left after that stands in the outboxes of the requests, and is handed over again.
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._ended.wait()

    def _take_over(self, recovered: Recovered) -> None:
        """Go on from what was read back."""
        self._head, self._memory, self._samples = recovered.head, recovered.memory, recovered.samples
        known = self._drop_known()
        outage = self._keeper.opened()
        if outage is not None:
            self._tell_of(outage)
        if recovered.samples.newest is None:
            # The key that signs the log stands in its first line.
            self._put_first(records.opened(self._log, at=self._clock.now(), verifier_key=str(self._keys.verifier)))
        else:
            self._is_begun.set()
        if known:
            self._observer.durable(known)

    async def _attest_once_begun(self) -> None:
        await self._is_begun.wait()
        await self._attestor.run(self._samples)

    async def _state_once_begun(self) -> None:
        await self._is_begun.wait()
        if self._retention is None:
            await asyncio.Event().wait()  # for ever: nothing is ever to be removed
        else:
            await self._retention.run()

    # --- writing ---------------------------------------------------------------------------------------------------------

    async def _write_until_closed(self) -> None:
        loop = asyncio.get_running_loop()
        written_at = loop.time()
        while True:
            await self._wait_for_work(until=written_at + self._heartbeat)
            if self._is_closing and not self._queue:
                return
            try:
                if self._keys.is_old:
                    await self._hand_over()
                else:
                    await self._commit(self._next_batch())
            except KeyUnknown as error:
                # Ending the process would end what ends access; so nothing is written, and that is said.
                self._keeper.failed(TrailTrouble(TrailReason.KEY_UNKNOWN, str(error), lasts=True))
                await self._until_closing()
                return
            written_at = loop.time()

    async def _until_closing(self) -> None:
        while not self._is_closing:
            self._work.clear()
            await self._work.wait()

    async def _wait_for_work(self, until: float) -> None:
        """Return when there is something to write, or when it is time for a sign of life."""
        if self._queue or self._is_closing or self._keys.is_old or self._carrier.is_under_way:
            return
        self._work.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._work.wait()

    async def _hand_over(self) -> None:
        """Write the last segment of the old key: it holds nothing but the rotation, which both keys have signed.

        Where another writer was faster nothing was written, and what that one wrote says which key signs now.
        """
        told = await self._signed(lambda: self._keys.rotation(self._log, at=self._clock.now()))
        if await self._commit({told.id: _Entry(told, told.line())}):
            self._keys.handed_over()
        self._queue.pop(told.id, None)

    async def _commit(self, batch: dict[str, _Entry]) -> bool:
        """Write these records as one segment; where there are none, write that. False: it is another writer's segment."""
        if self._head is None:
            raise RuntimeError("the trail is written before it was opened")
        self._in_flight = batch
        lines = await self._lines_to_store()
        loop = asyncio.get_running_loop()
        since = min((entry.since for entry in batch.values()), default=loop.time())
        head, is_void = self._head, False
        while True:
            name = head.next_name()
            body, after = await self._signed(functools.partial(self._seal, head, lines))
            match await self._put(head, body, may_void=not is_void):
                case None:
                    self._advance(name, after, list(batch.values()), own=True)
                    self._observer.committed(loop.time() - since, len(lines), len(body))
                    self._observer.appended(head.range.size, lines, body)
                    return True
                case segment, after:
                    self._advance(name, after, await self._entries_of(segment), own=False)
                    told = records.writer_changed(self._log, segment, at=self._clock.now(), writer=self._writer)
                    self.submit([told])
                    self._keys.use(successor(segment, self._keys.verifier))
                    return False
                case _Void() as void:
                    head, is_void = head.voided(void.stored), True

    async def _seal(self, head: Head, lines: Sequence[bytes]) -> tuple[bytes, Head]:
        at = self._clock.now()
        return await self._keys.sign(lambda signer: seal(head, lines, at=at, writer=self._writer, signer=signer))

    async def _signed(self, sign: Callable[[], Awaitable[R]]) -> R:
        """Have something signed, which may be done by somebody who does not answer."""
        return await self._insist(sign, TrailReason.SIGNING_FAILED, "The signing key")

    def _next_batch(self) -> dict[str, _Entry]:
        # What is carried forward comes first: it was true before the records that follow.
        carried = self._carrier.parts(self._memory.open, self._clock.now())
        batch = {record.id: _Entry(record, record.line()) for record in carried}
        size = sum(len(entry.line) for entry in batch.values())
        waiting: list[str] = []
        for id_, entry in itertools.islice(self._queue.items(), MOST_RECORDS - len(batch)):
            size += len(entry.line)
            if batch and size > MOST_BYTES:
                break
            batch[id_] = entry
            waiting.append(id_)
        for id_ in waiting:
            del self._queue[id_]
        return batch

    async def _lines_to_store(self) -> list[bytes]:
        """Return the lines of what is on its way: with pseudonyms where the log is to have them (promise P12)."""
        people, entries = self._people, self._in_flight.values()
        if people is None:
            return [entry.line for entry in entries]
        hidden = await self._insist(lambda: people.hide(entry.record for entry in entries))
        return [record.line() for record in hidden]

    async def _entries_of(self, segment: Segment) -> list[_Entry]:
        """Return what another writer has appended, with the names of people."""
        people, told = self._people, records_of(segment)
        if people is None:
            return [_Entry(record, line) for record, line in zip(told, segment.lines, strict=True)]
        return [_Entry(record, record.line()) for record in await self._insist(lambda: people.reveal(told))]

    async def _insist(
        self,
        call: Callable[[], Awaitable[R]],
        reason: TrailReason = TrailReason.STORE_UNAVAILABLE,
        who: str = "The store",
    ) -> R:
        """Call until it succeeds; the health says meanwhile why nothing can be written, and who does not answer."""
        pauses = self._pauses()
        while True:
            self._keeper.trying(reason, who)
            try:
                return await call()
            except (StoreError, SigningFailed) as error:
                self._keeper.failed(TrailTrouble(reason, str(error)))
            await asyncio.sleep(next(pauses))

    async def _put(self, head: Head, body: bytes, *, may_void: bool) -> tuple[Segment, Head] | _Void | None:
        """Return None when these bytes are the next segment, another writer's segment that is, or what is in its way."""
        pauses = self._pauses()
        while True:
            self._keeper.trying()
            try:
                return await self._try(head, body)
            except _SlotTaken as taken:
                trouble = TrailTrouble(TrailReason.SLOT_TAKEN, str(taken), lasts=True)
                if may_void and taken.stored is not None:
                    self._keeper.failed(trouble)
                    return _Void(taken.stored)
            except StoreError as error:
                trouble = TrailTrouble(TrailReason.STORE_UNAVAILABLE, str(error))
            self._keeper.failed(trouble)
            await asyncio.sleep(LASTING_PAUSE if trouble.lasts else next(pauses))

    async def _try(self, head: Head, body: bytes) -> tuple[Segment, Head] | None:
        name = head.next_name()
        try:
            await self._store.create(name, body)
        except ObjectExists:
            pass
        else:
            return None
        try:
            stored = await self._store.get(name)
            if stored == body:
                return None  # an earlier try of ours had arrived
            segment, after = follow(head, name, stored, self._keys.verifier)
        except ObjectMissing as error:
            raise _SlotTaken(name, "cannot be read; it may have been deleted") from error
        except ChainBroken as error:
            # The next name would be made of these bytes for ever, so they are not taken from one reading.
            if await self._store.get(name) != stored:
                raise StoreUnavailable(f"{name} was read twice and was not the same.") from error
            raise _SlotTaken(name, error.why, stored) from error
        try:
            records_of(segment)
            successor(segment, self._keys.verifier)
        except ChainBroken as error:
            raise _SlotTaken(name, error.why) from error
        return segment, after

    def _advance(self, name: str, after: Head, entries: Sequence[_Entry], *, own: bool) -> None:
        """Take a segment for the last one, ours or another's."""
        told = [entry.record for entry in entries]
        self._head = after
        self._samples.learn(name, after)
        self._memory.learn(told, after, own=own)
        if not own:
            # What was on its way and is not in there goes first into the next one; what it carried is made anew.
            self._carrier.abandon()
            lost = {id_: entry for id_, entry in self._in_flight.items() if entry.record.event != STORIES_OPEN}
            self._queue = {**lost, **self._queue}
            self._drop_known()
        self._in_flight = {}
        self._is_begun.set()
        outage = self._keeper.succeeded()
        if outage is not None:
            self._tell_of(outage)
        if told:
            self._observer.durable(told)

    def _drop_known(self) -> list[Record]:
        """Take what is durable out of the queue, and return it."""
        known = [entry.record for id_, entry in self._queue.items() if self.receipt(id_) is not None]
        for record in known:
            del self._queue[record.id]
        return known

    def _tell_of(self, outage: Outage) -> None:
        self._put_first(*records.outage(self._log, outage, writer=self._writer))

    def _put_first(self, *told: Record) -> None:
        self._queue = {**{record.id: _Entry(record, record.line()) for record in told}, **self._queue}
        self._work.set()

    def _pauses(self) -> Iterator[float]:
        """Yield how long to wait before each further try: twice as long each time, and not all at the same moment."""
        pause = FIRST_PAUSE
        while True:
            yield pause * (0.5 + self._jitter() / 2)
            pause = min(2 * pause, LONGEST_PAUSE)


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Return when one of them does, or raise what it raises; the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

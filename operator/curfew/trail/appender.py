"""Appends to a log: records that are handed over while a segment is being written become the next segment.

Each record is in the log once, even if processes die or answers are lost: `placing` keeps one segment at each place, and a
record that is known to be durable is not written again.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from curfew.audit.checkpoint import Signer
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record
from curfew.audit.rotation import successor
from curfew.audit.segment import Head, Segment, seal
from curfew.core.trail_state import Outage, TrailReason, TrailTrouble
from curfew.ports import Clock, ObjectStore
from curfew.storage.people import People
from curfew.storage.time_limits import PunctualStore
from curfew.trail import records
from curfew.trail.attestor import Attestor
from curfew.trail.health import Health, HealthKeeper
from curfew.trail.keys import Keys, KeyUnknown
from curfew.trail.memory import Memory
from curfew.trail.observing import TrailObserver
from curfew.trail.opening import Opening
from curfew.trail.placing import Placer, Void
from curfew.trail.queue import Entry, RecordQueue
from curfew.trail.recovery import Recovered, records_of
from curfew.trail.retention import Retention
from curfew.trail.samples import Samples

M = TypeVar("M", bound=Memory)
R = TypeVar("R")


class Appender(Generic[M]):
    """The log of one process: takes records, makes them durable in order, and remembers what the log holds."""

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock,
        signer: Signer,
        log: str,
        writer: str,
        *,
        observer: TrailObserver,
        remember: Callable[[], M],
        previous: Signer | None = None,
        heartbeat: timedelta = timedelta(seconds=60),
        window: timedelta = timedelta(hours=25),
        worm_required: bool = True,
        attest_every: timedelta = timedelta(minutes=15),
        people: People | None = None,
        keep_for: timedelta | None = None,
        call_timeout: timedelta = timedelta(seconds=12),
        jitter: Callable[[], float] = random.random,
        leads: Callable[[], bool] | None = None,
    ) -> None:
        """Nothing is read or written before `open`.

        `signer` is the key to be used from now on, `previous` the key before it: if the log is still signed with `previous`,
        it is handed over to `signer`. `writer` names this process in each segment. `remember` returns an empty memory: a
        start may need more than one. `heartbeat` is how long the log may be silent before an empty segment proves life.
        `window` is how much of a log is read if the memory of its last 25 hours is not complete. With `worm_required`, the
        trail is healthy only if the store is proved write-once, which is checked every `attest_every`. With `people`, the
        log holds pseudonyms instead of names; the names are only here and in the memory. With `keep_for`, the log states
        once a day that older records may be removed.
        `call_timeout` is longer than the store's own timeout, because the store can report more about what did not answer.
        `leads` is asked immediately before each segment is put into the store, if other processes may write the same log.
        Then this process stands by until `begin`.
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
        self._remember = remember
        self._is_elected = leads is not None
        self._keeper = HealthKeeper(
            clock, observer.health_changed, worm_required=worm_required, is_standing_by=self._is_elected
        )
        self._placer = Placer(self._store, self._keys, self._keeper, jitter, leads or (lambda: True))
        self._opening = Opening(
            self._store,
            clock,
            self._keys,
            log=log,
            window=window,
            remember=remember,
            people=people,
            prepare=lambda: self.prepare(self._keys),
            jitter=jitter,
        )
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
                known=lambda: self._memory.lineage,
            )
            if keep_for is not None
            else None
        )
        self._head: Head | None = None
        self._memory = remember()
        self._queue = RecordQueue()
        self._samples = Samples(window, jitter)
        self._is_begun = asyncio.Event()  # the log has begun
        self._work = asyncio.Event()
        self._is_closing = False
        self._ended: asyncio.Event | None = None

    # --- what others ask -------------------------------------------------------------------------------------------------

    @property
    def health(self) -> Health:
        """Whether records become durable now, and if not, why."""
        return self._keeper.health

    @property
    def memory(self) -> M:
        """What is remembered from the log: nothing until the log is open."""
        return self._memory

    def submit(self, records: Iterable[Record]) -> None:
        """Hand records over. Records that are settled in the log or on their way are ignored. Never waits.

        Raise `NotCanonical` for a record that cannot be written, or is too large to be read back.
        """
        self._queue.add(records, lambda record: self._memory.is_settled(record, self._queue))
        if self._queue:
            self._work.set()

    def receipt(self, record_id: str) -> Receipt | None:
        """Return the receipt of a durable record, or None if the record is not known to be durable."""
        return self._memory.receipt(record_id)

    def is_own(self, record_id: str) -> bool:
        """Whether this process appended the record: False if it was found at the start or came from another writer."""
        return self._memory.is_own(record_id)

    def remembers(self, since: datetime) -> bool:
        """Whether each record that was written since `since` is known; False while the trail is not open."""
        return self.health.is_open and self._memory.remembers(since)

    # --- life ------------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Prepare, and read the log back. This is tried until it succeeds; until then, the health shows what is wrong."""
        self._take_over(await self._opening.open(self._keeper, self._placer.pauses()))

    async def prepare(self, keys: Keys) -> None:
        """Do what must be done before the log is read: nothing in this class. May raise `SigningFailed` and `KeyUnknown`."""

    async def keep_up(self) -> None:
        """While another process writes the log: read what it writes, until cancelled. Then `open` takes little time."""
        await self._opening.keep_up()

    @property
    def unread(self) -> str | None:
        """Why this process, while it stands by, could not take over the log now; None if it could."""
        return self._opening.problem

    def begin(self) -> None:
        """Take note that this process is the writer from now on. It has to `open` the log anew."""
        self._keeper.start_over(is_standing_by=False)

    def stand_by(self) -> None:
        """Take note that another process may be the writer from now on. Nothing that was known or handed over is kept."""
        self._head, self._memory, self._queue = None, self._remember(), RecordQueue()
        self._samples = Samples(self._window, self._jitter)
        self._is_begun.clear()
        self._ended = None
        self._attestor.start_over()
        self._opening.forget()
        self._keeper.start_over(is_standing_by=True)

    async def gather(self) -> None:
        """Wait a moment for more records before a segment is written. This class does not wait."""

    async def run(self) -> None:
        """Write, until `close` is called or the task is cancelled. Open first if that was not done."""
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
        """Write what is queued, if that takes no longer than `within`, and let `run` end.

        Records that are left after that must be handed over again by the callers who handed them over.
        """
        self._is_closing = True
        self._work.set()
        if self._ended is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(within.total_seconds()):
                    await self._ended.wait()

    def _take_over(self, recovered: Recovered[M]) -> None:
        """Continue from the log as it was read back."""
        self._head, self._memory, self._samples = recovered.head, recovered.memory, recovered.samples
        settled = self._queue.drop_settled(self._memory.is_settled)
        outage = self._keeper.opened()
        if outage is not None:
            self._tell_of(outage)
        if recovered.samples.newest is None:
            # The log's first line names the key that signs it.
            self._put_first(records.opened(self._log, at=self._clock.now(), verifier_key=str(self._keys.verifier)))
        else:
            self._is_begun.set()
            if self._is_elected and recovered.writer != self._writer:
                # Before anything else: from now on, the names that the writer before this one knows are taken.
                self._put_first(self._leader_changed(recovered))
        if known := [record for record in settled if self._memory.receipt(record.id) is not None]:
            self._observer.durable(known)

    def _leader_changed(self, found: Recovered[M]) -> Record:
        at, me = self._clock.now(), self._writer
        return records.leader_changed(self._log, found.head, at=at, writer=me, before=found.writer)

    async def _attest_once_begun(self) -> None:
        await self._is_begun.wait()
        await self._attestor.run(self._samples)

    async def _state_once_begun(self) -> None:
        await self._is_begun.wait()
        if self._retention is None:
            await asyncio.Event().wait()  # for ever: nothing may ever be removed
        else:
            await self._retention.run()

    # --- writing ---------------------------------------------------------------------------------------------------------

    async def _write_until_closed(self) -> None:
        loop = asyncio.get_running_loop()
        written_at = loop.time()
        while True:
            await self._wait_for_work(until=written_at + self._heartbeat)
            await self.gather()
            if self._is_closing and not self._queue:
                return
            try:
                if self._keys.is_old:
                    await self._hand_over()
                else:
                    await self._commit(self._queue.take(self._memory.carry(self._clock.now())))
            except KeyUnknown as error:
                # Ending the process would also end the tasks that end access. So nothing is written, and that is reported.
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
        if self._queue or self._is_closing or self._keys.is_old or self._memory.is_carrying:
            return
        self._work.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._work.wait()

    async def _hand_over(self) -> None:
        """Write the last segment of the old key: it holds only the rotation, which both keys have signed.

        If another writer was faster, nothing was written, and that writer's segment shows which key signs now.
        """
        told = await self._signed(lambda: self._keys.rotation(self._log, at=self._clock.now()))
        if await self._commit({told.id: Entry(told, told.line())}):
            self._keys.handed_over()
        self._queue.drop(told.id)

    async def _commit(self, batch: dict[str, Entry]) -> bool:
        """Write these records as one segment, which may be empty. False: another writer's segment has the place."""
        if self._head is None:
            raise RuntimeError("the trail is written before it was opened")
        self._queue.in_flight = batch
        lines = await self._lines_to_store()
        loop = asyncio.get_running_loop()
        since = min((entry.since for entry in batch.values()), default=loop.time())
        head, is_void = self._head, False
        while True:
            name = head.next_name()
            body, after = await self._signed(functools.partial(self._seal, head, lines))
            match await self._placer.put(head, body, may_void=not is_void):
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
                case Void() as void:
                    head, is_void = head.voided(void.stored), True

    async def _seal(self, head: Head, lines: Sequence[bytes]) -> tuple[bytes, Head]:
        at = self._clock.now()
        return await self._keys.sign(lambda signer: seal(head, lines, at=at, writer=self._writer, signer=signer))

    async def _signed(self, sign: Callable[[], Awaitable[R]]) -> R:
        """Have something signed. The signer may be a service that does not answer."""
        return await self._placer.insist(sign, TrailReason.SIGNING_FAILED, "The signing key")

    async def _lines_to_store(self) -> list[bytes]:
        """Return the lines of the records on their way, with pseudonyms if the log is to have them (promise P12)."""
        people, entries = self._people, self._queue.in_flight.values()
        if people is None:
            return [entry.line for entry in entries]
        hidden = await self._placer.insist(lambda: people.hide(entry.record for entry in entries))
        return [record.line() for record in hidden]

    async def _entries_of(self, segment: Segment) -> list[Entry]:
        """Return the records that another writer has appended, with the names of people."""
        people, told = self._people, records_of(segment)
        if people is None:
            return [Entry(record, line) for record, line in zip(told, segment.lines, strict=True)]
        return [Entry(record, record.line()) for record in await self._placer.insist(lambda: people.reveal(told))]

    def _advance(self, name: str, after: Head, entries: Sequence[Entry], *, own: bool) -> None:
        """Make a segment the last one of the log, whether it is ours or another writer's."""
        told = [entry.record for entry in entries]
        self._head = after
        self._samples.learn(name, after)
        self._memory.learn(told, after, own=own)
        if not own:
            # Records that were on their way and are not in this segment go first into the next one.
            self._memory.abandon()
            self._queue.give_back()
        self._queue.drop_settled(self._memory.is_settled)
        self._queue.in_flight = {}
        self._is_begun.set()
        outage = self._keeper.succeeded()
        if outage is not None:
            self._tell_of(outage)
        if told:
            self._observer.durable(told)

    def _tell_of(self, outage: Outage) -> None:
        self._put_first(*records.outage(self._log, outage, writer=self._writer))

    def _put_first(self, *told: Record) -> None:
        self._queue.add_first(*told)
        self._work.set()


async def _first_of(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Return when the first coroutine returns, or raise what it raises. The others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

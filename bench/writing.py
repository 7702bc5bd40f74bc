"""What the benches of the writer share: records at hand, a trail, and who notes what it tells and stores."""

import asyncio
import functools
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from bench.logs import BEGIN, signer
from bench.stories import Company
from curfew.adapters.clock import SystemClock
from curfew.audit.record import Record
from curfew.ports import Attestation, Keep, ObjectStore, every
from curfew.processes.operator.recall import Recall, Trail
from curfew.trail import Health
from curfew.trail.samples import Discrepancy

LOG = "bench"
OWN = 2
"""How many records a trail writes of itself when it begins: that the log is opened, and what was proved of the store."""


def some_records(count: int) -> list[Record]:
    """Return records of realistic stories, the steps of several people mixed as they come."""
    company = Company(seed=7)
    stories = itertools.chain.from_iterable(company.story(BEGIN) for _ in itertools.count())
    return [record for _, record in itertools.islice(stories, count)]


@asynccontextmanager
async def writing(store: ObjectStore) -> AsyncIterator[tuple[Trail, "Told"]]:
    """Open a trail over a store that need not be write-once, and run it as long as the block."""
    told = Told()
    trail = a_trail(store, LOG, told)
    await trail.open()
    running = asyncio.create_task(trail.run())
    try:
        await told.wait_until(lambda: "audit.attested" in told.events)  # the last word that it has to say of itself
        yield trail, told
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def a_trail(store: ObjectStore, log: str, told: "Told") -> Trail:
    """Return the trail of an operator over a store that need not be write-once, not opened yet."""
    remember = functools.partial(Recall, log, "bench")
    return Trail(store, SystemClock(), signer(log), log, "bench", observer=told, remember=remember, worm_required=False)


class Told:
    """Notes when each record became durable, by a clock that counts seconds."""

    def __init__(self) -> None:
        """Nothing has been told."""
        self.at: dict[str, float] = {}
        self.events: set[str] = set()
        self._moved = asyncio.Event()

    def attested(self, attestation: Attestation) -> None:
        """Take no notice: the record says it."""

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """Fail: what a bench has stored reads back."""
        raise AssertionError(str(discrepancy))

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """Take no notice: `durable` says it."""

    def durable(self, records: Sequence[Record]) -> None:
        """Note records."""
        now = time.perf_counter()
        self.at.update((record.id, now) for record in records)
        self.events.update(record.event for record in records)
        self._moved.set()

    def health_changed(self, health: Health) -> None:
        """Nobody waits for that."""

    def committed(self, seconds: float, records: int, size: int) -> None:
        """Nor for that."""

    async def wait_until(self, holds: Callable[[], bool]) -> None:
        """Return when something holds that can only change when records become durable."""
        while not holds():
            self._moved.clear()
            await self._moved.wait()


class Noted:
    """An `ObjectStore` that notes what is created in another, and what is read from it."""

    def __init__(self, inner: ObjectStore) -> None:
        """Note from now on."""
        self.inner = inner
        self.objects: dict[str, bytes] = {}
        self.read: dict[str, None] = {}  # names, in order

    @property
    def url(self) -> str:
        """Where the other is."""
        return self.inner.url

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object and note it."""
        await self.inner.create(name, body)
        self.objects[name] = body

    async def get(self, name: str) -> bytes:
        """Return an object and note its name."""
        body = await self.inner.get(name)
        self.read[name] = None
        return body

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return names."""
        return await self.inner.list(prefix, keep=keep, most=most)

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return partitions."""
        return await self.inner.list_partitions(prefix)

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Attest the other."""
        return await self.inner.attest(name, at)

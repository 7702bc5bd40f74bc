"""What tests of the trail stand on: a key, a clock that follows the event loop, records, and a reader of whole logs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.places import in_order
from curfew.audit.record import Record, Story, make_record
from curfew.audit.rotation import successor
from curfew.audit.segment import Head, Segment, follow, origin
from curfew.audit.verify import verify
from curfew.ports import Attestation, ObjectStore
from curfew.processes.operator.recall import Recall, Trail
from curfew.trail import Appender, Health
from curfew.trail.recovery import records_of
from curfew.trail.samples import Discrepancy

LOG = "main"
START = datetime(2026, 11, 24, 12, tzinfo=UTC)
SIGNER = Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_SIGNER = Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes(32)))


class LoopClock:
    """The time of the event loop, as a time of day: under looptime it goes only as far as the test goes."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start

    def now(self) -> datetime:
        """Return the start and what the loop has gone since it began."""
        return self.start + timedelta(seconds=asyncio.get_running_loop().time())

    def monotonic(self) -> float:
        """Return the time of the loop, in seconds."""
        return asyncio.get_running_loop().time()


@dataclass
class Observer:
    """Notes what it is told."""

    told: list[Record] = field(default_factory=list)
    healths: list[Health] = field(default_factory=list)
    commits: list[tuple[float, int, int]] = field(default_factory=list)
    segments: list[tuple[int, tuple[bytes, ...], bytes]] = field(default_factory=list)
    attestations: list[Attestation] = field(default_factory=list)
    discrepancies: list[Discrepancy] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def durable(self, records: Sequence[Record]) -> None:
        """Note records."""
        self.told += records
        self.moved.set()

    def health_changed(self, health: Health) -> None:
        """Note a health."""
        self.healths.append(health)
        self.moved.set()

    def committed(self, seconds: float, records: int, size: int) -> None:
        """Note a commit."""
        self.commits.append((seconds, records, size))
        self.moved.set()

    def appended(self, first: int, lines: Sequence[bytes], stored: bytes) -> None:
        """Note a segment."""
        self.segments.append((first, tuple(lines), stored))
        self.moved.set()

    def attested(self, attestation: Attestation) -> None:
        """Note what was proved."""
        self.attestations.append(attestation)
        self.moved.set()

    def verification_failed(self, discrepancy: Discrepancy) -> None:
        """Note what does not read back."""
        self.discrepancies.append(discrepancy)
        self.moved.set()

    @property
    def reasons(self) -> list[str]:
        """The reasons of the healths, in order."""
        return [health.reason for health in self.healths]


def a_record(number: int = 0, *, at: datetime = START, **changes: Any) -> Record:
    """Return a record of its own for each number."""
    return make_record(
        changes.pop("event", "review.submitted"),
        at=at,
        actor="bob@example.com",
        message=f"bob decided, {number}",
        story=changes.pop("story", a_story()),
        qualifier=str(number),
        **changes,
    )


def records(first: int, last: int) -> list[Record]:
    """Return the records of these numbers, both included."""
    return [a_record(number) for number in range(first, last + 1)]


def a_story(uid: str = "uid-0001") -> Story:
    """Return what a record says of its request."""
    return Story(uid=uid, namespace="payments", request="inc-4711", requester="alice@example.com")


def a_trail(store: ObjectStore, observer: Observer | None = None, **changes: Any) -> Trail:
    """Return a trail over a store, not opened yet."""
    writer = changes.pop("writer", "curfew-1")
    return Trail(
        store,
        changes.pop("clock", None) or LoopClock(),
        changes.pop("signer", SIGNER),
        LOG,
        writer,
        observer=observer or Observer(),
        remember=partial(Recall, LOG, writer),
        jitter=changes.pop("jitter", lambda: 1.0),
        **changes,
    )


@asynccontextmanager
async def running(trail: Appender[Any]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a trail as long as the block."""
    task = asyncio.create_task(trail.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(observer: Observer, holds: Callable[[], bool], within: float = 600) -> None:
    """Return when something holds that can only change when the observer is told something."""
    async with asyncio.timeout(within):
        while not holds():
            observer.moved.clear()
            await observer.moved.wait()


async def settle() -> None:
    """Let everything run that can run without time going by."""
    for _ in range(50):
        await asyncio.sleep(0)


def segments(objects: Mapping[str, bytes]) -> list[Segment]:
    """Return the segments of a log that an auditor finds without fault."""
    verifier = SIGNER.verifier
    verified = verify(LOG, [(name, objects[name]) for name in in_order(LOG, objects)], verifier)
    head, found = Head.genesis(LOG), []
    while head != verified.head:
        name = head.next_name()
        if name in verified.voided:
            head = head.voided(objects[name])
        else:
            segment, head = follow(head, name, objects[name], verifier)
            verifier = successor(segment, verifier)
            found.append(segment)
    assert len(found) + len(verified.voided) == len(objects)
    return found


def log_of(objects: Mapping[str, bytes]) -> list[Record]:
    """Return all records of a verified log, in order."""
    return [record for segment in segments(objects) for record in records_of(segment)]


def told_once(objects: Mapping[str, bytes]) -> list[str]:
    """Return the ids of the requests' records in a verified log, after making sure that no id is in there twice."""
    ids = [record.id for record in log_of(objects)]
    assert len(ids) == len(set(ids))
    return [record.id for record in log_of(objects) if not record.event.startswith("audit.")]

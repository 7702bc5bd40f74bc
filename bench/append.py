"""How fast records become durable in a folder, how small they are there, and how long the event loop stands still for it.

The floor is the folder itself: the same objects, sealed before, created one after the other.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.figures import Figure, at_least, at_most
from bench.plan import Plan
from bench.writing import OWN, Noted, some_records, writing
from curfew.adapters.objectstore.folder import FolderStore
from curfew.audit.record import Record
from curfew.trail.queue import MOST_BYTES, MOST_RECORDS

ABOUT = "append to a folder; 20 s"
MOST = 20_000
AT_ONCE = 8
"""How many records are handed over before others get their turn: about as many as a step of the operator makes."""


def measure(plan: Plan) -> Iterator[Figure]:
    """Append records as fast as it goes."""
    records = some_records(min(MOST, plan.records))
    with plan.progress(f"appending {len(records):,} records to a folder"):
        seconds, blocked, objects = asyncio.run(_append(plan.folder / "append", records))
        bare = asyncio.run(_create(plan.folder / "bare", objects))
    lines = sum(len(record.line()) for record in records)
    stored = sum(map(len, objects.values()))
    yield Figure(
        "append",
        "records a second to a folder",
        len(records) / seconds,
        "/s",
        f"creating the same {len(objects)} objects, sealed before: {len(records) / bare:,.0f}/s",
        at_least(10_000),
    )
    yield Figure(
        "append",
        "longest time in which nothing else had its turn",
        blocked * 1000,
        "ms",
        f"a segment has up to {MOST_RECORDS:,} records or {MOST_BYTES / 1e6:.0f} MB",
    )
    yield Figure(
        "append",
        "bytes stored per record",
        stored / len(records),
        "B",
        f"a record's line has {lines / len(records):,.0f} bytes",
        at_most(250),
    )


async def _append(folder: Path, records: list[Record]) -> tuple[float, float, dict[str, bytes]]:
    """Return how long it took, how long the loop stood still at most, and what was stored."""
    store = Noted(FolderStore(folder))
    async with writing(store) as (trail, told):
        store.objects.clear()
        watching = asyncio.create_task(_longest_wait())
        started = time.perf_counter()
        for number in range(0, len(records), AT_ONCE):
            trail.submit(records[number : number + AT_ONCE])
            await asyncio.sleep(0)
        await told.wait_until(lambda: len(told.at) >= len(records) + OWN)
        seconds = time.perf_counter() - started
        watching.cancel()
        return seconds, await watching, dict(store.objects)


async def _longest_wait() -> float:
    """Return, when cancelled, the longest time in which the loop came to nothing else, in seconds."""
    longest = 0.0
    before = time.perf_counter()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
    return longest


async def _create(folder: Path, objects: dict[str, bytes]) -> float:
    store = FolderStore(folder)
    started = time.perf_counter()
    for name, body in objects.items():
        await store.create(name, body)
    return time.perf_counter() - started

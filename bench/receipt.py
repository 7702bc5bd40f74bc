"""How long it takes from handing a record over to its receipt, on a real S3 server.

The floor is a bare PUT of the same bytes with the same client: whatever else there is, is ours.
"""

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from bench.figures import Figure, at_most
from bench.plan import Plan, milliseconds
from bench.writing import Noted, some_records, writing
from curfew.adapters.objectstore import open_store
from curfew.ports import ObjectStore
from tools.servers.s3 import S3Server

ABOUT = "time to receipt on an S3 server; 45 s"
BUSY = 500
"""Records a second, on a busy day."""

MOST_PUTS = 1000


def measure(plan: Plan) -> Iterator[Figure]:
    """Hand records over one by one, slowly and fast."""
    with S3Server(plan.folder / "s3") as server, _environment(server.env()):
        with plan.progress("handing over one record a second"):
            seldom = asyncio.run(_seldom(_store(server, "seldom"), plan.seconds))
        with plan.progress(f"handing over {BUSY} records a second"):
            busy = asyncio.run(_busy(_store(server, "busy"), plan.seconds / 2))
    yield seldom.figure("at 1 record a second", 1.5)
    yield busy.figure(f"at {BUSY} records a second", 3)
    yield Figure(
        "receipt",
        f"bytes stored per record at {BUSY} a second",
        busy.stored,
        "B",
        f"{busy.together:.1f} records in a segment, as the server was so fast; one alone: {seldom.stored:,.0f} B",
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """Seconds from handing over to the receipt, seconds of bare PUTs, and what was stored."""

    receipts: Sequence[float]
    bare: Sequence[float]
    objects: Mapping[str, bytes]

    @property
    def stored(self) -> float:
        """Bytes for each record."""
        return sum(map(len, self.objects.values())) / len(self.receipts)

    @property
    def together(self) -> float:
        """Records in each segment."""
        return len(self.receipts) / len(self.objects)

    def figure(self, when: str, limit: float) -> Figure:
        ours, theirs = milliseconds(self.receipts), milliseconds(self.bare)
        against = f"median PUT of the same bytes: {theirs:.2f} ms, median time to receipt: {ours:.2f} ms"
        return Figure("receipt", f"time to receipt {when}", ours / theirs, "times", against, at_most(limit))


async def _seldom(inner: ObjectStore, seconds: float) -> _Measured:
    """Hand over a record each second; half a second after each, PUT the same bytes."""
    pause = min(0.5, seconds / 10)
    records = some_records(max(5, round(seconds)))
    receipts, bare = [], []
    store = Noted(inner)
    async with writing(store) as (trail, told):
        store.objects.clear()
        for record in records:
            await asyncio.sleep(pause)
            started = time.perf_counter()
            trail.submit([record])
            await told.wait_until(partial(told.at.__contains__, record.id))
            receipts.append(told.at[record.id] - started)
            await asyncio.sleep(pause)
            bare.append(await _put(inner, next(reversed(store.objects.items()))))
        return _Measured(receipts, bare, store.objects)


async def _busy(inner: ObjectStore, seconds: float) -> _Measured:
    """Hand over records at an even pace; then PUT the same objects, one after the other."""
    records = some_records(max(5, round(seconds * BUSY)))
    store = Noted(inner)
    handed: dict[str, float] = {}
    async with writing(store) as (trail, told):
        store.objects.clear()
        began = time.perf_counter()
        for number, record in enumerate(records):
            await asyncio.sleep(began + number / BUSY - time.perf_counter())
            handed[record.id] = time.perf_counter()
            trail.submit([record])
        await told.wait_until(lambda: handed.keys() <= told.at.keys())
        receipts = [told.at[id_] - at for id_, at in handed.items()]
        objects = list(store.objects.items())[:MOST_PUTS]
        bare = [await _put(inner, one) for one in objects]
        return _Measured(receipts, bare, store.objects)


async def _put(store: ObjectStore, stored: tuple[str, bytes]) -> float:
    name, body = stored
    started = time.perf_counter()
    await store.create(f"bare/{name}", body)
    return time.perf_counter() - started


def _store(server: S3Server, bucket: str) -> ObjectStore:
    return open_store(f"s3://{server.make_bucket(bucket)}/trail")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables within the block: clients of S3 find their server by them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

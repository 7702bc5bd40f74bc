"""How long a leader needs to read back the end of a large log before it can write.

The floor is to read the same objects and to check nothing.
"""

import asyncio
import time
from collections.abc import Iterator

from bench.figures import Figure, at_most
from bench.logs import Made
from bench.plan import Plan
from bench.writing import Noted, Told, a_trail
from curfew.adapters.objectstore.folder import FolderStore
from curfew.trail.ahead import AT_ONCE

ABOUT = "start a leader; 10 s"


def measure(plan: Plan) -> Iterator[Figure]:
    """Open a log of 90 days, the last of which shows a sign of life each minute."""
    log = plan.log()
    with plan.progress(f"starting on a log of {log.records:,} records"):
        yield asyncio.run(_open(log))


async def _open(log: Made) -> Figure:
    store = Noted(FolderStore(log.folder))
    trail = a_trail(store, log.log, Told())
    started = time.perf_counter()
    await trail.open()
    seconds = time.perf_counter() - started
    names = list(store.read)
    started = time.perf_counter()
    for batch in (names[at : at + AT_ONCE] for at in range(0, len(names), AT_ONCE)):
        await asyncio.gather(*(store.inner.get(name) for name in batch))
    bare = time.perf_counter() - started
    return Figure(
        "start",
        f"a leader on {log.records:,} records",
        seconds,
        "s",
        f"reading the same {len(names):,} objects of {log.segments:,}, checking nothing: {bare:.2f} s",
        at_most(5),
    )

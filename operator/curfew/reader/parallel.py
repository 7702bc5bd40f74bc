"""Verifying with all processors: segments are opened in other processes, and come back in order."""

import asyncio
import gc
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import aclosing
from typing import TypeVar

from curfew.audit.checkpoint import Verifier
from curfew.audit.segment_summary import SegmentSummary, summaries
from curfew.reader.errors import CannotRead

R = TypeVar("R")
Batch = Sequence[tuple[str, bytes]]

_BATCH_BYTES = 128 * 1024
_BATCH_OBJECTS = 64
"""How many objects a process gets at once: enough to be worth it, and few enough that others do not wait long."""

_WAITING_BYTES = 16 * 1024 * 1024
"""Most bytes that wait for processes: with many processors, objects of the largest size would fill the memory."""

_SMALL = 512 * 1024  # bytes of a stored log that are verified faster than processes can be started


def processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def with_summaries(
    objects: AsyncGenerator[tuple[str, bytes]], log: str, key: Callable[[], Verifier], processes: int
) -> AsyncGenerator[tuple[str, bytes, SegmentSummary | None]]:
    """Yield objects in their order, each with its summary if a process was free and the object is good.

    `key` returns the key that has to seal the next segment. If the log was handed over in the meantime, some summaries are
    missing; the caller does without, as for an object that is not good.
    """
    return in_parallel(objects, log, key, processes, summaries)


async def in_parallel(
    objects: AsyncGenerator[tuple[str, bytes]],
    log: str,
    key: Callable[[], Verifier],
    processes: int,
    work: Callable[[Batch, Verifier, str], list[R | None]],
) -> AsyncGenerator[tuple[str, bytes, R | None]]:
    """Yield objects in their order, each with the result of `work`, or None if no process was free. `work` gets some
    objects, the key that `key` returns at that time, and the log; other processes have to be able to import it.
    """
    pool: Executor | None = None
    waiting: deque[tuple[Batch, Future[list[R | None]]]] = deque()
    read = 0
    try:
        async with aclosing(_batches(objects)) as batches:
            async for batch in batches:
                read += sum(len(stored) for _, stored in batch)
                if processes == 1 or read <= _SMALL:
                    for name, stored in batch:
                        yield name, stored, None
                    continue
                pool = pool or _started(processes)
                waiting.append((batch, pool.submit(work, batch, key(), log)))
                size = sum(len(stored) for other, _ in waiting for _, stored in other)
                if len(waiting) > 2 * processes or size > _WAITING_BYTES:
                    for one in await _first(waiting):
                        yield one
        while waiting:
            for one in await _first(waiting):
                yield one
    except BrokenExecutor as error:
        raise CannotRead("A process that verifies was killed; there may not be enough memory. Try --jobs 1.") from error
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)  # the current work takes only a moment


async def _first(
    waiting: deque[tuple[Batch, Future[list[R | None]]]],
) -> list[tuple[str, bytes, R | None]]:
    batch, future = waiting.popleft()
    found = await asyncio.wrap_future(future)
    return [(name, stored, summary) for (name, stored), summary in zip(batch, found, strict=True)]


async def _batches(objects: AsyncGenerator[tuple[str, bytes]]) -> AsyncGenerator[Batch]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    async with aclosing(objects):
        async for one in objects:
            batch.append(one)
            size += len(one[1])
            if size >= _BATCH_BYTES or len(batch) == _BATCH_OBJECTS:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _started(processes: int) -> Executor:
    """Return processes that Ctrl-C does not end: their parent handles it, and ends them."""
    # Imported here, because it takes long, and a search with an index needs no processes.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # New processes, not copies of this one, which may have threads of its own.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _begin)
    # A new process inherits what this thread blocks. The page reads in threads, and there no handler can be set.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        for _ in range(processes):
            pool.submit(_begin)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pool


def _begin() -> None:
    """Prepare a process: the objects that it makes have no cycles for the garbage collector to find."""
    gc.disable()

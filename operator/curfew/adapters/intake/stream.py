"""JSON lines from standard input, or from any other stream of bytes."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Final

from curfew.adapters.intake.handing import hand_over
from curfew.adapters.intake.lines import BATCH_BYTES, LineCutter
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchSink, IntakeObserver, IntakeRefusal

_CHUNK: Final = 64 * 1024
_CHUNKS_WAITING: Final = BATCH_BYTES // _CHUNK


@dataclass(slots=True)
class Fed:
    """What a stream has brought."""

    lines: int = 0
    size: int = 0  # in bytes
    too_long: int = 0  # lines that were skipped


async def feed_lines(
    chunks: AsyncIterator[bytes], source: str, form: Form, sink: BatchSink, observer: IntakeObserver
) -> Fed:
    """Hand over the lines of a stream, and return what they were when it ends."""
    fed, cutter = Fed(), LineCutter()

    async def hand(body: bytes) -> None:
        await hand_over(Batch(source, form, body, is_lines=True), sink, observer)
        fed.lines += body.count(b"\n") + (not body.endswith(b"\n"))
        fed.size += len(body)

    async for chunk in chunks:
        for body in cutter.feed(chunk):
            await hand(body)
        while fed.too_long < cutter.too_long:
            fed.too_long += 1
            observer.refused(IntakeRefusal.LINE_TOO_LONG, source)
    for body in cutter.end():
        await hand(body)
    return fed


async def bytes_of(descriptor: int) -> AsyncIterator[bytes]:
    """Yield what can be read from a file descriptor, until its end: as much at a time as is there, up to a batch.

    Raise `OSError` if it cannot be read.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes | OSError] = asyncio.Queue(_CHUNKS_WAITING)

    def read() -> None:
        chunk: bytes | OSError = b"."
        while chunk and not isinstance(chunk, OSError):
            try:
                chunk = os.read(descriptor, _CHUNK)
            except OSError as error:
                chunk = error
            try:
                asyncio.run_coroutine_threadsafe(chunks.put(chunk), loop).result()
            except (CancelledError, RuntimeError):
                return  # nobody listens any more

    # A thread that is not waited for at the end: nothing wakes it while nothing comes.
    threading.Thread(target=read, name="reading", daemon=True).start()
    while True:
        together = [await chunks.get()]
        while not chunks.empty() and together[-1]:
            together.append(chunks.get_nowait())
        error = together[-1] if isinstance(together[-1], OSError) else None
        if body := b"".join(chunk for chunk in together if isinstance(chunk, bytes)):
            yield body
        if error is not None:
            raise error
        if not together[-1]:
            return

"""A road to etcd on which watches can be held up while everything else goes on: an API server then lives in the past.

It reads the frames of HTTP/2 as they go by. A stream on which the client has more to say is a watch; all other calls of an API
server are whole before they are answered. What a watch is told is kept back, and comes later, in order.
"""

import asyncio
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from types import TracebackType
from typing import Any, Final, Self

from tools.servers.ports import LOOPBACK

PREFACE: Final = 24
"""Bytes with which a client begins."""

FRAME_HEAD: Final = 9
DATA: Final = 0
HEADERS: Final = 1
END_STREAM: Final = 1


class Connection:
    """What etcd says on one connection, and what of it is kept back."""

    def __init__(self, writer: StreamWriter) -> None:
        """Take where it goes."""
        self.watches: set[int] = set()
        self._writer = writer
        self._kept: list[bytes] = []

    def flow(self) -> None:
        """Send what was kept back."""
        self._writer.writelines(self._kept)
        self._kept.clear()

    async def lead(self, reader: StreamReader, is_stalled: Callable[[], bool]) -> None:
        """Lead what etcd says; what it says to watches is kept back while they are stalled."""
        while True:
            kind, _, stream, frame = await _frame(reader)
            if kind == DATA and stream in self.watches and is_stalled():
                self._kept.append(frame)
            else:
                self._writer.write(frame)
                await self._writer.drain()


class Stalling:
    """Listens on a port of its own, in a thread of its own, and leads to etcd."""

    def __init__(self, port: int, etcd: int) -> None:
        """Take where to listen, and etcd's port."""
        self._port, self._etcd = port, etcd
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="the road to etcd")
        self._is_stalled = False
        self._connections: set[Connection] = set()

    @property
    def url(self) -> str:
        """Return etcd's URL by this road."""
        return f"http://{LOOPBACK}:{self._port}"

    def __enter__(self) -> Self:
        """Open the road."""
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it, with all that is on it."""
        self._run(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._lead, LOOPBACK, self._port)

    async def _hang_up(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def stall(self) -> None:
        """Tell watches nothing more; return when that is so."""
        self._run(self._set(stalled=True))

    def flow(self) -> None:
        """Tell them all that was kept back, and what comes."""
        self._run(self._set(stalled=False))

    async def _set(self, *, stalled: bool) -> None:
        self._is_stalled = stalled
        if not stalled:
            for connection in self._connections:
                connection.flow()

    def _run(self, what: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _lead(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Lead one connection until one of the two hangs up."""
        etcd_reader, etcd_writer = await asyncio.open_connection(LOOPBACK, self._etcd)
        connection = Connection(writer)
        self._connections.add(connection)
        with closing(writer), closing(etcd_writer), suppress(asyncio.CancelledError):
            both = (
                _there(reader, etcd_writer, connection.watches),
                connection.lead(etcd_reader, lambda: self._is_stalled),
            )
            tasks = [asyncio.create_task(each) for each in both]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._connections.discard(connection)


async def _there(reader: StreamReader, writer: StreamWriter, watches: set[int]) -> None:
    """Lead what the API server says, and see which of its streams are watches."""
    writer.write(await reader.readexactly(PREFACE))
    while True:
        kind, flags, stream, frame = await _frame(reader)
        if kind in (DATA, HEADERS):
            if flags & END_STREAM:
                watches.discard(stream)
            elif kind == HEADERS:
                watches.add(stream)
        writer.write(frame)
        await writer.drain()


async def _frame(reader: StreamReader) -> tuple[int, int, int, bytes]:
    """Return the next frame: its kind, its flags, its stream, and all of its bytes."""
    head = await reader.readexactly(FRAME_HEAD)
    body = await reader.readexactly(int.from_bytes(head[:3], "big"))
    return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, head + body

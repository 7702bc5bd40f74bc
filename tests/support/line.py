"""The line from an API server to a monitor. It can be cut: then nobody listens. And it can hold back what is sent."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Final, Self

from tools.servers.ports import LOOPBACK

_BYTES: Final = 64 * 1024
_SECONDS: Final = 10.0


class Line:
    """Passes on what arrives at one port of loopback to another one, and back."""

    def __init__(self, port: int, to: int) -> None:
        """Listen to nothing yet."""
        self._port = port
        self.to = to
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._holds = threading.Event()  # somebody waits to be passed on

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self.mend()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Cut it for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Listen no longer, and hang up on everybody."""
        self._run(self._cut())

    def hold(self) -> None:
        """Hang up on everybody, and let those who connect from now on wait until it is mended."""
        self._run(self._hold())

    def await_held(self, seconds: float) -> None:
        """Return when somebody waits."""
        assert self._holds.wait(seconds), f"nobody has connected within {seconds:g} s"

    def mend(self) -> None:
        """Listen again, and let those who wait go on."""
        self._run(self._listen())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _listen(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, LOOPBACK, self._port)

    async def _hold(self) -> None:
        self._flows.clear()
        self._holds.clear()
        await self._hang_up()

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._hang_up()

    async def _hang_up(self) -> None:
        for end in self._ends:
            end.transport.abort()
        while self._ends:  # noqa: ASYNC110  those who pass on notice it by themselves
            await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._flows.is_set():
            self._holds.set()
            await self._flows.wait()
        ends = [writer]
        self._ends.add(writer)
        try:
            there = await asyncio.open_connection(LOOPBACK, self.to)
            ends.append(there[1])
            self._ends.add(there[1])
            await asyncio.gather(_pass_on(reader, there[1]), _pass_on(there[0], writer))
        except OSError:
            pass  # either side has gone, or was never there
        finally:
            for end in ends:
                end.transport.abort()
            self._ends.difference_update(ends)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(_BYTES):
        writer.write(some)
        await writer.drain()
    writer.transport.abort()

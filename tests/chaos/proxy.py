"""A proxy on loopback before the S3 server or the API server: it makes weather, and can hold everything back."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.chaos.weather import RETRY_AFTER, Weather
from tests.chaos.wire import MOST_HEAD, MessageHead, body, close, has_body, read_head
from tools.servers.ports import LOOPBACK, free_port, give_back

_BROKEN: Final = (OSError, EOFError, asyncio.LimitOverrunError, ValueError, ssl.SSLError)


class ChaosProxy:
    """Passes calls on to a port on loopback. `server` and `client` are for TLS on its two sides."""

    def __init__(
        self,
        to_port: int,
        weather: Weather,
        *,
        server: ssl.SSLContext | None = None,
        client: ssl.SSLContext | None = None,
    ) -> None:
        """Listen nowhere yet."""
        self.port = free_port()
        self.weather = weather
        self._to_port = to_port
        self._tls = (server, client)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks = set[asyncio.Task[None]]()
        self._server: asyncio.Server | None = None

    def hold(self) -> None:
        """Let nothing through any more, in either direction: nobody is refused, and nobody gets an answer."""
        self._open.clear()

    def let_go(self) -> None:
        """Let everything through again."""
        self._open.set()

    @property
    def is_open(self) -> bool:
        """Whether calls get through."""
        return self._open.is_set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(
            self._serve, LOOPBACK, self.port, ssl=self._tls[0], limit=MOST_HEAD, reuse_address=True
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Hang up on everybody."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        give_back(self.port)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(*_BROKEN):
                await self._converse(reader, writer)
        except asyncio.CancelledError:
            pass  # it ends, and nobody waits for its result
        finally:
            self._tasks.discard(task)
            await close(writer)

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Pass on the calls of one connection, each over a connection of its own kept as long as this one."""
        there: tuple[StreamReader, StreamWriter] | None = None
        try:
            while True:
                head = await _next_head(reader, there)
                if head is None:
                    return
                await self._open.wait()
                if (status := self.weather.refusal()) is not None:
                    async for _ in body(reader, head):
                        pass
                    writer.write(_refusal(status))
                    await writer.drain()
                    continue
                if self.weather.slow:
                    await asyncio.sleep(self.weather.slow)
                if there is None:
                    there = await asyncio.open_connection(
                        LOOPBACK, self._to_port, ssl=self._tls[1], limit=MOST_HEAD, server_hostname=_name(self._tls[1])
                    )
                is_lost = self.weather.loses()
                if not await self._exchange(head, reader, writer, there, is_lost=is_lost) or is_lost:
                    return
        finally:
            if there is not None:
                await close(there[1])

    async def _exchange(
        self,
        head: MessageHead,
        reader: StreamReader,
        writer: StreamWriter,
        there: tuple[StreamReader, StreamWriter],
        *,
        is_lost: bool,
    ) -> bool:
        """Pass one call and its answer on; return whether the connection can be used again."""
        there[1].write(head.raw)
        async for piece in body(reader, head):
            there[1].write(piece)
        await there[1].drain()
        answer = await read_head(there[0])
        while int(answer.first[1]) < 200:
            writer.write(answer.raw)
            answer = await read_head(there[0])
        await self._pass(answer.raw, writer, is_lost=is_lost)
        if not has_body(head.first[0], int(answer.first[1])):
            return True
        async for piece in body(there[0], answer, until_end=True):
            await self._pass(piece, writer, is_lost=is_lost)
        return answer.is_chunked or answer.length is not None

    async def _pass(self, piece: bytes, writer: StreamWriter, *, is_lost: bool) -> None:
        await self._open.wait()
        if not is_lost:
            writer.write(piece)
            await writer.drain()


async def _next_head(reader: StreamReader, there: tuple[StreamReader, StreamWriter] | None) -> MessageHead | None:
    """Return the head of the next call; None if the server behind hangs up first, as the caller then has to notice."""
    if there is None:
        return await read_head(reader)
    calling = asyncio.ensure_future(read_head(reader))
    hanging_up = asyncio.ensure_future(there[0].read(1))
    try:
        await asyncio.wait((calling, hanging_up), return_when=asyncio.FIRST_COMPLETED)
        return await calling if calling.done() and not hanging_up.done() else None
    finally:
        calling.cancel()
        hanging_up.cancel()
        await asyncio.gather(calling, hanging_up, return_exceptions=True)


def _refusal(status: int) -> bytes:
    content = b"{}"
    return (
        f"HTTP/1.1 {status} Chaos\r\nContent-Type: application/json\r\nRetry-After: {RETRY_AFTER}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content


def _name(tls: ssl.SSLContext | None) -> str | None:
    return LOOPBACK if tls is not None else None

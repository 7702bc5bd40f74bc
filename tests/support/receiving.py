"""Receivers of notifications on loopback: an HTTP server that answers as a test wants, and a mail server."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

LOOPBACK = "127.0.0.1"


@dataclass
class Answer:
    """What the receiver does with one message."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    wait: asyncio.Event | None = None  # answer only when it is set


@dataclass
class HttpReceiver:
    """An HTTP server. It answers each message with the next of its answers, and with 200 when there are no more."""

    port: int = 0
    answers: list[Answer] = field(default_factory=list)
    usual: Answer = field(default_factory=Answer)
    got: list[dict[str, Any]] = field(default_factory=list)
    tried: list[float] = field(default_factory=list)  # by the event loop's time
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return its address for Apprise."""
        return f"json://{LOOPBACK}:{self.port}/"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one message."""
        body = await request.read()
        self.tried.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if self.answers else self.usual
        if answer.wait is not None:
            await answer.wait.wait()
        if answer.status < 300:
            self.got.append(json.loads(body))
        self._news.set()
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def until(self, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
        """Return when something is so, looked at after each message."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def message(self, word: str, seconds: float = 60.0) -> dict[str, Any]:
        """Return the first message with a word in its title or text, as soon as it has come."""
        await self.until(lambda: any(word in json.dumps(one) for one in self.got), seconds)
        return next(one for one in self.got if word in json.dumps(one))


@asynccontextmanager
async def http_receiver(*answers: Answer, port: int = 0) -> AsyncIterator[HttpReceiver]:
    """Run an HTTP receiver as long as the block."""
    receiver = HttpReceiver(answers=list(answers))
    app = web.Application(client_max_size=10_000_000)
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, port)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        for answer in (*answers, receiver.usual):
            if answer.wait is not None:
                answer.wait.set()
        await runner.cleanup()


@asynccontextmanager
async def serving(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], port: int = 0
) -> AsyncIterator[int]:
    """Serve connections on loopback as long as the block, at the port that it is given."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_now.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handle(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            open_now.discard(task)

    server = await asyncio.start_server(serve, LOOPBACK, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = tuple(open_now)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


@dataclass
class Mail:
    """One mail, as a server got it."""

    sender: str
    receivers: list[str]
    content: bytes


@dataclass
class MailReceiver:
    """A mail server that takes everything (RFC 5321), as far as a client without encryption needs it."""

    port: int = 0
    got: list[Mail] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # to DATA; when there are no more, all is well
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Return its address for Apprise, up to the receivers."""
        return f"mailto://{LOOPBACK}:{self.port}?smtp={LOOPBACK}&mode=insecure&from=curfew@example.com"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk to one client."""
        mail = Mail("", [], b"")
        writer.write(b"220 loopback ESMTP\r\n")
        try:
            while line := await reader.readline():
                command = line.split(b" ")[0].strip().upper()
                if command == b"MAIL":
                    mail = Mail(_address(line), [], b"")
                elif command == b"RCPT":
                    mail.receivers.append(_address(line))
                elif command == b"DATA":
                    writer.write(b"354 go on\r\n")
                    mail.content = (await reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
                    answer = self.answers.pop(0) if self.answers else b"250 taken\r\n"
                    writer.write(answer)
                    if answer.startswith(b"2"):
                        self.got.append(mail)
                    self._news.set()
                    continue
                elif command == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    await writer.drain()
                    return
                writer.write(b"250 loopback\r\n")
                await writer.drain()
        finally:
            self._news.set()

    async def mails(self, number: int, seconds: float = 60.0) -> Sequence[Mail]:
        """Return the mails as soon as there are so many."""
        async with asyncio.timeout(seconds):
            while len(self.got) < number:
                self._news.clear()
                await self._news.wait()
        return self.got


def _address(line: bytes) -> str:
    return line.split(b"<")[1].split(b">")[0].decode()


@asynccontextmanager
async def mail_receiver(*answers: bytes, port: int = 0) -> AsyncIterator[MailReceiver]:
    """Run a mail receiver as long as the block."""
    receiver = MailReceiver(answers=list(answers))
    async with serving(receiver.serve, port) as receiver.port:
        yield receiver

"""A real HTTPS server that takes lines as a monitor does, and answers as it is told."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from aiohttp import web

from tools.servers.pki import Authority

Answer = tuple[int, str, dict[str, str]]
"""Status, text and headers."""


@dataclass
class Intake:
    """What was sent to it, and how it answers the attempts: by number, from 0."""

    folder: Path
    answer: Callable[[int], Answer] = lambda _: (200, "", {})
    bodies: list[bytes] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """The authority of its certificate."""
        return self.folder / "ca.crt"

    @property
    def token_file(self) -> Path:
        """A file with a token."""
        path = self.folder / "token"
        if not path.exists():
            path.write_text("t0ken\n")
        return path

    @property
    def lines(self) -> list[bytes]:
        """All lines that were taken."""
        return [line for body in self.bodies for line in body.splitlines()]

    async def take(self, request: web.Request) -> web.Response:
        """Answer an attempt, and keep what was taken."""
        body = await request.read()
        self.tokens.append(request.headers.get("Authorization", ""))
        self.addresses.append(str(request.rel_url))
        status, text, headers = self.answer(len(self.addresses) - 1)
        if status == 200:
            self.bodies.append(body)
        return web.Response(status=status, text=text, headers=headers)


@asynccontextmanager
async def listening(intake: Intake) -> AsyncIterator[Intake]:
    """Listen for as long as the context lasts."""
    authority = Authority("the authority")
    identity = authority.server("intake", ["127.0.0.1"])
    intake.ca.write_bytes(authority.certificate)
    (intake.folder / "tls").write_bytes(identity.certificate + identity.key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(intake.folder / "tls")
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.router.add_post("/{path:.*}", intake.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    intake.port = runner.addresses[0][1]
    try:
        yield intake
    finally:
        await runner.cleanup()


@contextmanager
def listening_beside(intake: Intake) -> Iterator[Intake]:
    """Listen in a thread of its own, so that a command can have the main thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    server = listening(intake)
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(30)
        try:
            yield intake
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

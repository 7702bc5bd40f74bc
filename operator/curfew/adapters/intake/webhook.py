"""The HTTPS server to which API servers send audit events (kube-apiserver --audit-webhook-config-file).

It speaks HTTP/1.1: kube-apiserver takes that if HTTP/2 is not offered.
"""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from http import HTTPStatus
from types import TracebackType
from typing import Self

from aiohttp import web

from curfew.adapters.intake.answers import NotTaken
from curfew.adapters.intake.credentials import CredentialFiles, CredentialsUnusable, MaySend
from curfew.adapters.intake.door import Door, Visit
from curfew.adapters.intake.requests import Requests
from curfew.adapters.intake.settings import WebhookSettings
from curfew.ports import BatchSink, IntakeObserver, IntakeRefusal

_BACKLOG = 128
_LINGER_SECONDS = 2.0  # how long a body is still read, and thrown away, after an answer that came before its end
_FAREWELL_SECONDS = 5.0  # how long requests may take at the end


class IntakeCannotStart(Exception):
    """The server cannot listen, or its files cannot be used. `str(error)` is a sentence for people."""


class WebhookServer:
    """Takes audit events for as long as its context lasts."""

    def __init__(self, settings: WebhookSettings, sink: BatchSink, observer: IntakeObserver) -> None:
        """Nothing is read, and nobody is listened to."""
        self._settings = settings
        self._observer = observer
        self._requests = Requests(settings, sink, observer)
        self._files = CredentialFiles(settings)
        self._stack = AsyncExitStack()
        self._port = settings.port

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._port

    @property
    def trouble(self) -> str:
        """Why the newest certificate, authority or tokens are not in use, as a sentence; empty if they are."""
        return self._files.trouble

    async def __aenter__(self) -> Self:
        """Listen, or raise `IntakeCannotStart`."""
        try:
            await asyncio.to_thread(self._files.load)
        except CredentialsUnusable as error:
            raise IntakeCannotStart(f"{error}.") from error
        async with AsyncExitStack() as stack:
            listening = stack.enter_context(self._listen())
            http = web.Server(self._answer)
            self._door = Door(
                listening,
                lambda visit: _Connection(http, self._door, visit, self._settings, self._observer),
                lambda: self._files.current,
                self._observer,
                most=self._settings.most_connections,
                hello_seconds=self._settings.hello_seconds,
            )
            stack.push_async_callback(self._door.close)
            stack.push_async_callback(http.shutdown, _FAREWELL_SECONDS)
            stack.callback(http.pre_shutdown)
            stack.callback(self._door.shut)
            stack.push_async_callback(_end, asyncio.create_task(self._files.run(self._door.renew)))
            self._door.open()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, answer what is under way, and close all connections."""
        await self._stack.aclose()

    def _listen(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        except OSError as error:
            raise IntakeCannotStart(
                f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}. Set another address or port."
            ) from error
        listening.setblocking(False)
        self._port = listening.getsockname()[1]
        return listening

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, _Connection)  # noqa: S101  only these are made
        visit = connection.visit
        visit.is_busy = True
        try:
            admitted = self._authenticate(request, visit)
            await self._requests.take(request, admitted)
            response = web.Response()
        except NotTaken as error:
            response = error.answer()
        finally:
            visit.is_busy = False
        if visit.is_last:
            response.force_close()
        return response

    def _authenticate(self, request: web.BaseRequest, visit: Visit) -> MaySend:
        credentials = self._files.current
        is_verified = visit.credentials.authority == credentials.authority
        certificate = request.get_extra_info("peercert") if is_verified else None
        admitted = credentials.admit(certificate, request.headers.get("Authorization", ""))
        if not admitted:
            self._observer.refused(IntakeRefusal.NOT_AUTHENTICATED)
            raise NotTaken(
                IntakeRefusal.NOT_AUTHENTICATED,
                "Nobody is known by that certificate or token. Send a client certificate of the authority that is set, "
                "or `Authorization: Bearer TOKEN` with a token of the file that is set.",
            )
        visit.is_known = True
        visit.give(self._settings.idle_seconds)
        return admitted


class _Connection(web.RequestHandler):
    """aiohttp's protocol for one connection, which also shows the door when it begins and ends."""

    def __init__(
        self, http: web.Server, door: Door, visit: Visit, settings: WebhookSettings, observer: IntakeObserver
    ) -> None:
        super().__init__(
            http,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.idle_seconds,
            access_log=None,  # type: ignore[arg-type]  # None is no log, which its types leave out
            lingering_time=_LINGER_SECONDS,
            auto_decompress=False,
        )
        self.visit = visit
        self._door = door
        self._observer = observer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101  it is TLS's
        self.visit.transport = transport
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._door.left(self.visit)
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status != HTTPStatus.BAD_REQUEST:
            return super().handle_error(request, status, exc, message)
        # What is no HTTP is counted, and not logged: anybody can send it, and as often as they like.
        self._observer.refused(IntakeRefusal.MALFORMED)
        response = web.Response(status=status, text="This is not HTTP/1.1.\n")
        response.force_close()
        return response


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])

"""A small HTTP server for the people and tools that run the operator: is it alive, is it ready, what are its numbers.

Anybody in the cluster may reach it, so no request may cost much: a connection carries one request of a few kilobytes,
has ten seconds for it, and makes room for a newer one if there are many.
"""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Final, NamedTuple, Self

Alive = Callable[[], bool]
"""Whether the process still does its work; if not, it is restarted."""

Ready = Callable[[], tuple[bool, Mapping[str, str]]]
"""Whether the operator can grant, and the state of each part in words for people."""

Metrics = Callable[[], tuple[str, bytes]]
"""The content type and the text of the metrics."""

CONNECTIONS: Final = 128
"""Most open connections. If another comes, the oldest is closed: a client that asks at once has its answer by then."""

SECONDS: Final = 10.0
"""How long a connection lasts, from its first byte to the last of the answer."""

HEADER_BYTES: Final = 8192
"""How long a request may be, with all of its headers."""

_BACKLOG: Final = 64  # most connections that are accepted before waiting requests are answered: well below CONNECTIONS

_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json; charset=utf-8"


class CannotListen(Exception):
    """The server cannot listen on the address. `str(error)` is a sentence for people."""


class _Answer(NamedTuple):
    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _TEXT


class WebServer:
    """`/healthz`, `/readyz` and `/metrics`, for as long as its context lasts."""

    def __init__(self, host: str, port: int, *, alive: Alive, ready: Ready, metrics: Metrics) -> None:
        """Take the address (port 0: any that is free), and the functions that answer."""
        self._host = host
        self._port = port
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        self._pages: Mapping[str, Callable[[], _Answer]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._get_metrics,
        }
        self._open: dict[asyncio.StreamWriter, None] = {}  # the oldest first
        self._server: asyncio.Server

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen, or raise `CannotListen`."""
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._port, limit=HEADER_BYTES, backlog=_BACKLOG
            )
        except OSError as error:
            raise CannotListen(
                f"cannot listen on {self._host}, port {self._port}: {os.strerror(error.errno or 0)}; set another with "
                "server.host and server.port"
            ) from error
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        if len(self._open) >= CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = None
        # If the request is malformed or the client is gone, that is the client's problem.
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        self._open.pop(writer, None)
        writer.close()

    def _answer(self, head: bytes) -> bytes:
        """Return the response to a request."""
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        page = self._pages.get(rest.partition(" ")[0].partition("?")[0])
        if method not in ("GET", "HEAD"):
            answer = _Answer(b"only GET\n", HTTPStatus.METHOD_NOT_ALLOWED)
        elif page is None:
            answer = _Answer(f"there are {', '.join(self._pages)}\n".encode(), HTTPStatus.NOT_FOUND)
        else:
            answer = page()
        lines = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode() + (answer.body if method == "GET" else b"")

    def _healthz(self) -> _Answer:
        """Report that the process is alive. An answer also shows that the event loop runs."""
        if self._alive():
            return _Answer(b"ok\n")
        return _Answer(b"the operator has stopped working\n", HTTPStatus.SERVICE_UNAVAILABLE)

    def _readyz(self) -> _Answer:
        """Report whether the operator can do all its work, and the state of each part."""
        ready, parts = self._ready()
        said = json.dumps({"ready": ready, "parts": dict(parts)}, ensure_ascii=False, indent=2) + "\n"
        return _Answer(said.encode(), HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, _JSON)

    def _get_metrics(self) -> _Answer:
        """Give Prometheus its numbers."""
        content_type, text = self._metrics()
        return _Answer(text, content_type=content_type)

"""A small HTTP server for whoever keeps the operator running: is it alive, is it ready, what are its numbers."""

import json
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

Alive = Callable[[], bool]
"""Whether the process still does its work; if not, it is restarted."""

Ready = Callable[[], tuple[bool, Mapping[str, str]]]
"""Whether the operator grants, and the state of each part in words for people."""

Metrics = Callable[[], tuple[str, bytes]]
"""The content type and the text of the metrics."""

_CLOSING_SECONDS = 1.0  # for requests under way


class CannotListen(Exception):
    """The address cannot be listened on. `str(error)` is a sentence for people."""


class WebServer:
    """`/healthz`, `/readyz` and `/metrics`, for as long as its context lasts."""

    def __init__(self, host: str, port: int, *, alive: Alive, ready: Ready, metrics: Metrics) -> None:
        """Take the address (port 0: any that is free), and who answers."""
        self._host = host
        self._port = port
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._get_metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSING_SECONDS)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    async def __aenter__(self) -> Self:
        """Listen, or raise `CannotListen`."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise CannotListen(
                f"cannot listen on {self._host}, port {self._port}: {os.strerror(error.errno or 0)}; "
                "say another with server.host and server.port"
            ) from error
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        """Say whether the process is alive. That this is answered at all shows that the loop turns."""
        if self._alive():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the operator has stopped working\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """Report whether the operator grants (200) or does not (503), and the state of each part in words."""
        ready, parts = self._ready()
        said = {"ready": ready, "parts": dict(parts)}
        return web.json_response(
            said, status=200 if ready else 503, dumps=lambda it: json.dumps(it, ensure_ascii=False, indent=2) + "\n"
        )

    async def _get_metrics(self, _: web.Request) -> web.Response:
        """Give Prometheus its numbers."""
        content_type, text = self._metrics()
        return web.Response(body=text, headers={"Content-Type": content_type})

"""Somebody who sends audit events to a server, over real TLS."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from curfew.adapters.intake.webhook import WebhookServer
from tests.support.intake import TOKEN, Counted, Keys, Taken
from tools.servers.ports import LOOPBACK

LIST: Final = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}'
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}


class Sender:
    """Somebody who sends to a server."""

    def __init__(self, server: WebhookServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def post(
        self,
        path: str = "/audit/api-1?timeout=30s",
        data: object = LIST,
        headers: dict[str, str] = BEARER,
        method: str = "POST",
    ) -> tuple[int, str, dict[str, str]]:
        url = f"https://{LOOPBACK}:{self.server.port}{path}"
        async with self.session.request(method, url, data=data, headers=headers) as response:
            return response.status, await response.text(), dict(response.headers)


@asynccontextmanager
async def sending_to(server: WebhookServer, tls: ssl.SSLContext) -> AsyncIterator[Sender]:
    """Send over connections of one's own."""
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=("User-Agent",)) as session:
        yield Sender(server, session)


@asynccontextmanager
async def serving(
    keys: Keys, sink: Taken, observer: Counted, tls: ssl.SSLContext | None = None, **changes: Any
) -> AsyncIterator[Sender]:
    """Run a server, and send to it."""
    async with (
        WebhookServer(keys.settings(**changes), sink, observer) as server,
        sending_to(server, tls or keys.trusting()) as sender,
    ):
        yield sender

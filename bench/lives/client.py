"""Calls of the API server by those who ask, approve and look on: as cheap as they can be, since they share the machine."""

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
import yaml

from bench.process import Failed
from tools.servers.cluster import Cluster
from tools.servers.pki import write_private

LONGEST: Final = 1 << 24
"""Bytes of one line of a watch."""

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"


class ApiClient:
    """Somebody with a certificate or a token, over connections that stay open."""

    def __init__(self, server: str, session: aiohttp.ClientSession) -> None:
        """Use `open_client`."""
        self._server = server
        self._session = session

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = "application/json",
        person: str = "",
        ignore: Collection[HTTPStatus] = (),
    ) -> bytes:
        """Make a call, in the name of a person if one is named, and return the answer, or raise `Failed`.

        Whoever is told to come back later does so.
        """
        headers = {"Content-Type": kind, **({"Impersonate-User": person} if person else {})}
        data = None if body is None else orjson.dumps(body)
        while True:
            async with self._session.request(method, self._server + path, data=data, headers=headers) as answer:
                read = await answer.read()
                if answer.status < HTTPStatus.BAD_REQUEST or answer.status in ignore:
                    return read
                was_beaten = answer.status == HTTPStatus.CONFLICT and method != "POST"  # by a POST: it is there already
                if answer.status != HTTPStatus.TOO_MANY_REQUESTS and not was_beaten:
                    raise Failed(f"{method} {path} was answered with {answer.status}: {read.decode()[:1000]}")
                pause = answer.headers.get("Retry-After", "0")
            await asyncio.sleep(float(pause))

    async def watch(self, path: str, **selected: str) -> AsyncGenerator[tuple[str, Mapping[str, Any]], None]:
        """Yield what a collection holds, then a bookmark, and then what happens in it: what, and to which object."""
        listed = orjson.loads(await self.ask("GET", f"{path}?{urlencode(selected)}"))
        for item in listed["items"]:
            yield "ADDED", item
        version = listed["metadata"]["resourceVersion"]
        yield "BOOKMARK", MappingProxyType({})
        while True:
            asked = {"watch": "1", "allowWatchBookmarks": "1", "resourceVersion": version, **selected}
            url = f"{self._server}{path}?{urlencode(asked)}"
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as answer:
                answer.raise_for_status()
                async for line in answer.content:
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise Failed(f"the watch of {path} ended with {event['object']}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]


@asynccontextmanager
async def open_client(cluster: Cluster, folder: Path, context: str) -> AsyncIterator[ApiClient]:
    """Connect as the user of a context that has a certificate."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())
    user = next(entry["user"] for entry in config["users"] if entry["name"] == context)
    certificate, key = (
        write_private(folder / f"{context}-{part}", base64.b64decode(user[part]))
        for part in ("client-certificate-data", "client-key-data")
    )
    tls = ssl.create_default_context(cafile=str(cluster.ca))
    tls.load_cert_chain(certificate, key)
    async with session_with(tls) as session:
        yield ApiClient(cluster.server, session)


def session_with(tls: ssl.SSLContext, headers: Mapping[str, str] = MappingProxyType({})) -> aiohttp.ClientSession:
    """Return a session for many calls at once."""
    connector = aiohttp.TCPConnector(ssl=tls, limit=0, keepalive_timeout=300)
    return aiohttp.ClientSession(
        connector=connector, headers=headers, read_bufsize=LONGEST, timeout=aiohttp.ClientTimeout(total=60)
    )

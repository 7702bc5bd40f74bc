"""Listing a collection page by page, and watching it, on connections of one's own."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson

from curfew.adapters.kube.calling import ANSWER_BYTES, CallObserver, observed, read_answer
from curfew.adapters.kube.connection import Connection
from curfew.adapters.kube.failures import FAILURES, ErrorResponse, cluster_error
from curfew.ports import TooLarge

_DEADLINE = 30.0  # seconds for one page
_SERVER_TIMEOUT = 290  # seconds that one watch lasts
_SILENCE = 70.0  # seconds; the API server sends a bookmark each minute

BOOKMARK: Final = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class Accepts:
    """The media types that are asked for: of a page of a list, and of a watched object."""

    page: str = "application/json"
    object: str = "application/json"


class CollectionReader:
    """Reads collections of one API server."""

    def __init__(
        self,
        connection: Connection,
        observe: CallObserver,
        *,
        call: str,
        page: int,
        page_bytes: int = ANSWER_BYTES,
        accepts: Accepts = Accepts(),
    ) -> None:
        """`call` is the name under which calls are observed, `page` the most objects of one page.

        A page of more than `page_bytes` is asked for again with fewer objects.
        """
        self._connection = connection
        self._observe = observe
        self._call = call
        self._page = page
        self._page_bytes = page_bytes
        self._accepts = accepts

    async def pages(self, path: str, what: str, selector: str = "") -> AsyncIterator[dict[str, Any]]:
        """Yield all objects of a collection, or those with certain labels, page by page. `what` is for errors."""
        limit = self._page
        query = {"labelSelector": selector} if selector else {}
        async with self._connection.session() as session:
            while True:
                reading = self._read_page(session, path, query | {"limit": str(limit)})
                try:
                    page = await observed(self._observe, self._call, f"list {what}", reading)
                except TooLarge:
                    if limit == 1:
                        raise
                    limit = max(1, limit // 8)
                    continue
                yield page
                query["continue"] = (page.get("metadata") or {}).get("continue") or ""
                if not query["continue"]:
                    return

    async def events(
        self, path: str, what: str, version: str, selector: str = ""
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield type and object of each change since a version, until the API server ends the watch.

        A bookmark is not a change: its object has only the version. Raise `Conflict` if the version is no longer kept, or
        another `ClusterError`.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_SERVER_TIMEOUT),
        } | ({"labelSelector": selector} if selector else {})
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE)
        headers = {"Accept": self._accepts.object}
        try:
            async with (
                self._connection.session() as session,
                session.get(self._url(path, query), headers=headers, timeout=timeout) as response,
            ):
                if response.status >= 300:
                    raise ErrorResponse(response.status, await response.read())
                async for line in response.content:  # a line beyond the session's buffer is a ValueError
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ErrorResponse(int(status.get("code") or 500), orjson.dumps(status))
                    yield str(event["type"]), event["object"]
        except (*FAILURES, KeyError, TypeError) as cause:
            raise cluster_error(f"watch {what}", cause) from cause

    async def _read_page(self, session: aiohttp.ClientSession, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=_DEADLINE, sock_connect=5.0)
        headers = {"Accept": self._accepts.page}
        async with session.get(self._url(path, query), headers=headers, timeout=timeout) as response:
            raw = await read_answer(response, self._page_bytes)
        if response.status >= 300:
            raise ErrorResponse(response.status, raw)
        page: dict[str, Any] = orjson.loads(raw)
        return page

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self._connection.server}{path}?{urlencode(query)}"

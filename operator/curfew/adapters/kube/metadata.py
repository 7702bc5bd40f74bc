"""Listing and watching only the metadata of objects whose contents are not needed until they are asked for.

Anybody who may write Roles in a namespace can make them as large as the API server accepts. So their contents are not
sent to us, and the metadata is read in small pages.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp

from curfew.adapters.kube.calling import CallObserver, observed
from curfew.adapters.kube.connection import Connection
from curfew.adapters.kube.failures import FAILURES, ErrorResponse, cluster_error
from curfew.ports import ObjectSeen

_PAGE = 16  # objects; the metadata of one has at most the size of an object, 1.5 MiB
_DEADLINE = 30.0  # seconds for one page
_SERVER_TIMEOUT = 290  # seconds that one watch lasts
_SILENCE = 70.0  # seconds; the API server sends a bookmark each minute
_ACCEPT = "application/json;as=PartialObjectMetadata{};v=v1;g=meta.k8s.io"


class MetadataReader:
    """Reads metadata from one API server, on connections of its own."""

    def __init__(self, connection: Connection, observe: CallObserver) -> None:
        self._connection = connection
        self._observe = observe

    async def list(self, path: str) -> tuple[list[ObjectSeen], str]:
        """Return all objects of a collection, and the version at which they were listed."""
        seen: list[ObjectSeen] = []
        version = ""
        async for page in self.pages(path):
            seen.extend(_seen(item, "ADDED") for item in page.get("items") or ())
            version = str((page.get("metadata") or {}).get("resourceVersion"))
        return seen, version

    async def pages(self, path: str, selector: str = "") -> AsyncIterator[dict[str, Any]]:
        """Yield the metadata of all objects of a collection, or of those with certain labels, page by page."""
        query = {"limit": str(_PAGE)} | ({"labelSelector": selector} if selector else {})
        what = f"list the metadata of {path.rpartition('/')[2]}"
        async with self._connection.session() as session:
            while True:
                page = await observed(self._observe, "list_metadata", what, self._page(session, path, query))
                yield page
                query["continue"] = (page.get("metadata") or {}).get("continue") or ""
                if not query["continue"]:
                    return

    async def watch(self, path: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Yield each change since a version until the API server ends the watch; a bookmark is not a change and has no uid.

        Raise `Conflict` if the version is no longer kept, or another `ClusterError`.
        """
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_SERVER_TIMEOUT),
        }
        what = f"watch the metadata of {path.rpartition('/')[2]}"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE)
        try:
            async with (
                self._connection.session() as session,
                session.get(self._url(path, query), headers=_accept(""), timeout=timeout) as response,
            ):
                if response.status >= 300:
                    raise ErrorResponse(response.status, await response.read())
                async for line in response.content:  # a line beyond the session's buffer is a ValueError
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        status = event["object"]
                        raise ErrorResponse(int(status.get("code") or 500), json.dumps(status).encode())
                    yield _seen(event["object"], str(event["type"]))
        except (*FAILURES, KeyError, TypeError) as cause:
            raise cluster_error(what, cause) from cause

    async def _page(self, session: aiohttp.ClientSession, path: str, query: dict[str, str]) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=_DEADLINE, sock_connect=5.0)
        async with session.get(self._url(path, query), headers=_accept("List"), timeout=timeout) as response:
            raw = await response.read()
        if response.status >= 300:
            raise ErrorResponse(response.status, raw)
        page: dict[str, Any] = json.loads(raw)
        return page

    def _url(self, path: str, query: dict[str, str]) -> str:
        return f"{self._connection.server}{path}?{urlencode(query)}"


def _accept(list_: str) -> dict[str, str]:
    return {"Accept": _ACCEPT.format(list_)}


def _seen(item: dict[str, Any], type_: str) -> ObjectSeen:
    """Keep the metadata that identifies an object and its version."""
    meta = item["metadata"]
    return ObjectSeen(
        type=type_,
        namespace=str(meta.get("namespace") or ""),
        name=str(meta.get("name") or ""),
        uid=str(meta.get("uid") or ""),
        version=str(meta.get("resourceVersion") or ""),
    )

"""Listing and watching only the metadata of objects whose contents are not needed until they are asked for.

Anybody who may write Roles in a namespace can make them as large as the API server accepts. So their contents are not
sent to us, and the metadata is read in pages of few bytes.
"""

from collections.abc import AsyncIterator
from typing import Any

from curfew.adapters.kube.calling import CallObserver
from curfew.adapters.kube.collection import Accepts, CollectionReader
from curfew.adapters.kube.connection import Connection
from curfew.ports import ObjectSeen

_PAGE = 100  # objects; the metadata of most has a kilobyte or two
_PAGE_BYTES = 2**22  # twice the most that the metadata of one object can have
_ACCEPT = "application/json;as=PartialObjectMetadata{};v=v1;g=meta.k8s.io"


class MetadataReader:
    """Reads metadata from one API server."""

    def __init__(self, connection: Connection, observe: CallObserver) -> None:
        accepts = Accepts(page=_ACCEPT.format("List"), object=_ACCEPT.format(""))
        self._reader = CollectionReader(
            connection, observe, call="list_metadata", page=_PAGE, page_bytes=_PAGE_BYTES, accepts=accepts
        )

    async def list(self, path: str) -> tuple[list[ObjectSeen], str]:
        """Return all objects of a collection, and the version at which they were listed."""
        seen: list[ObjectSeen] = []
        version = ""
        async for page in self.pages(path):
            seen.extend(_seen(item, "ADDED") for item in page.get("items") or ())
            version = str((page.get("metadata") or {}).get("resourceVersion"))
        return seen, version

    def pages(self, path: str, selector: str = "") -> AsyncIterator[dict[str, Any]]:
        """Yield the metadata of all objects of a collection, or of those with certain labels, page by page."""
        return self._reader.pages(path, _what(path), selector)

    async def watch(self, path: str, version: str) -> AsyncIterator[ObjectSeen]:
        """Yield each change since a version until the API server ends the watch; a bookmark is not a change and has no uid.

        Raise `Conflict` if the version is no longer kept, or another `ClusterError`.
        """
        async for type_, item in self._reader.events(path, _what(path), version):
            yield _seen(item, type_)


def _what(path: str) -> str:
    return f"the metadata of {path.rpartition('/')[2]}"


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

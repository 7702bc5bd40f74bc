"""Reading AccessLocks: all that there are, and each change of one."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from curfew.adapters.kube.calling import OURS, CallObserver
from curfew.adapters.kube.collection import CollectionReader
from curfew.adapters.kube.connection import Connection

_PATH: Final = f"{OURS}/accesslocks"
_WHAT: Final = "AccessLocks"
_PAGE: Final = 50  # objects; with annotations as large as the API server accepts, one has 260 KiB


class LockReader:
    """The locks of one API server, as `curfew.ports.LockSource`."""

    def __init__(self, connection: Connection, observe: CallObserver) -> None:
        self._reader = CollectionReader(connection, observe, call="list_locks", page=_PAGE)

    async def list_locks(self) -> tuple[Sequence[dict[str, Any]], str]:
        """Return all AccessLocks, and the version at which they were listed."""
        found: list[dict[str, Any]] = []
        version = ""
        async for page in self._reader.pages(_PATH, _WHAT):
            found += (_kept(item) for item in page.get("items") or ())
            version = str((page.get("metadata") or {}).get("resourceVersion") or "")
        return found, version

    async def watch_locks(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield the type and the AccessLock of each change since a version, until the API server ends the watch."""
        async for type_, item in self._reader.events(_PATH, _WHAT, version):
            yield type_, _kept(item)


def _kept(item: dict[str, Any]) -> dict[str, Any]:
    """Return a lock without annotations and managed fields: nothing here reads them, and they may be large."""
    for unread in ("annotations", "managedFields"):
        item["metadata"].pop(unread, None)
    return item

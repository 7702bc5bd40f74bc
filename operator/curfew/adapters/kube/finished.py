"""Reading finished requests whole: all that there are, and each change of one."""

from collections.abc import AsyncIterator
from typing import Any, Final

from curfew.adapters.kube.calling import OURS, CallObserver
from curfew.adapters.kube.collection import BOOKMARK, CollectionReader
from curfew.adapters.kube.connection import Connection
from curfew.api.names import LABEL_CLOSED

_PATH: Final = f"{OURS}/accessrequests"
_WHAT: Final = "finished AccessRequests"
_SELECTOR: Final = f"{LABEL_CLOSED}=true"
_PAGE: Final = 50  # objects; the largest request, with annotations as large as the API server accepts, has 300 KiB


class FinishedReader:
    """The finished requests of one API server, as `curfew.ports.FinishedRequests`."""

    def __init__(self, connection: Connection, observe: CallObserver) -> None:
        self._reader = CollectionReader(connection, observe, call="list_finished", page=_PAGE)

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield all AccessRequests that are labelled closed, page by page. Raise `Conflict` if the pages became too old."""
        async for page in self._reader.pages(_PATH, _WHAT, _SELECTOR):
            yield list(page.get("items") or ())

    async def watch(self, version: str) -> AsyncIterator[tuple[str, dict[str, Any] | None]]:
        """Yield, for each change since a version, the version after it and the request as it is now; None: it is gone.

        A version alone is a sign of life. Raise `Conflict` if the first version is no longer kept.
        """
        async for type_, item in self._reader.events(_PATH, _WHAT, version, _SELECTOR):
            is_there = type_ not in (BOOKMARK, "DELETED")
            yield str(item["metadata"]["resourceVersion"]), item if is_there else None

"""Reading RoleBindings and ClusterRoleBindings: `curfew.ports.BindingSource`."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from curfew.adapters.kube.calling import JSON, RBAC, CallObserver, ask, observed, path_to
from curfew.adapters.kube.failures import Absent
from curfew.core.activity.noticing.binding import KINDS, BindingKey, SeenBinding
from curfew.ports import TooLarge

_DEADLINE: Final = 5.0  # seconds for one binding
_LIST_DEADLINE: Final = 30.0  # seconds for one page
_PAGE: Final = 200  # bindings; most have a kilobyte or two
_PAGE_BYTES: Final = 2**25
_ONE_BYTES: Final = 2**22  # etcd accepts no object of this size
_MOST_PAGES: Final = 10_000


class KubeBindings:
    """The bindings of a real API server."""

    def __init__(self, session: aiohttp.ClientSession, server: str, observe: CallObserver) -> None:
        """`server` is the URL of the API server. The session is closed by who made it."""
        self._session = session
        self._server = server
        self._observe = observe

    async def binding(self, key: BindingKey) -> SeenBinding | None:
        """Return a binding, or None if the API server has none of that name."""
        what = f"read {key.kind} {key.namespace}/{key.name}" if key.namespace else f"read {key.kind} {key.name}"
        path = path_to(RBAC, key.namespace, KINDS[key.kind], key.name)
        asking = ask(self._session, "GET", self._server + path, None, JSON, _DEADLINE, _ONE_BYTES)
        try:
            answer = await observed(self._observe, "binding", what, asking)
        except Absent:
            return None
        return SeenBinding.of(key.kind, answer)

    async def bindings(self, kind: str) -> AsyncIterator[SeenBinding]:
        """Yield all bindings of a kind, as they were when the first page was read."""
        query, limit = dict[str, str](), _PAGE
        for _ in range(_MOST_PAGES):
            try:
                page = await self._page(kind, query | {"limit": str(limit)})
            except TooLarge:
                if limit == 1:
                    raise
                limit = max(1, limit // 8)
                continue
            items, meta = page.get("items"), page.get("metadata")
            for item in items if isinstance(items, list) else ():
                seen = SeenBinding.of(kind, item) if isinstance(item, Mapping) else None
                if seen is not None:
                    yield seen
            query = {"continue": str(meta.get("continue") or "") if isinstance(meta, Mapping) else ""}
            if not query["continue"]:
                return
        raise TooLarge(f"cannot list all {kind}s: there are more than {_MOST_PAGES} pages of them")

    async def _page(self, kind: str, query: Mapping[str, str]) -> dict[str, Any]:
        url = f"{self._server}{path_to(RBAC, '', KINDS[kind])}?{urlencode(query)}"
        asking = ask(self._session, "GET", url, None, JSON, _LIST_DEADLINE, _PAGE_BYTES)
        return await observed(self._observe, "bindings", f"list all {kind}s", asking)

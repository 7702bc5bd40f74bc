"""The watches of one replica in the place of Kopf: each kind in its order, the kinds in no order among them.

It calls the handlers that Kopf would call.
"""

import asyncio
import random
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import kopf

from curfew.api import names
from curfew.ports import ClusterError
from curfew.processes.operator.known import is_closed
from curfew.processes.operator.watching import Handlers
from tests.simulation.clients import ClusterClient
from tests.simulation.line import SimulatedLine
from tests.simulation.schedule import TroubleComes
from tests.simulation.servers import ModelApiServer

LISTS: Final = {"AccessRequest": "list_requests", "AccessPolicy": "list_policies", "RoleBinding": "list_bindings"}
PLURALS: Final = {"AccessRequest": "accessrequests", "AccessPolicy": "accesspolicies", "RoleBinding": "rolebindings"}

Change = tuple[float, str | None, Mapping[str, Any]]  # when it happened, what, and the object


class ModelWatches:
    """Lists and watches the three kinds that Kopf watches, until cancelled."""

    def __init__(
        self,
        handlers: Handlers,
        client: ClusterClient,
        api: ModelApiServer,
        line: SimulatedLine,
        troubles: Sequence[TroubleComes],
        lot: random.Random,
    ) -> None:
        self._handlers = {plural: handler for (_, _, plural), handler in handlers.items()}
        self._client = client
        self._api = api
        self._line = line
        self._troubles = troubles
        self._lot = lot

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as group:
            for kind in LISTS:
                group.create_task(self._follow(kind))

    async def _follow(self, kind: str) -> None:
        while True:
            changes: asyncio.Queue[Change] = asyncio.Queue()
            loop = asyncio.get_running_loop()
            stop = self._api.watch(kind, lambda verb, body: _put(changes, (loop.time(), verb, body)))  # noqa: B023
            try:
                known = {}
                for body in await self._client.call(LISTS[kind]):
                    known[body["metadata"]["uid"]] = body
                    self._show(kind, None, body)
                await self._deliver(kind, changes, known)
            except ClusterError:
                await asyncio.sleep(self._lot.uniform(0.05, 2.0))
            finally:
                stop()

    async def _deliver(self, kind: str, changes: "asyncio.Queue[Change]", known: dict[str, Mapping[str, Any]]) -> None:
        """Show changes in their order, each when it has come; return when the watch has to begin anew."""
        loop = asyncio.get_running_loop()
        gaps = [one for one in self._of("gap", kind) if one.at + one.lasts > loop.time()]
        repeats = [one for one in self._of("repeat", kind) if one.at > loop.time()]
        shown: deque[tuple[str | None, Mapping[str, Any]]] = deque(maxlen=3)
        while True:
            until = min([one.at + one.lasts for one in gaps] + [one.at for one in repeats], default=None)
            try:
                async with asyncio.timeout_at(until):
                    at, verb, body = await changes.get()
            except TimeoutError:
                now = loop.time()
                if any(one.at + one.lasts <= now for one in gaps):
                    return  # 410: it is listed anew
                repeats = [one for one in repeats if one.at > now]
                for verb_, body_ in tuple(shown):
                    self._show(kind, verb_, body_)
                continue
            if any(one.at <= at < one.at + one.lasts for one in gaps):
                continue
            comes = at + self._lag(kind, at) + self._lot.uniform(0.001, 0.02)
            await asyncio.sleep(max(0.0, comes - loop.time()))
            while self._line.is_cut(loop.time()):  # noqa: ASYNC110  it is a matter of time
                await asyncio.sleep(0.25)
            selected = as_selected(kind, verb, body, known)
            if selected is not None:
                shown.append(selected)
                self._show(kind, *selected)

    def _show(self, kind: str, verb: str | None, body: Mapping[str, Any]) -> None:
        self._handlers[PLURALS[kind]](cast(kopf.RawEvent, {"type": verb, "object": body}))

    def _of(self, trouble: str, kind: str) -> list[TroubleComes]:
        return [one for one in self._troubles if one.kind == trouble and one.what == kind]

    def _lag(self, kind: str, at: float) -> float:
        return max((one.by for one in self._of("lag", kind) if one.at <= at < one.at + one.lasts), default=0.0)


def _put(changes: "asyncio.Queue[Change]", change: Change) -> None:
    changes.put_nowait(change)


def as_selected(
    kind: str, verb: str | None, body: Mapping[str, Any], shown: dict[str, Mapping[str, Any]]
) -> tuple[str | None, Mapping[str, Any]] | None:
    """Return what a watch with our label selector shows, or None. `shown` holds what it has shown of each object.

    An object that leaves the selection is shown as deleted, as it was before, in its new version.
    """
    meta = body["metadata"]
    if kind == "RoleBinding" and names.LABEL_REQUEST_UID not in (meta.get("labels") or {}):
        return None
    if kind != "AccessRequest":
        return verb, body
    if not is_closed(body):
        shown[meta["uid"]] = body
        return verb, body
    before = shown.pop(meta["uid"], None)
    if before is None:
        return None
    return "DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": meta["resourceVersion"]}}

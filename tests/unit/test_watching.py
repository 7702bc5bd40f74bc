"""What Kopf does with an event before and after our handlers: it hands over the object as it came, and copies nothing."""

import asyncio
from typing import Any, NoReturn, cast

import kopf
import pytest
from kopf._cogs.structs.ephemera import AnyMemo, Memo
from kopf._cogs.structs.references import Resource
from kopf._core.actions.lifecycles import all_at_once
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.reactor.inventory import ResourceMemories
from kopf._core.reactor.processing import process_resource_event

from curfew.core.keys import Key, RequestKey
from curfew.processes.operator import watching
from curfew.processes.operator.known import Store
from tests.support.builders import a_request


class Uncopied(str):
    """A text that must not be copied: copying a request costs more than looking at it."""

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise AssertionError("the object was copied")


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"], ids=["listed", "added", "modified"])
async def test_an_event_reaches_the_store_as_it_came_and_gives_the_request_its_turn(type_: str | None) -> None:
    """The list and the watch alike, without a copy and without anything to be written back."""
    store, turns = Store(), list[Key]()
    body = _body()

    changed = await _process(store, turns, {"type": type_, "object": body})

    known = store.request(body["metadata"]["uid"])
    assert known is not None
    assert known.spec.reason == body["spec"]["reason"]
    assert turns == [RequestKey(body["metadata"]["uid"])]
    assert changed is None


async def test_a_deletion_reaches_the_store() -> None:
    """The request stays known as gone until its story is closed."""
    store, turns = Store(), list[Key]()
    body = _body()
    await _process(store, turns, {"type": "ADDED", "object": body})

    await _process(store, turns, {"type": "DELETED", "object": body})

    assert store.memories.of(body["metadata"]["uid"]).is_gone
    assert turns == [RequestKey(body["metadata"]["uid"])] * 2


def _body() -> dict[str, Any]:
    body = a_request()
    body["metadata"] |= {"uid": "uid-1", "resourceVersion": "7", "generation": 1}
    body["spec"]["reason"] = Uncopied(body["spec"]["reason"])
    return body


async def _process(store: Store, turns: list[Key], event: dict[str, Any]) -> str | None:
    """Have Kopf process an event as its workers do."""
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    watching.configure(settings)
    watching.register(registry, store, turns.append, lambda _: None)
    return await process_resource_event(
        lifecycle=all_at_once,
        indexers=OperatorIndexers(),
        registry=registry,
        settings=settings,
        memories=ResourceMemories(),
        memobase=cast("AnyMemo", Memo()),
        resource=Resource("curfew.dev", "v1alpha1", "accessrequests", kind="AccessRequest", namespaced=True),
        raw_event=cast("kopf.RawEvent", event),
        event_queue=asyncio.Queue(),
    )

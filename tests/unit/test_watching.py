"""How an event gets from Kopf to our handlers: as it came, and without a copy. Kopf's own processing is left out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, cast

import kopf
import pytest
from kopf._cogs.structs.ephemera import AnyMemo, Memo
from kopf._cogs.structs.references import Resource
from kopf._core.actions.lifecycles import all_at_once
from kopf._core.engines.indexing import OperatorIndexers
from kopf._core.reactor import orchestration, processing
from kopf._core.reactor.inventory import ResourceMemories
from kopf._core.reactor.processing import process_resource_event

from curfew.core.keys import Key, RequestKey
from curfew.processes.operator import kopf_alone, watching
from curfew.processes.operator.known import Store
from tests.support.builders import a_request

REQUESTS: Final = Resource("curfew.dev", "v1alpha1", "accessrequests", kind="AccessRequest", namespaced=True)

Process = Callable[[Store, list[Key], dict[str, Any]], Awaitable[str | None]]


class Uncopied(str):
    """A text that must not be copied: copying a request costs more than looking at it."""

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise AssertionError("the object was copied")


@pytest.fixture(params=["handed over", "processed by Kopf"])
def process(request: pytest.FixtureRequest) -> Process:
    """Both ways of an event: the second is that of a version of Kopf in which the first is not found."""
    return _handed_over if request.param == "handed over" else _processed_by_kopf


@pytest.mark.parametrize("type_", [None, "ADDED", "MODIFIED"], ids=["listed", "added", "modified"])
async def test_an_event_reaches_the_store_as_it_came_and_gives_the_request_its_turn(
    process: Process, type_: str | None
) -> None:
    """The list and the watch alike, without a copy and without anything to be written back."""
    store, turns = Store(), list[Key]()
    body = _body()

    changed = await process(store, turns, {"type": type_, "object": body})

    known = store.request(body["metadata"]["uid"])
    assert known is not None
    assert known.spec.reason == body["spec"]["reason"]
    assert turns == [RequestKey(body["metadata"]["uid"])]
    assert changed is None


async def test_a_deletion_reaches_the_store(process: Process) -> None:
    """The request stays known as gone until its story is closed."""
    store, turns = Store(), list[Key]()
    body = _body()
    await process(store, turns, {"type": "ADDED", "object": body})

    await process(store, turns, {"type": "DELETED", "object": body})

    assert store.memories.of(body["metadata"]["uid"]).is_gone
    assert turns == [RequestKey(body["metadata"]["uid"])] * 2


async def test_what_cannot_be_taken_in_ends_nothing(
    process: Process, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An exception would end Kopf, and with it the process that ends access. It is logged."""
    await process(Store(), [], {"type": "ADDED", "object": {"metadata": {}}})

    assert "KeyError" in caplog.text + capsys.readouterr().out  # Kopf logs by itself


async def test_kopf_starts_its_watches_with_our_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, Kopf takes its function from another place, and each event costs several times as much."""
    taken: list[Any] = []

    async def orchestrator(*, processor: Any, **_: Any) -> None:
        taken.append(processor)

    monkeypatch.setattr(orchestration, "orchestrator", orchestrator)
    seen: list[Any] = []
    handlers = {(REQUESTS.group, REQUESTS.version, REQUESTS.plural): seen.append}
    end, registry, settings = asyncio.Event(), kopf.OperatorRegistry(), kopf.OperatorSettings()
    watching.configure(settings)
    tasks = await watching.start(registry, settings, handlers, end)
    end.set()
    await kopf.run_tasks(tasks)

    await taken[0](resource=REQUESTS, raw_event={"type": "ADDED", "object": {}})
    assert seen == [{"type": "ADDED", "object": {}}]
    assert processing.process_resource_event is process_resource_event  # as it was


def test_a_version_of_kopf_with_other_inner_modules_does_what_it_likes() -> None:
    """It calls the handlers by itself: more slowly, and nothing ends."""
    assert vars(kopf_alone.inner("kopf._core.reactor.processing"))["process_resource_event"] is process_resource_event
    assert "process_resource_event" not in vars(kopf_alone.inner("kopf._core.of_another_version"))


async def test_kopf_starts_for_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the user is a number that /etc/passwd does not have, and no variable names it."""
    for name in ("POD_ID", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def nobody(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    async def orchestrator(**_: Any) -> None:
        """Watch nothing."""

    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(orchestration, "orchestrator", orchestrator)
    end, settings = asyncio.Event(), kopf.OperatorSettings()
    watching.configure(settings)

    tasks = await watching.start(kopf.OperatorRegistry(), settings, {}, end)

    end.set()
    await kopf.run_tasks(tasks)


def _body() -> dict[str, Any]:
    body = a_request()
    body["metadata"] |= {"uid": "uid-1", "resourceVersion": "7", "generation": 1}
    body["spec"]["reason"] = Uncopied(body["spec"]["reason"])
    return body


async def _handed_over(store: Store, turns: list[Key], event: dict[str, Any]) -> str | None:
    """Hand over an event as Kopf's workers do."""
    with watching.handing_over(watching.make_handlers(store, turns.append, lambda _: None)):
        process: Any = processing.process_resource_event
    changed: str | None = await process(resource=REQUESTS, raw_event=event, registry=kopf.OperatorRegistry())
    return changed


async def _processed_by_kopf(store: Store, turns: list[Key], event: dict[str, Any]) -> str | None:
    """Have Kopf process an event as its workers do."""
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    watching.configure(settings)
    watching.register(registry, watching.make_handlers(store, turns.append, lambda _: None))
    return await process_resource_event(
        lifecycle=all_at_once,
        indexers=OperatorIndexers(),
        registry=registry,
        settings=settings,
        memories=ResourceMemories(),
        memobase=cast("AnyMemo", Memo()),
        resource=REQUESTS,
        raw_event=cast("kopf.RawEvent", event),
        event_queue=asyncio.Queue(),
    )

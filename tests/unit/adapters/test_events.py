"""Events are told once, in the background, and are in nobody's way."""

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from curfew.adapters.events import CROWD, PATIENCE, REFUSALS, TRICKLE, Recorder, event_name, render_event
from curfew.core.notices import Notice, Regarding
from curfew.ports import AlreadyExists, ClusterError, Forbidden, Json, NotFound, Unavailable

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
NOTICE = Notice(
    namespace="payments",
    regarding=Regarding("curfew.dev/v1alpha1", "AccessRequest", "inc-4711", "payments", "uid-1"),
    type="Normal",
    reason="AccessGranted",
    action="Grant",
    note="alice@example.com has payments-debug until 21:00 UTC",
    key="",
)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


class Store:
    """Takes Events; fails first with what is in `failures`."""

    def __init__(self, *failures: ClusterError) -> None:
        self.failures = list(failures)
        self.events: list[Json] = []
        self.calls = 0

    async def create_event(self, manifest: Json) -> None:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.events.append(manifest)

    @property
    def keys(self) -> list[Any]:
        return [event["note"] for event in self.events]


def notice(key: str) -> Notice:
    return dataclasses.replace(NOTICE, key=key, note=key)


class Heard(Counter[str]):
    def drop(self, why: str) -> None:
        self[why] += 1


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    yield
    await recorder.drained()
    assert not task.done()
    task.cancel()


def test_the_manifest_is_what_the_api_server_takes() -> None:
    assert render_event(NOTICE, event_name(NOTICE), NOW, "curfew-0") == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": event_name(NOTICE), "namespace": "payments"},
        "eventTime": "2026-11-23T20:00:00.000000Z",
        "reportingController": "curfew.dev/curfew",
        "reportingInstance": "curfew-0",
        "regarding": {
            "apiVersion": "curfew.dev/v1alpha1",
            "kind": "AccessRequest",
            "name": "inc-4711",
            "namespace": "payments",
            "uid": "uid-1",
        },
        "type": "Normal",
        "reason": "AccessGranted",
        "action": "Grant",
        "note": "alice@example.com has payments-debug until 21:00 UTC",
    }


def test_the_name_follows_from_what_is_told() -> None:
    name = event_name(NOTICE)
    assert name == "inc-4711.ec267d91a360e6c8"
    assert event_name(dataclasses.replace(NOTICE, note="other words", type="Warning")) == name
    others = [
        dataclasses.replace(NOTICE, key="1"),
        dataclasses.replace(NOTICE, reason="AccessEnded"),
        dataclasses.replace(NOTICE, regarding=dataclasses.replace(NOTICE.regarding, uid="uid-2")),
    ]
    assert len({name, *(event_name(other) for other in others)}) == 4


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("inc-4711", "inc-4711"),
        ("a" * 39 + "-b", "a" * 39),
        ("a.b-c.d", "a.b-c.d"),
        ("system:Weird::Name", "system-weird-name"),
        (":::", "object"),
    ],
    ids=["a plain one", "cut at a dash", "with dots", "no DNS name", "nothing left"],
)
def test_the_name_is_one_that_the_api_server_takes(name: str, prefix: str) -> None:
    about = dataclasses.replace(NOTICE.regarding, name=name)
    assert event_name(dataclasses.replace(NOTICE, regarding=about)).rpartition(".")[0] == prefix


def test_a_note_too_long_is_cut_between_characters() -> None:
    event = render_event(dataclasses.replace(NOTICE, note="ü" * 600), "x", NOW, "curfew-0")
    assert len(event["note"].encode()) <= 1024
    assert event["note"].endswith("ü…")


async def test_what_is_told_is_posted_in_order() -> None:
    store, heard = Store(), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        for key in "abc":
            recorder.post(notice(key))
    assert store.keys == ["a", "b", "c"]
    assert not heard


async def test_what_is_told_twice_is_posted_once() -> None:
    store, heard = Store(AlreadyExists("by a replica")), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        recorder.post(notice("a"))
        recorder.post(notice("b"))
        recorder.post(notice("a"))
        await recorder.drained()
        recorder.post(notice("b"))
    assert store.calls == 2
    assert store.keys == ["b"]
    assert not heard


async def test_the_oldest_gives_way_and_is_counted() -> None:
    store, heard = Store(), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop, capacity=2)
    for key in "abcd":
        recorder.post(notice(key))
    async with running(recorder):
        pass
    assert store.keys == ["c", "d"]
    assert heard == {"QueueFull": 2}


async def test_one_that_gave_way_while_it_was_posted_takes_no_other_with_it() -> None:
    heard = Heard()
    store = Store()
    recorder = Recorder(store, StoppedClock(), heard.drop, capacity=1)

    async def slowly(manifest: Json) -> None:
        if not store.events:
            recorder.post(notice("b"))
        store.events.append(manifest)

    store.create_event = slowly  # type: ignore[method-assign]  # it speaks in the middle of a call
    async with running(recorder):
        recorder.post(notice("a"))
    assert store.keys == ["a", "b"]


async def test_a_namespace_that_is_gone_takes_no_events() -> None:
    store, heard = Store(NotFound("namespace")), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        recorder.post(notice("a"))
        recorder.post(notice("b"))
    assert store.keys == ["b"]
    assert heard == {"Refused": 1}


@pytest.mark.looptime
async def test_an_api_server_that_has_just_started_refuses_for_a_moment() -> None:
    """Its authorizer does not know all rules yet; what was refused is posted when it does, and others need not wait."""
    store, heard = Store(Forbidden("no"), Forbidden("no"), Forbidden("no")), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        recorder.post(notice("a"))
        recorder.post(notice("b"))
        recorder.post(notice("c"))
        await asyncio.sleep(0.1)
        recorder.post(notice("later"))
    assert (store.keys[0], sorted(store.keys)) == ("later", ["a", "b", "c", "later"])
    assert not heard
    assert asyncio.get_running_loop().time() == pytest.approx(0.5, abs=0.1)


@pytest.mark.looptime
async def test_a_refusal_that_lasts_is_tried_for_a_while_and_then_costs_one_call() -> None:
    """Once for each namespace: a quota there is nobody else's trouble."""
    store, heard = Store(), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)

    async def refuse(manifest: Json) -> None:
        store.calls += 1
        if manifest["metadata"]["namespace"] == "payments":
            raise Forbidden("no")
        store.events.append(manifest)

    store.create_event = refuse  # type: ignore[method-assign]  # it never changes its mind
    async with running(recorder):
        recorder.post(notice("a"))
        await recorder.drained()
        assert (store.calls, heard) == (REFUSALS, {"Refused": 1})
        assert asyncio.get_running_loop().time() == pytest.approx(15.5, abs=0.1)
        recorder.post(notice("b"))
        recorder.post(dataclasses.replace(notice("c"), namespace="billing"))
        await recorder.drained()
    assert (store.calls, heard) == (REFUSALS + 2, {"Refused": 2})
    assert store.keys == ["c"]


@pytest.mark.looptime
async def test_refused_events_fill_no_memory() -> None:
    """They are the first to go if there are too many."""
    store, heard = Store(*[Forbidden("no")] * 10), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop, capacity=10)
    async with running(recorder):
        for key in range(10):
            recorder.post(notice(f"refused-{key}"))
        await asyncio.sleep(0.1)
        for key in range(10):
            recorder.post(notice(f"new-{key}"))
    assert store.keys == [f"new-{key}" for key in range(10)]
    assert heard == {"QueueFull": 10}


@pytest.mark.looptime
async def test_events_wait_for_everything_else() -> None:
    """But no longer than a few seconds, and then they trickle."""
    store, heard, calm = Store(), Heard(), asyncio.Event()

    async def wait() -> None:
        await calm.wait()

    recorder = Recorder(store, StoppedClock(), heard.drop, calm=wait)
    loop = asyncio.get_running_loop()
    async with running(recorder):
        for key in "abcd":
            recorder.post(notice(key))
        await asyncio.sleep(PATIENCE - 0.1)
        assert store.keys == []
        await asyncio.sleep(0.1 + TRICKLE)
        assert 1 <= len(store.keys) <= 2
        calm.set()
        await recorder.drained()
        assert loop.time() == pytest.approx(PATIENCE + TRICKLE, abs=0.01)
    assert store.keys == ["a", "b", "c", "d"]


async def test_in_a_crowd_the_latest_about_an_object_is_enough() -> None:
    """A warning is never left out, and neither is anything while there is room."""
    store, heard = Store(), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)

    def about(number: int, key: str, **more: Any) -> Notice:
        regarding = dataclasses.replace(NOTICE.regarding, uid=f"uid-{number}")
        return dataclasses.replace(notice(f"{number} {key}"), regarding=regarding, **more)

    recorder.post(about(0, "accepted"))
    recorder.post(about(0, "granted"))
    for number in range(1, CROWD):
        recorder.post(about(number, "accepted"))
    recorder.post(about(1, "refused", type="Warning"))
    recorder.post(about(1, "granted"))
    async with running(recorder):
        pass
    assert [key for key in store.keys if key.startswith(("0 ", "1 "))] == [
        "0 accepted",
        "0 granted",
        "1 refused",
        "1 granted",
    ]
    assert heard == {"Superseded": 1}


async def test_a_flood_of_one_person_takes_the_place_of_nobody_elses() -> None:
    """What is too much is dropped from the flood, and the next Event of somebody else does not wait for the rest of it."""
    store, heard = Store(), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop, capacity=100)
    warning = dataclasses.replace(NOTICE, type="Warning")
    recorder.post(dataclasses.replace(warning, key="0", note="before", person="carol"))
    for number in range(5000):
        recorder.post(dataclasses.replace(warning, key=f"flood-{number}", person="mallory"))
    recorder.post(dataclasses.replace(warning, key="1", note="after", person="carol"))
    async with running(recorder):
        pass
    assert [store.keys.index(key) for key in ("before", "after")] == [0, 2]
    assert len(store.keys) == 100
    assert heard == {"QueueFull": 5002 - 100}


@pytest.mark.looptime
async def test_an_api_server_that_comes_back_is_told() -> None:
    store, heard = Store(Unavailable("away"), Unavailable("away")), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        recorder.post(notice("a"))
    assert store.keys == ["a"]
    assert not heard
    assert asyncio.get_running_loop().time() == pytest.approx(1.5)


@pytest.mark.looptime
async def test_an_api_server_that_stays_away_is_given_up_and_the_next_is_tried() -> None:
    store, heard = Store(*[Unavailable("away")] * 8), Heard()
    recorder = Recorder(store, StoppedClock(), heard.drop)
    async with running(recorder):
        recorder.post(notice("a"))
        recorder.post(notice("b"))
    assert store.keys == ["b"]
    assert heard == {"Unavailable": 1}

"""Who waits before an end is sent: a replica that does not lead, while another one does."""

import asyncio
import functools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from curfew.api import names
from curfew.api.times import format_time
from curfew.core.bindings import Binding
from curfew.core.facts import ClockState
from curfew.core.reasons import Reason
from curfew.core.steps import Remove
from curfew.processes.operator.known import Store
from curfew.processes.operator.standby import Alone, Courtesy
from tests.support.builders import NOON
from tests.support.stage import Standing

pytestmark = pytest.mark.looptime(start=0)

END = NOON + timedelta(hours=1)
AGREES = ClockState(ok=True, reason="ClockAgrees", message="", since=NOON)


def a_binding(number: str = "1") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"curfew-r{number}",
            "namespace": "payments",
            "uid": f"b{number}",
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T12:00:00Z",
            "labels": {"curfew.dev/request-uid": f"r{number}"},
            "annotations": {names.ANNOTATION_EXPIRES_AT: format_time(END)},
        },
        "subjects": [],
    }


def over(binding: Binding, reason: Reason = Reason.DURATION_ELAPSED) -> Remove:
    """Return the removal of a binding."""
    return Remove(binding, reason, "")


@pytest.mark.parametrize(
    ("standing", "least", "most"),
    [
        (Standing(), 0.0, 0.0),
        (Standing(leads=False, is_in_office=False), 0.1, 0.25),
        (Standing(leads=False, is_in_office=False, is_held=False), 0.0, 0.0),
    ],
    ids=["the leader", "a standby", "nobody leads"],
)
async def test_how_long_an_end_waits(standing: Standing, least: float, most: float) -> None:
    store = Store()
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    for lot, expected in ((0.0, least), (1.0, most)):
        courtesy = Courtesy(store, standing, lambda: AGREES, jitter=functools.partial(float, lot))
        began = asyncio.get_running_loop().time()
        assert await courtesy.is_our_turn("r1", over(binding))
        assert asyncio.get_running_loop().time() - began == pytest.approx(expected)


async def test_what_the_leader_has_ended_meanwhile_is_not_ended_again() -> None:
    store = Store()
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    courtesy = Courtesy(store, Standing(leads=False, is_in_office=False), lambda: AGREES)
    asking = asyncio.create_task(courtesy.is_our_turn("r1", over(binding)))
    await asyncio.sleep(0.05)
    store.see_binding_deleted(a_binding())
    assert not await asking


async def test_an_end_of_another_that_waits_as_well_shows_that_the_leader_is_at_work() -> None:
    """By lot, the first of many that looks may be one of the last that the leader ends."""
    store, lots = Store(), iter((0.0, 1.0))
    store.see_binding(a_binding())
    store.see_binding(a_binding("2"))
    first, second = store.binding("r1"), store.binding("r2")
    assert first is not None
    assert second is not None
    courtesy = Courtesy(store, Standing(leads=False, is_in_office=False), lambda: AGREES, jitter=lambda: next(lots))
    looks_first = asyncio.create_task(courtesy.is_our_turn("r1", over(first)))
    looks_last = asyncio.create_task(courtesy.is_our_turn("r2", over(second)))
    await asyncio.sleep(0.05)
    store.lose_binding(second)
    await asyncio.sleep(0.1)
    assert not looks_first.done()
    store.lose_binding(first)
    assert not await looks_first
    assert not await looks_last


async def test_an_end_of_another_is_news_once() -> None:
    """Seen again when its own turn comes, it would show a leader at work that has died since."""
    store, lots = Store(), iter((0.0, 0.5))
    store.see_binding(a_binding())
    store.see_binding(a_binding("2"))
    first, second = store.binding("r1"), store.binding("r2")
    assert first is not None
    assert second is not None
    courtesy = Courtesy(store, Standing(leads=False, is_in_office=False), lambda: AGREES, jitter=lambda: next(lots))
    began = asyncio.get_running_loop().time()
    looks_at_both = asyncio.create_task(courtesy.is_our_turn("r1", over(first)))
    looks_later = asyncio.create_task(courtesy.is_our_turn("r2", over(second)))
    await asyncio.sleep(0.05)
    store.lose_binding(second)
    assert await looks_at_both
    assert asyncio.get_running_loop().time() - began < 0.26
    assert not await looks_later


async def test_a_leader_that_is_at_work_is_left_its_ends_for_a_second_at_most() -> None:
    store = Store()
    store.see_binding(a_binding())
    store.see_binding(a_binding("2"))
    first, second = store.binding("r1"), store.binding("r2")
    assert first is not None
    assert second is not None
    courtesy = Courtesy(store, Standing(leads=False, is_in_office=False), lambda: AGREES, jitter=lambda: 0.0)
    loop = asyncio.get_running_loop()

    async def leader_works(first: int) -> None:
        await asyncio.sleep(first / 10_000)
        for number in range(first, first + 100):
            store.see_binding(a_binding(str(number)))
            other = store.binding(f"r{number}")
            assert other is not None
            asking = asyncio.create_task(courtesy.is_our_turn(f"r{number}", over(other)))
            await asyncio.sleep(0.05)
            store.lose_binding(other)
            assert not await asking

    working = [asyncio.create_task(leader_works(first)) for first in (200, 400, 600)]
    await asyncio.sleep(0.2)
    began = loop.time()
    assert await courtesy.is_our_turn("r1", over(first))
    assert 0.95 < loop.time() - began < 1.2
    for each in working:
        each.cancel()
    await asyncio.sleep(1)
    began = loop.time()
    assert await courtesy.is_our_turn("r2", over(second))
    assert loop.time() - began == pytest.approx(0.1)


async def test_a_clock_that_is_wrong_ends_nothing_while_another_replica_leads() -> None:
    store, standing, clock = Store(), Standing(leads=False, is_in_office=False), [replace(AGREES, ok=False)]
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    asking = asyncio.create_task(Courtesy(store, standing, lambda: clock[0]).is_our_turn("r1", over(binding)))
    await asyncio.sleep(30)
    assert not asking.done()
    standing.is_held = False
    async with asyncio.timeout(2):
        assert await asking


async def test_a_clock_that_is_wrong_holds_up_no_end_that_has_passed_for_the_api_server_too() -> None:
    """The leader may stand still, and its Lease runs out only after seconds."""
    store, passed = Store(), set[datetime]()
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    standing, wrong = Standing(leads=False, is_in_office=False), replace(AGREES, ok=False)
    asking = asyncio.create_task(
        Courtesy(store, standing, lambda: wrong, passed.__contains__).is_our_turn("r1", over(binding))
    )
    await asyncio.sleep(10)
    assert not asking.done()
    passed.add(END)
    async with asyncio.timeout(0.5):
        assert await asking


async def test_a_clock_that_is_wrong_holds_up_no_end_that_somebody_decided() -> None:
    store, standing = Store(), Standing(leads=False, is_in_office=False)
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    async with asyncio.timeout(0.5):
        assert await Courtesy(store, standing, lambda: replace(AGREES, ok=False)).is_our_turn(
            "r1", over(binding, Reason.REVOKED_BY_APPROVER)
        )


async def test_a_process_that_is_alone_never_waits() -> None:
    store = Store()
    store.see_binding(a_binding())
    binding = store.binding("r1")
    assert binding is not None
    assert await Courtesy(store, Alone(), lambda: replace(AGREES, ok=False)).is_our_turn("r1", over(binding))
    assert asyncio.get_running_loop().time() == 0

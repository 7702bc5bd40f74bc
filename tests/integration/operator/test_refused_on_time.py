"""On time means refused: the last call that a person is allowed, at each of two API servers on one etcd.

An API server decides by what its watches of etcd have told it. If one of them stalls, that server goes on to allow what was
allowed before, whatever Curfew does; that is measured here too, and docs/threat-model.md states it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import pytest

from tests.integration.installed import Installed
from tests.integration.operator.people import Person
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.stage import Stage
from tests.support.operator_process import OperatorProcess
from tests.support.stalling import Stalling
from tools.servers.ports import free_port, give_back

BETWEEN_CALLS: Final = 0.005
BEFORE: Final = timedelta(seconds=3)
"""How long before its end a person begins to call."""

LASTS: Final = timedelta(seconds=16)
LONGER: Final = timedelta(seconds=20)
STALLED_SECONDS: Final = 2.0
"""How long the stall lasts after the other API server has refused."""


@dataclass(frozen=True, slots=True)
class Refused:
    """How one API server came to refuse somebody."""

    allowed: datetime  # when the last call was sent that was allowed
    refused: datetime  # when the first was refused


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a grant, at one API server."""

    person: Person
    asked: Asked

    async def is_allowed(self) -> bool:
        """Make one call that only the grant allows."""
        path = f"/api/v1/namespaces/{self.asked.place.namespace}/configmaps/kube-root-ca.crt"
        status = (await self.person.get(path)).status
        # Who may see it is asked before whether it is there: a controller makes it some time after the namespace.
        assert status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN), status
        return status != HTTPStatus.FORBIDDEN

    async def until_allowed(self) -> None:
        """Return when this API server knows of the grant."""
        async with asyncio.timeout(SOON):
            while True:
                if await self.is_allowed():
                    return
                await asyncio.sleep(BETWEEN_CALLS)

    async def until_refused(self) -> Refused:
        """Call again and again from shortly before the end on, until a call is refused."""
        await asyncio.sleep((self.asked.time("expiresAt") - BEFORE - now()).total_seconds())
        allowed = None
        async with asyncio.timeout(SOON):
            while True:
                sent = now()
                if await self.is_allowed():
                    allowed = sent
                else:
                    assert allowed is not None, f"{self.asked} was refused before its end"
                    return Refused(allowed, now())
                await asyncio.sleep(BETWEEN_CALLS)


@pytest.fixture(scope="module")
def road(cluster: Installed) -> Iterator[Stalling]:
    """Return a road to etcd on which watches can be held up."""
    port = free_port()
    with Stalling(port, cluster.environment.control_plane.etcd_port) as road:
        yield road
    give_back(port)


@pytest.fixture(scope="module")
def another(cluster: Installed, road: Stalling) -> Iterator[str]:
    """Return a second API server, by that road."""
    with cluster.environment.control_plane.another_apiserver(road.url) as url:
        yield url


def at(server: str, person: Person) -> Person:
    """Return the same person, at another API server."""
    return Person(person.name, server, person.session)


async def granted(place: Place, lasts: timedelta, by: Person) -> Asked:
    """Return an active grant."""
    return await place.active(by, duration="1h", notAfter=f"{now() + lasts:%Y-%m-%dT%H:%M:%SZ}")


def late(refusals: Sequence[Refused], grants: Sequence[Asked]) -> str:
    """Return the latest call that was allowed, after the end of its grant."""
    latest = max(each.allowed - asked.time("expiresAt") for each, asked in zip(refusals, grants, strict=True))
    return f"{latest.total_seconds() * 1000:.0f} ms"


async def test_the_last_call_that_is_allowed(
    stage: Stage,
    operator: OperatorProcess,
    another: str,
    road: Stalling,
    record_property: Callable[[str, object], None],
) -> None:
    """Both refuse as soon as the binding is gone; one whose watches stall refuses when they go on."""
    assert operator.is_running
    places = [await stage.place(), await stage.place()]
    alice, carol = places[0].people.alice, places[0].people.carol
    first = await asyncio.gather(*(granted(place, LASTS, alice) for place in places))
    second = await asyncio.gather(*(granted(place, LONGER, carol) for place in places))
    here = {asked.uid: Caller(alice if asked in first else carol, asked) for asked in (*first, *second)}
    there = {uid: Caller(at(another, caller.person), caller.asked) for uid, caller in here.items()}
    for caller in (*here.values(), *there.values()):
        await caller.until_allowed()

    both = [caller[asked.uid] for caller in (here, there) for asked in first]
    refusals = await asyncio.gather(*(caller.until_refused() for caller in both))
    record_property("last call allowed after the end", late(refusals[:2], first))
    record_property("last call allowed after the end, at another API server", late(refusals[2:], first))

    road.stall()
    try:
        lagging = [asyncio.create_task(there[asked.uid].until_refused()) for asked in second]
        await asyncio.gather(*(here[asked.uid].until_refused() for asked in second))
        await asyncio.sleep(STALLED_SECONDS)  # the stall itself
        assert [await there[asked.uid].is_allowed() for asked in second] == [True, True], "its watches did not stall"
        ended = now()
    finally:
        road.flow()
    refusals = await asyncio.gather(*lagging)
    record_property("the same, with stalled watches", late(refusals, second))
    latest = max(each.allowed for each in refusals) - ended
    record_property("last call allowed after the stall", f"{max(latest, timedelta(0)).total_seconds() * 1000:.0f} ms")

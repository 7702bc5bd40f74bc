"""A flood by one person, refused on a real API server: a bounded number of records in the bucket, and none forgotten."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from curfew.audit.record import Record
from curfew.core.counting import OWN_RECORDS
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Place
from tests.support.operator_process import OperatorProcess
from tests.support.scale import soaks

FLOOD: Final = 300 if soaks() else 100
WAITING: Final = 3
AT_A_TIME: Final = 6

AFTER_THE_HOUR: Final = timedelta(minutes=65)
"""How far the last operator's clock is ahead, so that the hour of the flood is over."""

COUNTED_SECONDS: Final = 60.0


async def flood(place: Place, number: int) -> None:
    """Have alice ask, some requests at a time."""
    numbers = iter(range(number))

    async def ask() -> None:
        for _ in numbers:
            (await place.people.alice.post(place.path, place.request(place.people.alice))).done()

    await asyncio.gather(*(ask() for _ in range(AT_A_TIME)))


def refused(place: Place) -> Counter[str]:
    """Return how many of alice's requests were refused, by the hour in which they are counted; empty for no hour."""
    return Counter(
        body["status"].get("countedIn", "")
        for body in place.sights.requests.objects.values()
        if body["metadata"]["namespace"] == place.namespace and body.get("status", {}).get("phase") == "Failed"
    )


def counts_of(log: Evidence, place: Place) -> list[Record]:
    """Return the counts of one namespace: other tests may have left counted requests in others."""
    counts = (record for record in log.records if record.event == "request.rejections_counted")
    return [record for record in counts if record.block["detail"].get("namespace") == place.namespace]


async def all_refused(place: Place, number: int) -> None:
    """Return when each request of alice has its answer."""
    async with asyncio.timeout(90):
        while refused(place).total() != number - WAITING:  # noqa: ASYNC110  to look at all after each change is slow
            await asyncio.sleep(0.2)


async def test_a_flood_makes_few_records_and_one_exact_count(
    new_operator: Callable[..., OperatorProcess],
    place: Place,
    read_log: Callable[[OperatorProcess], Evidence],
) -> None:
    """The operator is killed in between; others have their whole stories (promises P7 and P10)."""
    await place.apply(place.policy("debug", limits={"pendingPerRequester": WAITING}))
    operator = new_operator()
    operator.start()
    try:
        await asyncio.to_thread(operator.await_ready)
        await flood(place, FLOOD // 2)
        await all_refused(place, FLOOD // 2)
        operator.kill()
        operator.start()
        await asyncio.to_thread(operator.await_listed)
        await flood(place, FLOOD // 2)
        for _ in range(WAITING):
            await place.pending(place.people.carol)
        carols = await place.ask(place.people.carol)
        await all_refused(place, FLOOD + 1)
        await carols.phase("Failed")
        await carols.closed()
        granted = await place.ask(place.people.carol, "automatic")
        await granted.phase("Active")
        counted = await asyncio.to_thread(operator.metric, "curfew_rejections_counted_total")
        operator.stop()
        hours = refused(place)

        operator.set_clock(AFTER_THE_HOUR)
        operator.start()
        async with asyncio.timeout(COUNTED_SECONDS):
            while True:
                log = await asyncio.to_thread(read_log, operator)
                counts = counts_of(log, place)
                if len(counts) == len(hours.keys() - {""}):
                    break
                await asyncio.sleep(0.5)
        await granted.phase("Expired")
        await granted.closed()
        log = await asyncio.to_thread(read_log, operator)
    finally:
        operator.kill()

    told = {record.block["detail"]["hour"]: record.block["detail"]["rejected"] for record in counts}
    assert told == {hour: number for hour, number in hours.items() if hour}
    here = [one for one in log.records if one.block.get("story", {}).get("namespace") == place.namespace]
    own = [one for one in here if one.event == "request.rejected" and one.subject != carols.uid]
    assert len(own) == hours[""] - 1  # without that of carol
    assert OWN_RECORDS <= len(own) <= OWN_RECORDS * (1 + len(told))  # an hour may have ended in between
    alices = [record for record in (*here, *counts) if record.block["actor"] == place.people.alice.name]
    assert len(alices) == WAITING + len(own) + len(counts)
    assert log.story(carols.uid) == ["request.created", "request.rejected", "request.closed"]
    assert log.story(granted.uid)[-2:] == ["grant.expired", "request.closed"]
    assert log.twice == []
    assert 0 < counted <= sum(told.values())  # of the second process alone

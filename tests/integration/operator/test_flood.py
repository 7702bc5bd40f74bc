"""One person's flood of requests is that person's alone: others are served, ends are on time, and a restart gets through it."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from tests.integration.operator.place import SOON, Asked, Place, now
from tests.integration.operator.pulse import Pulse
from tests.support.operator_process import OperatorProcess, dead
from tests.support.pausing import a_moment
from tests.support.scale import soaks

FLOOD: Final = 3000 if soaks() else 200
"""How many requests there are."""

AT_A_TIME: Final = 6
"""How many requests are under way at a time: the API server is to be slow for nobody because of the test itself."""

BEFORE_OTHERS: Final = 200 if soaks() else 80
"""How many requests of the flood may be answered while somebody else's waits. In one line for all it would be nearly all."""

ENDS_WITHIN: Final = timedelta(seconds=2)
"""From a decision that was seen to the end of the access, on a machine that does all of this at once."""

ANSWERED_AFTER: Final = timedelta(seconds=0.5)
"""How much the event loop may compute before it answers `/healthz`: a kubelet waits a second, also for its turn on a core."""

CHECKOUT: Final = Path(__file__).parents[3]

Measured = Callable[[str, timedelta], None]


class Answered(NamedTuple):
    """What came before an answer."""

    work: timedelta
    """What the event loop computed: it does not depend on what else the machine has to do."""
    wait: timedelta


async def flood(place: Place, number: int) -> None:
    """Have alice ask, some requests at a time."""
    numbers = iter(range(number))

    async def ask() -> None:
        for _ in numbers:
            (await place.people.alice.post(place.path, place.request(place.people.alice))).done()

    await asyncio.gather(*(ask() for _ in range(AT_A_TIME)))


@asynccontextmanager
async def asked_all_the_time(operator: OperatorProcess) -> AsyncIterator[list[Answered]]:
    """Ask `/healthz` ten times a second, and keep what came before each answer."""
    answers: list[Answered] = []

    async def ask() -> None:
        while True:
            started, before = time.monotonic(), operator.computed()
            await asyncio.to_thread(operator.healthz)
            answers.append(Answered(operator.computed() - before, timedelta(seconds=time.monotonic() - started)))
            await asyncio.sleep(0.1)

    asking = asyncio.create_task(ask())
    try:
        yield answers
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


async def ended_after(asked: Asked) -> timedelta:
    """Return how long after a decision was seen the access was over."""
    await asked.until(lambda: len(asked.status["decisions"]) > 0, "the decision")
    decided = now()
    return await asked.unbound() - decided


def answered(place: Place) -> Counter[str]:
    """Return how many of alice's requests are in which phase."""
    alices = (place.namespace, place.people.alice.name)
    return Counter(
        body["status"]["phase"]
        for body in place.sights.requests.objects.values()
        if (body["metadata"]["namespace"], body["spec"]["requester"]) == alices and "phase" in body.get("status", {})
    )


async def all_answered(place: Place, number: int) -> None:
    """Return when each request of alice has a phase: three wait, all others were told why not."""
    wanted = {"Pending": 3, "Failed": number - 3}
    async with asyncio.timeout(90 + number / 10):
        while answered(place) != wanted:  # noqa: ASYNC110  to look at a thousand after each change would be slow
            await asyncio.sleep(0.2)


async def test_a_flood_of_one_person_is_that_persons_alone(
    operator: OperatorProcess,
    place: Place,
    pulse: Pulse,
    measured: Measured,
    record_property: Callable[[str, object], None],
) -> None:
    """Others are granted and their ends are on time; each of hundreds of requests gets its answer (promises P1, P3, P11)."""
    await place.apply(place.policy("debug", limits={"pendingPerRequester": 3}))
    took, ends, before = [], [], []
    began = now()
    async with asked_all_the_time(operator) as answers:
        flooding = asyncio.create_task(flood(place, FLOOD))
        while not flooding.done():
            started, so_far = now(), answered(place).total()
            asked = await place.ask(place.people.carol, "automatic")
            await asked.phase("Active", seconds=30)
            took.append(now() - started)
            before.append(answered(place).total() - so_far)
            (await asked.decide(place.people.carol, "Cancel")).done()
            ends.append(await ended_after(asked))
        await flooding
        await all_answered(place, FLOOD)
    measured("longest way to a grant of somebody else", max(took))
    measured("longest way to the end of somebody else's access", max(ends))
    measured("longest wait for an answer of /healthz", max(answer.wait for answer in answers))
    measured("most that the event loop computed before such an answer", max(answer.work for answer in answers))
    record_property("peak of memory", f"{operator.peak_memory() // 2**20} MiB")
    assert max(before) < BEFORE_OTHERS
    assert max(ends) < pulse.within(ENDS_WITHIN, began, now())
    assert max(answer.work for answer in answers) < ANSWERED_AFTER


async def test_a_restart_serves_others_before_it_is_through_with_the_flood(
    operator: OperatorProcess, place: Place, measured: Measured
) -> None:
    """The requests came while nobody looked; those of others wait for none of them (promises P3 and P10)."""
    await place.apply(place.policy("debug", limits={"pendingPerRequester": 3}))
    with dead(operator):
        await flood(place, FLOOD // 2)
        asked = await place.ask(place.people.carol, "automatic")
    await asyncio.to_thread(operator.await_listed)
    listed = now()

    await asked.phase("Pending", "Approved", "Active", seconds=30)
    assert answered(place).total() < BEFORE_OTHERS
    await asked.phase("Active", seconds=30)
    measured("from listed to the grant of somebody else", now() - listed)
    await all_answered(place, FLOOD // 2)
    measured("from listed to an answer to all", now() - listed)


async def test_a_quota_refuses_what_is_too_much_at_once(place: Place) -> None:
    """As in `examples/quota.yaml`, with a smaller number: the API server counts AccessRequests, and says no."""
    quota = yaml.safe_load((CHECKOUT / "examples" / "quota.yaml").read_text())
    (counted,) = quota["spec"]["hard"]
    quota["metadata"]["namespace"] = place.namespace
    alice, status = (
        place.people.alice,
        f"/api/v1/namespaces/{place.namespace}/resourcequotas/{quota['metadata']['name']}/status",
    )

    async def allow(number: int) -> None:
        """Set the quota, and return when the API server goes by it; a dry run counts for nothing."""
        quota["spec"]["hard"] = {counted: f"{number}"}
        await place.apply(quota)
        # The controller that counts what is there at the beginning is not run here: nothing is.
        counts = [{"op": "add", "path": "/status", "value": {"hard": {counted: f"{number}"}, "used": {counted: "0"}}}]
        (await place.people.admin.patch(status, counts)).done()
        async with asyncio.timeout(SOON):
            while (await alice.post(f"{place.path}?dryRun=All", place.request(alice))).is_ok is (number == 0):
                await a_moment()

    await allow(0)
    await allow(2)
    answers = [await alice.post(place.path, place.request(alice)) for _ in range(3)]

    assert [answer.is_ok for answer in answers] == [True, True, False]
    assert "exceeded quota: accessrequests" in answers[-1].message

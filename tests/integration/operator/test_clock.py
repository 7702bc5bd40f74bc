"""A clock that is constantly wrong, on a real API server: nothing is granted by it, it is told, and access ends."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from tests.integration.installed import SYSTEM
from tests.integration.operator.place import SOON, Place, now
from tests.support.operator_process import OperatorProcess
from tests.support.pausing import a_moment

TEN_MINUTES = timedelta(minutes=10)


async def test_a_clock_that_is_ten_minutes_off_grants_nothing(
    new_operator: Callable[..., OperatorProcess], place: Place, record_property: Callable[[str, object], None]
) -> None:
    """Slow, it waits, and ends access by the API server's clock; right again, it grants; fast, it grants nothing either."""
    operator = new_operator()
    operator.set_clock(-TEN_MINUTES)
    operator.start()
    try:
        await asyncio.to_thread(operator.await_listed)
        asked = await place.ask(place.people.alice, "automatic", duration="5m")
        await asked.said("Active", "ClockWrong")

        message = asked.condition("Active")["message"]
        assert "s behind the API server's: nothing is granted until the clocks agree to within 5 s" in message
        assert asked.status["phase"] == "Approved"
        assert (await asked.binding_now()).status == 404
        status, ready = await asyncio.to_thread(operator.readyz)
        assert (status, ready["parts"]["clock"]) == (503, message.removeprefix("the grant waits: "))
        async with asyncio.timeout(SOON):
            while not -600.5 <= await asyncio.to_thread(operator.metric, "curfew_clock_ahead_seconds") <= -598.0:
                await a_moment()
            while "ClockWrong" not in {event["reason"] for event in await place.events(asked.uid)}:
                await a_moment()
            told = f"/apis/events.k8s.io/v1/namespaces/{SYSTEM}/events?limit=5000"
            while "ClockWrong" not in {e["reason"] for e in (await place.people.admin.get(told)).done()["items"]}:
                await a_moment()

        operator.set_clock(timedelta(0))
        await asyncio.to_thread(operator.restart)
        await asked.phase("Active")

        end = now() + timedelta(seconds=12)
        ends = await place.active(place.people.carol, duration="1h", notAfter=f"{end:%Y-%m-%dT%H:%M:%SZ}")
        operator.set_clock(-TEN_MINUTES)
        await asyncio.to_thread(operator.restart)
        await ends.phase("Expired")
        late = await ends.unbound() - ends.time("expiresAt")
        # A Date is cut to the second, and the operator may have begun after the end.
        record_property("late by a clock that is ten minutes behind", f"{late.total_seconds():.2f} s")
        assert timedelta(0) <= late < TEN_MINUTES / 2
        assert ends.time("endedAt") >= ends.time("expiresAt")
        await asked.phase("Active")

        operator.set_clock(TEN_MINUTES)
        await asyncio.to_thread(operator.restart)
        await asked.phase("Expired")
        other = await place.ask(place.people.carol, "automatic")
        await other.said("Active", "ClockWrong")
        assert "s ahead of the API server's" in other.condition("Active")["message"]
        assert (await other.binding_now()).status == 404
    finally:
        operator.kill()

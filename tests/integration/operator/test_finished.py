"""A finished request goes after `finished.keepFor`; its story stays in the log."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from curfew.api.times import format_time
from tests.integration.installed import SYSTEM, Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import SOON, Asked, Place, now
from tests.support.operator_process import OperatorProcess

KEEP_FOR = timedelta(seconds=8)


@pytest.fixture(scope="module")
def operator(new_operator: Callable[..., OperatorProcess]) -> Iterator[OperatorProcess]:
    """Return an operator that keeps finished requests for a few seconds."""
    process = new_operator(keep_for=f"{KEEP_FOR.seconds}s")
    process.start()
    try:
        process.await_ready()
        yield process
        process.await_ready()
    except BaseException:
        process.kill()
        raise
    process.stop()


async def gone(asked: Asked) -> timedelta:
    """Return how long after its end a request was deleted."""
    at = await asked.place.sights.requests.gone(asked.uid, KEEP_FOR.seconds + 3 * SOON)
    return at - asked.time("endedAt")


async def test_a_request_is_granted_expires_is_closed_and_goes(
    operator: OperatorProcess,
    place: Place,
    read_log: Callable[[OperatorProcess], Evidence],
    measured: Callable[[str, timedelta], None],
) -> None:
    """The whole of its life, and what is left of it: the log, which holds all of the story and no word of the deletion."""
    end = now().replace(microsecond=0) + timedelta(seconds=10)
    asked = await place.active(place.people.alice, notAfter=format_time(end))
    await asked.phase("Expired", seconds=10 + SOON)
    await asked.closed()
    kept = await gone(asked)

    measured("kept after its end", kept)
    assert kept >= KEEP_FOR
    assert "No resources found" in await place.kubectl("get", "accessrequests", user="alice")
    operator.await_so(lambda: operator.metric("curfew_finished_deleted_total") >= 1, "count it", SOON)
    evidence = read_log(operator)
    assert evidence.twice == []
    assert evidence.story(asked.uid) == [
        "request.created",
        "request.accepted",
        "review.submitted",
        "review.approved",
        "grant.intended",
        "grant.activated",
        "grant.expired",
        "request.closed",
    ]
    assert [event["reason"] for event in await asked.events("Expired") if event["type"] == "Warning"] == []


async def test_what_was_never_granted_goes_too_and_what_is_open_stays(operator: OperatorProcess, place: Place) -> None:
    waiting, cancelled = await place.pending(place.people.alice), await place.pending(place.people.alice)
    denied = await place.pending(place.people.carol)
    (await denied.decide(place.people.bob, "Deny")).done()
    (await cancelled.decide(place.people.alice, "Cancel")).done()

    await asyncio.gather(gone(cancelled), gone(denied))

    assert waiting.status["phase"] == "Pending"
    assert place.sights.requests.deleted_at(waiting.uid) is None
    assert operator.is_running


async def test_what_became_due_while_nobody_looked_goes_after_the_start(
    operator: OperatorProcess, place: Place, read_log: Callable[[OperatorProcess], Evidence]
) -> None:
    """An operator that starts finds what the one before it has closed."""
    asked = await place.pending(place.people.alice)
    (await asked.decide(place.people.bob, "Deny")).done()
    await asked.closed()

    operator.kill()
    await asyncio.sleep((asked.time("endedAt") + KEEP_FOR - now()).total_seconds())
    assert place.sights.requests.deleted_at(asked.uid) is None
    operator.start()
    await asyncio.to_thread(operator.await_ready)
    await gone(asked)

    assert read_log(operator).story(asked.uid).count("request.closed") == 1
    assert "request.deleted" not in read_log(operator).story(asked.uid)


async def test_where_it_may_not_delete_it_says_so_once_and_goes_on(
    operator: OperatorProcess, place: Place, cluster: Installed
) -> None:
    """A namespace that has left keeps its finished requests."""
    asked, also = await place.pending(place.people.alice), await place.pending(place.people.carol)
    cluster.opt_out(place.namespace)
    for each in (asked, also):
        (await each.decide(place.people.bob, "Deny")).done()
    await asyncio.gather(asked.closed(), also.closed())

    await asyncio.to_thread(operator.await_said, "finished requests stay in a namespace")

    said = [line for line in operator.lines() if line.get("namespace") == place.namespace and "problem" in line]
    assert len(said) == 1
    assert 'cannot delete resource "accessrequests"' in said[0]["problem"]
    assert place.sights.requests.deleted_at(asked.uid) is None
    cluster.opt_in(place.namespace)


async def test_the_self_test_stays(operator: OperatorProcess, cluster: Installed) -> None:
    """It has been over for long, and every operator needs it."""
    assert operator.is_running
    assert cluster.kubectl("get", "accessrequest", "curfew-probe", "--namespace", SYSTEM).returncode == 0

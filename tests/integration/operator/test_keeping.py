"""What a grant left behind is kept by a decision: recorded once, also long after the request was closed."""

import asyncio
from collections.abc import Callable

from curfew.audit.record import Record
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Asked, Place
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]
WHY = "the CronJob cleans up until the release of Friday"


def kept(evidence: Evidence, asked: Asked) -> list[Record]:
    """Return what the log has of decisions to keep what a request left."""
    records = [one for one in evidence.records if one.subject == asked.uid]
    return [one for one in records if one.block.get("detail", {}).get("decision") == "Keep"]


async def over(place: Place) -> Asked:
    """Return a request of alice's whose grant is over, and which is closed."""
    asked = await place.active(place.people.alice)
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()
    return asked


async def shown(asked: Asked) -> None:
    """Return when the status shows what was made of the decision."""
    await asked.until(
        lambda: any(one["decision"] == "Keep" for one in asked.status.get("reviews", ())), "the decision as seen"
    )


async def test_a_closed_request_is_kept_by_kubectl(operator: OperatorProcess, place: Place, read_log: ReadLog) -> None:
    asked = await over(place)

    (await asked.decide(place.people.bob, "Keep", reason=WHY)).done()
    await shown(asked)

    evidence = await asyncio.to_thread(read_log, operator)
    (record,) = kept(evidence, asked)
    assert (record.event, record.block["actor"]) == ("review.submitted", place.people.bob.name)
    assert record.block["detail"] == {"decision": "Keep", "effect": "TookEffect", "reason": WHY}
    assert evidence.story(asked.uid)[-2:] == ["request.closed", "review.submitted"]
    assert evidence.twice == []
    assert asked.is_closed
    assert asked.status["phase"] == "Revoked"


async def test_one_that_is_kept_while_curfew_is_down_is_recorded_after_the_start(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    first, second = await over(place), await over(place)
    (await first.decide(place.people.bob, "Keep", reason=WHY)).done()
    await shown(first)

    operator.kill()
    (await second.decide(place.people.bob, "Keep", reason=WHY)).done()
    operator.start()
    await asyncio.to_thread(operator.await_ready)
    await shown(second)

    evidence = await asyncio.to_thread(read_log, operator)
    assert [len(kept(evidence, asked)) for asked in (first, second)] == [1, 1]
    assert evidence.twice == []


async def test_it_is_kept_during_the_grant_and_the_grant_goes_on(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    asked = await place.active(place.people.alice)

    (await asked.decide(place.people.bob, "Keep", reason=WHY)).done()
    await shown(asked)

    assert asked.status["phase"] == "Active"
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()
    evidence = await asyncio.to_thread(read_log, operator)
    assert len(kept(evidence, asked)) == 1
    assert evidence.story(asked.uid)[-2:] == ["grant.revoked", "request.closed"]


async def test_who_asked_cannot_keep_what_they_left(operator: OperatorProcess, place: Place) -> None:
    asked = await over(place)

    answer = await asked.decide(place.people.alice, "Keep", reason="it is mine")

    assert answer.status == 403
    assert "you cannot keep what is left of a request that you made" in answer.message
    assert operator.is_running

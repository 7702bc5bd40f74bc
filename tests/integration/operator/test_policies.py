"""What becomes of a policy is in the log once: that it came, how it was changed, that it is gone, whoever looked."""

import asyncio
from collections.abc import Callable

from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import SOON, Place
from tests.support.operator_process import OperatorProcess, dead
from tests.support.pausing import a_moment

ReadLog = Callable[[OperatorProcess], Evidence]

NAME = "changing"


async def recorded(place: Place, generation: int) -> str:
    """Return the UID of the policy, once its status says that this version of it is in the log."""

    def found() -> str | None:
        for body in place.sights.policies.objects.values():
            if (body["metadata"]["namespace"], body["metadata"]["name"]) == (place.namespace, NAME):
                known = body.get("status", {}).get("recorded", {}).get("generation")
                return str(body["metadata"]["uid"]) if known == generation else None
        return None

    return await place.sights.policies.until(found, f"generation {generation} in the log", SOON)


async def told(operator: OperatorProcess, read_log: ReadLog, uid: str, events: list[str]) -> Evidence:
    """Return the log once it tells this of a policy."""
    async with asyncio.timeout(SOON):
        while (evidence := await asyncio.to_thread(read_log, operator)).story(uid) != events:
            await a_moment()
    return evidence


async def test_what_becomes_of_a_policy_is_recorded(operator: OperatorProcess, place: Place, read_log: ReadLog) -> None:
    """Each version once, in words, also when the operator dies in between; what asks for less is a warning."""
    await place.apply(place.policy(NAME))
    uid = await recorded(place, 1)
    await place.apply(place.policy(NAME, maxDuration="2h"))
    await recorded(place, 2)
    with dead(operator):
        await place.apply(place.policy(NAME, maxDuration="1h", approval={"mode": "Automatic"}))
    await recorded(place, 3)
    with dead(operator):
        pass
    await asyncio.to_thread(operator.await_ready)
    await place.kubectl("delete", "accesspolicy", NAME, user="admin")
    events = ["policy.created", "policy.updated", "policy.weakened", "policy.deleted"]
    evidence = await told(operator, read_log, uid, events)

    name = f"AccessPolicy {NAME} in {place.namespace}"
    assert [record.message for record in evidence.by_request[uid]] == [
        f"{name} offers ClusterRole view for at most 4h in mode Review",
        f"{name} was changed: maxDuration is 2h, was 4h",
        f"{name} was weakened: approval.mode is Automatic, was Review",
        f"{name} was deleted; nothing is granted under it any more",
    ]
    weakened = evidence.record(uid, "policy.weakened").block["detail"]
    assert weakened["differences"] == ["maxDuration is 1h, was 2h", "approval.mode is Automatic, was Review"]
    assert weakened["manager"] == "kubectl"
    assert weakened["spec"]["approval"]["mode"] == "Automatic"


async def test_a_policy_that_is_deleted_while_the_operator_is_down_is_recorded(
    operator: OperatorProcess, place: Place, read_log: ReadLog
) -> None:
    """The log is the memory."""
    await place.apply(place.policy(NAME))
    uid = await recorded(place, 1)
    with dead(operator):
        await place.kubectl("delete", "accesspolicy", NAME, user="admin")
    evidence = await told(operator, read_log, uid, ["policy.created", "policy.deleted"])

    assert evidence.record(uid, "policy.deleted").message.endswith("was deleted while Curfew was not watching")
    assert evidence.twice == []

"""The stories in which something is away: a namespace, the bucket, the admission policies, or Curfew itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.integration.operator.courses import A_MINUTE
from tests.integration.operator.evidence import recorded
from tests.integration.operator.place import Asked, Place, now
from tests.integration.operator.tampering import a_binding, unguarded
from tests.recorded.expected import BOB, REVOKED, Expected, reviewed
from tests.recorded.stories import AT_ONCE, LAST, closed, granted
from tests.support.operator_process import OperatorProcess, dead

COLLECTOR_SECONDS: Final = 60.0
"""A garbage collector learns of new kinds every half a minute."""


@dataclass(frozen=True, slots=True)
class Act:
    """What happens while something is away, and what has to be found of each request in it, by the name of its story."""

    steps: Callable[[Place, OperatorProcess], Awaitable[Mapping[str, Asked]]]
    expected: Mapping[str, Expected]


async def without_a_namespace(place: Place, operator: OperatorProcess) -> Mapping[str, Asked]:
    """The namespace goes with all that is in it. The API server chooses whether the binding or the request goes first."""
    asked = await granted(place, duration="10m")
    await asyncio.to_thread(place.cluster.drop_namespace, place.namespace)
    await asked.unbound(COLLECTOR_SECONDS)
    await place.sights.requests.gone(asked.uid, COLLECTOR_SECONDS)
    first = "the binding" if asked.status["phase"] == "Revoked" else "the request"
    return {f"loses its namespace, {first} first": asked}


async def without_a_bucket(place: Place, operator: OperatorProcess) -> Mapping[str, Asked]:
    """The bucket goes: what is approved waits, what is active can be ended; all of it is recorded afterwards."""
    people, s3 = place.people, place.cluster.environment.s3
    waits, revoked = await place.pending(people.alice, duration="10m"), await granted(place, duration="10m")
    await recorded(operator, waits, revoked)
    await asyncio.to_thread(s3.stop)
    (await waits.decide(people.bob)).done()
    await waits.said("Recorded", "StoreUnavailable", A_MINUTE)
    await waits.phase("Approved", "Pending")
    (await revoked.decide(people.bob, "Revoke")).done()
    await revoked.phase("Revoked")
    await asyncio.to_thread(s3.start)
    await waits.phase("Active", seconds=A_MINUTE)
    (await waits.decide(people.alice, "Cancel")).done()
    return {"waits for the bucket": await closed(waits), "is revoked without a bucket": await closed(revoked)}


async def without_a_guard(place: Place, operator: OperatorProcess) -> Mapping[str, Asked]:
    """An administrator takes the admission policy for bindings away, alters a binding, and makes one that is nobody's."""
    asked = await granted(place, duration="10m")
    nobody = "11111111-1111-4111-8111-111111111111"
    async with unguarded(place):
        await place.apply(
            a_binding(place, f"curfew-{nobody}", nobody, **{"curfew.dev/expires-at": "2099-01-01T00:00:00Z"})
        )
        await asked.unbound(uid=nobody)
        change = '{"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]}'
        await place.kubectl(
            *("patch", "rolebinding", f"curfew-{asked.uid}", "--type=merge", f"--patch={change}"), user="admin"
        )
        await asked.unbound()
    return {"sees its binding altered": await closed(asked)}


async def without_the_operator(place: Place, operator: OperatorProcess) -> Mapping[str, Asked]:
    """Curfew is killed: people decide too late, delete and revoke meanwhile."""
    people = place.people
    await place.apply(place.policy("at-once", decideWithin="1m"))
    late = await place.pending(people.alice, "at-once")
    pending = await place.pending(people.carol)
    active, revoked = await granted(place, duration="10m"), await granted(place, duration="10m")
    await recorded(operator, late, pending, active, revoked)
    with dead(operator):
        await pending.delete(people.carol)
        await active.delete(people.alice)
        (await revoked.decide(people.bob, "Revoke")).done()
        await active.unbound(COLLECTOR_SECONDS)
        await asyncio.sleep(max(0.0, (late.time("decideBy") - now()).total_seconds()))
        (await late.decide(people.bob)).done()
    await asyncio.to_thread(operator.await_ready)
    return {
        "is approved too late": await closed(late),
        "is deleted while nobody looks": pending,
        "is deleted with its access while nobody looks": active,
        "is revoked while nobody looks": await closed(revoked),
    }


IN_A_NAMESPACE_OF_ITS_OWN: Final = Act(
    without_a_namespace,
    {
        "loses its namespace, the request first": reviewed("Deleted", "RequestDeleted", REVOKED),
        "loses its namespace, the binding first": reviewed(
            "Revoked", "BindingRemoved", "grant.binding_removed", findings="binding-removed"
        ),
    },
)
"""A recording has one of the two."""

ACTS: Final = (
    Act(
        without_a_bucket,
        {
            "waits for the bucket": reviewed(
                "Revoked", "ReleasedByRequester", REVOKED, f"{BOB}, alice Cancel TookEffect"
            ),
            "is revoked without a bucket": reviewed(
                "Revoked", "RevokedByApprover", REVOKED, f"{BOB}, bob Revoke TookEffect"
            ),
        },
    ),
    Act(
        without_a_guard,
        {"sees its binding altered": reviewed("Revoked", "BindingTampered", REVOKED, findings="binding-drifted")},
    ),
    Act(
        without_the_operator,
        {
            "is approved too late": Expected(
                "TimedOut", "NobodyDecided", decided="bob Approve TooLate", findings="decision-refused"
            ),
            "is deleted while nobody looks": Expected("Deleted", "RequestDeleted", requester="carol"),
            "is deleted with its access while nobody looks": reviewed("Deleted", "RequestDeleted", REVOKED),
            "is revoked while nobody looks": reviewed(
                "Revoked", "RevokedByApprover", REVOKED, f"{BOB}, bob Revoke TookEffect"
            ),
        },
    ),
)
"""Those that follow one after another."""

EXPECTED: Final[Mapping[str, Expected]] = {
    **{story.name: story.expected for story in (*AT_ONCE, LAST)},
    **{name: expected for act in (IN_A_NAMESPACE_OF_ITS_OWN, *ACTS) for name, expected in act.expected.items()},
}
"""What has to be found of each request, by the name of its story."""

OF_THE_LOG: Final = {"policy-weakened": 1, "orphan-binding": 1, "log-outage": 1}
"""How often the log has to show what is about no request, by the kind of exception."""

SELF_TESTS: Final = 1
"""How many requests Curfew makes to test its admission policies."""

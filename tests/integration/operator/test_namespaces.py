"""A namespace that is deleted takes its grants along, in every phase; one that is made anew under its name inherits none."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from curfew.api.times import format_time, parse_time
from tests.integration.operator.evidence import Evidence, recorded
from tests.integration.operator.place import Asked, Place, now
from tests.integration.operator.stage import Stage
from tests.integration.operator.test_rules import closed_story
from tests.support.operator_process import OperatorProcess

ReadLog = Callable[[OperatorProcess], Evidence]

GONE_SECONDS: Final = 60.0
"""A namespace goes when its controller has found everything that is in it."""

ENDS_OF_A_GRANT: Final = ("grant.revoked", "grant.binding_removed")
"""The controller deletes in no order that anybody could tell: what goes first, request or binding, names the end."""

STARTS_IN: Final = timedelta(seconds=20)
"""Within which a namespace is deleted and created again: what waits for its start waits for one that comes after that."""


async def that_nobody_decided(place: Place) -> Asked:
    """Pending."""
    return await place.pending(place.people.alice)


async def that_waits_for_its_start(place: Place) -> Asked:
    """Approved, with an instant that comes when another namespace has the name."""
    start = format_time((now() + STARTS_IN).replace(microsecond=0))
    asked = await place.pending(place.people.alice, notBefore=start)
    (await asked.decide(place.people.bob)).done()
    await asked.phase("Approved")
    return asked


async def that_is_active(place: Place) -> Asked:
    """Granted."""
    return await place.active(place.people.alice, duration="1h")


async def that_is_over(place: Place) -> Asked:
    """Revoked, with its story told."""
    asked = await place.active(place.people.alice)
    (await asked.decide(place.people.bob, "Revoke")).done()
    await asked.closed()
    return asked


IN_EACH_PHASE: Final = (that_is_over, that_nobody_decided, that_is_active, that_waits_for_its_start)
"""The last one waits for an instant, so it comes last."""


async def test_a_namespace_made_anew_inherits_no_access(
    operator: OperatorProcess, stage: Stage, place: Place, read_log: ReadLog
) -> None:
    """Nothing is left of the old one but its records, each once; in the new one, people ask and decide as anywhere."""
    old = [await prepare(place) for prepare in IN_EACH_PHASE]
    await recorded(operator, *old)
    made = [grants_made(asked) for asked in old]
    assert made == [1, 0, 1, 0]

    await place.kubectl("delete", "namespace", place.namespace, f"--timeout={GONE_SECONDS:g}s", user="admin")
    again = await stage.place(named=place.namespace)
    same = [await again.ask(again.people.alice, **asked.body["spec"], name=asked.name) for asked in old]
    for asked in same:
        await asked.phase("Pending")
    left = parse_time(old[-1].body["spec"]["notBefore"]) - now()
    await asyncio.sleep(max(0.0, left.total_seconds()))  # the instant at which the old one would have begun
    await again.active(again.people.carol, name="another")

    assert [asked.status["phase"] for asked in same] == ["Pending"] * len(same)
    assert [grants_made(asked) for asked in (*old, *same)] == [*made, *(0 for _ in same)]
    for asked, grants in zip(old, made, strict=True):
        assert again.sights.binding(asked.uid) is None
        told = Counter(await closed_story(asked, operator, read_log))
        assert [event for event, count in told.items() if count > 1 and event != "review.submitted"] == []
        assert sum(told[event] for event in ENDS_OF_A_GRANT) == grants
        assert grants or told["request.deleted"] + told["grant.activation_failed"] == 1
    assert read_log(operator).twice == []

    for asked in same:
        (await asked.decide(again.people.bob)).done()
        await asked.phase("Active")


def grants_made(asked: Asked) -> int:
    """Return how often a binding was seen to be made for a request."""
    return [sight.type for sight in asked.place.sights.bindings_of(asked.uid)].count("ADDED")

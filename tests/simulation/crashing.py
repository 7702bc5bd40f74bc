"""One story, in which a replica dies at a chosen call of either, and another process starts in its place."""

import re
from collections.abc import Sequence

from tests.simulation.line import CallCounter
from tests.simulation.running import SimulatedWorld, run
from tests.simulation.schedule import PersonActs, SimulatedSchedule
from tests.support.trail import log_of

STORY = SimulatedSchedule(
    seed=1,
    people=(
        PersonActs(1.0, "ask", "inc-0", 10),
        PersonActs(1.2, "Approve", "inc-0"),
        PersonActs(2.0, "ask", "inc-1", 15),
        PersonActs(2.2, "Approve", "inc-1"),
        PersonActs(4.0, "Revoke", "inc-1"),
    ),
    troubles=(),
)
"""One access runs its time, and one is revoked."""

End = tuple[object, object]


def undisturbed() -> tuple[Sequence[str], End]:
    """Return the calls of both replicas in order, and how the story ends, if nothing fails."""
    counter = CallCounter()
    world = run(STORY, counter)
    if world.broken:
        raise AssertionError(world.broken)
    return counter.calls, the_end(world)


def crash_at(number: int, expected: End, *, after_effect: bool) -> list[str]:
    """Return what is wrong if the replica dies that makes this call, before or after the call has had its effect."""
    world = run(STORY, CallCounter(number, after_effect=after_effect))
    found = the_end(world)
    problems = list(world.broken)
    if found != expected:
        problems.append(f"{expected} was to be the end, and it is {found}")
    return problems


def the_end(world: SimulatedWorld) -> End:
    """Return what has to be the same wherever a replica died: how the requests ended, and which records there are."""
    requests = [
        (body["metadata"]["name"], body["status"]["phase"], body["status"]["endReason"], body["status"]["outbox"])
        for body in world.api.all("AccessRequest")
    ]
    told = sorted(
        (record.event, record.block.get("story", {}).get("request", ""))
        for record in log_of(world.store.objects)
        if re.match(r"request\.|review\.|grant\.|policy\.", record.event)
    )
    return requests, told

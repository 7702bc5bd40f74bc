"""The longest of everything that people can write: a real API server takes each status, and the story ends and is told."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from curfew.api.characters import LONGEST_NAME
from curfew.api.crds import crds
from curfew.api.schemas import at
from tests.integration.installed import Installed
from tests.integration.operator.evidence import Evidence
from tests.integration.operator.place import Asked, Place, rule
from tests.integration.operator.thief import bearing, patch_status
from tests.support.operator_process import OperatorProcess, dead
from tests.support.scale import drawn

ReadLog = Callable[[OperatorProcess], Evidence]

DECIDERS: Final = 24
"""How many may approve: the rest of the room is for those who end a request."""

ETCD_LIMIT: Final = 1536 * 1024


@pytest.mark.parametrize("letter", drawn(("&", "\U0001f525"), "the longest of everything"))
async def test_the_longest_of_everything_is_written_ended_and_told(
    cluster: Installed,
    operator: OperatorProcess,
    place: Place,
    read_log: ReadLog,
    letter: str,
    record_property: Callable[[str, object], None],
) -> None:
    """While the operator is down, twenty-four people with the longest names agree, for the longest reasons.

    Then the monitor writes the most that it can about what was done with the access.
    """
    words, people = letter * 1024, place.people
    names = [f"{number:02d}-".ljust(LONGEST_NAME, "&") for number in range(DECIDERS)]
    deciding = [rule("accesspolicies", "approve"), rule("accessrequests/status", "get", "patch")]
    await place.apply(place.policy("ten", approval={"count": 10}), *place.role("long", deciding, names))
    body = place.request(people.alice, "ten", reason=words, ticket=letter * 256)
    body["metadata"]["annotations"] = {"example.com/note": letter * 8000}
    body["metadata"]["labels"] = {f"{number:02d}{'x' * 200}.example.com/{'y' * 63}": "z" * 63 for number in range(100)}
    asked = Asked(place, (await people.alice.post(place.path, body)).done())
    await asked.phase("Pending")

    with dead(operator):
        for name in names:
            (await asked.decide(people.admin.as_(name), reason=words)).done()
    await asked.phase("Active", seconds=30)
    async with bearing(cluster, await asyncio.to_thread(cluster.monitor_token)) as monitor:
        (await patch_status(monitor, asked.path, activity=longest_activity(letter))).done()
    (await asked.decide(people.bob, "Revoke", reason=words)).done()
    await asked.unbound(seconds=30)
    await asked.closed(seconds=30)

    largest = max(as_stored(sight.body) for sight in place.sights.requests.history[asked.uid])
    record_property("largest version of the request", f"{largest / 1024:.0f} KiB")
    assert largest < ETCD_LIMIT
    assert asked.status["phase"] == "Revoked"
    assert asked.status["activity"] == longest_activity(letter)
    evidence = await asyncio.to_thread(read_log, operator)
    told = evidence.story(asked.uid)
    assert told.count("review.submitted") + told.count("review.refused") == DECIDERS + 1
    assert told[-2:] == ["grant.revoked", "request.closed"]
    assert evidence.record(asked.uid, "grant.revoked").block["story"]["reason"] == words


def longest_activity(letter: str) -> dict[str, object]:
    """Return as much as the monitor can write about what was done with the access."""
    (versions,) = (crd["spec"]["versions"] for crd in crds() if crd["spec"]["names"]["kind"] == "AccessRequest")
    schema = at(versions[0]["schema"]["openAPIV3Schema"], "status.activity")

    def longest(field: dict[str, Any], number: int = 0) -> object:
        match field["type"]:
            case "array":
                return [longest(field["items"], number) for number in range(field["maxItems"])]
            case "integer":
                return 2**63 - 1
            case "boolean":
                return False
            case "string" if "enum" in field:
                return max(field["enum"], key=len)
            case "string" if "pattern" in field:
                return "2026-11-23T12:00:00.000000000+00:00"
        return f"{number:02d}".ljust(field["maxLength"], letter)

    return {name: longest(field) for name, field in schema["properties"].items()}


def as_stored(body: object) -> int:
    """Return how many bytes an object has as etcd holds it: some characters are written as six."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) + 5 * sum(text.count(character) for character in "<>&")

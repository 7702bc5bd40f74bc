"""Whatever people write, a status can be written, and the story ended and recorded (promises P3 and P7)."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from curfew.api.characters import LONGEST_NAME
from curfew.api.crds import crds
from curfew.core import outbox_size
from tests.support.builders import ALICE, a_decision, a_policy, a_request
from tests.support.stage import Stage, active

REQUEST_LIMIT = 3 * 1024 * 1024
"""Bytes that the API server takes in one request."""

ETCD_LIMIT = 1536 * 1024
"""Bytes that etcd takes in one write by default."""

ESCAPED = 6
"""Bytes that one character takes at most as etcd holds it: `<` is written as a backslash and u003c."""

METADATA_TEXT, LABELS = 8192, 100
"""What admission lets people put on a request: characters of its annotations, with their keys, and labels."""

LONG = "\U0001f525" * 1024


def stored(value: Any) -> int:
    """Return how many bytes a value has as etcd holds it."""
    text = json.dumps(value, ensure_ascii=False)
    return len(text.encode()) + 5 * sum(text.count(character) for character in "<>&")


def most_bytes(schema: Mapping[str, Any], where: str) -> int:
    """Return how many bytes a value of a schema has at most. What has no bound fails."""
    match schema.get("type"):
        case "object" if "properties" in schema:
            of_fields = (
                len(f'"{name}":,') + most_bytes(field, f"{where}.{name}")
                for name, field in schema["properties"].items()
                if f"{where}.{name}" != "status.outbox"  # that is bounded as a whole, in bytes
            )
            return 2 + sum(of_fields)
        case "array":
            assert "maxItems" in schema, f"{where} has no maxItems"
            return 2 + int(schema["maxItems"]) * (1 + most_bytes(schema["items"], f"{where}[]"))
        case "string" if "enum" in schema:
            return 2 + max(map(len, schema["enum"]))
        case "string" if schema.get("format") == "date-time":
            return 2 + len("2026-11-23T12:00:00.000000000+00:00")
        case "string":
            assert "maxLength" in schema, f"{where} has no maxLength"
            return 2 + ESCAPED * int(schema["maxLength"])
        case "integer":
            return len(str(-(2**63)))
        case "boolean":
            return len("false")
    raise AssertionError(f"{where} has no bound")


def schema_of(kind: str, part: str) -> Mapping[str, Any]:
    """Return the schema of spec or status of a kind, as it is applied to a cluster."""
    (found,) = (crd for crd in crds() if crd["spec"]["names"]["kind"] == kind)
    schema: Mapping[str, Any] = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    return schema


def groups_that_cannot_all_be_longest(schema: Mapping[str, Any]) -> int:
    """Return the bytes by which `most_bytes` counts the groups of stages too high: a rule bounds them all together."""
    stages = schema["properties"]["terms"]["properties"]["stages"]
    groups = stages["items"]["properties"]["groups"]
    return ESCAPED * (int(stages["maxItems"] * groups["maxItems"] * groups["items"]["maxLength"]) - 4096)


def managed_fields() -> int:
    """Return what the API server notes besides of who wrote what: the keys of each list, escaped once more."""
    key = len(
        r'"k:{\"by\":\"\",\"decision\":\"Approve\"}":{".":{},"f:by":{},"f:decision":{},"f:reason":{},"f:stage":{}},'
    )
    decisions = 2 * 32 * (key + (ESCAPED + 1) * LONGEST_NAME)  # decisions and reviews
    groups = (ESCAPED + 1) * 4096 + 8 * 16 * len('"v:\\"\\"":{},')
    sensitive = 16 * ((ESCAPED + 1) * 64 + len('"v:\\"\\"":{},'))
    writers = 35 * 512  # one for each decision, Curfew and its monitor
    return decisions + groups + sensitive + writers + (ESCAPED + 1) * METADATA_TEXT + LABELS * 330 + 4096


def test_the_longest_status_of_a_request_is_one_that_etcd_takes(record_property: Any) -> None:
    """With the longest spec, the most annotations and labels, and what the API server adds."""
    schema = schema_of("AccessRequest", "status")
    status = most_bytes(schema, "status") - groups_that_cannot_all_be_longest(schema) + outbox_size.OUTBOX_BYTES
    around = most_bytes(schema_of("AccessRequest", "spec"), "spec") + managed_fields()
    metadata = ESCAPED * METADATA_TEXT + LABELS * 385 + 2048
    record_property("longest status", status)
    record_property("longest request", status + around + metadata)

    assert status < REQUEST_LIMIT / 2
    assert status + around + metadata < ETCD_LIMIT


def test_the_longest_status_of_a_policy_is_small() -> None:
    assert most_bytes(schema_of("AccessPolicy", "status"), "status") < ETCD_LIMIT / 8


class Watched(Stage):
    """A stage on which each status that is written is measured."""

    largest_outbox = 0

    def _see(self, verb: str, kind: str, body: Mapping[str, Any]) -> None:
        if kind == "AccessRequest":
            outbox = body.get("status", {}).get("outbox", [])
            self.largest_outbox = max(self.largest_outbox, stored(outbox))
            assert stored(outbox) <= outbox_size.OUTBOX_BYTES
            assert stored(body) < ETCD_LIMIT
        super()._see(verb, kind, body)


def people(number: int, letter: str) -> Iterator[str]:
    """Yield so many names that are as long as a name may be."""
    for one in range(number):
        yield f"{one:02d}".ljust(LONGEST_NAME, letter)


async def test_a_burst_of_decisions_with_long_reasons_can_be_written_and_ended() -> None:
    """The bucket is away; 31 people decide with the longest reasons there can be, and the requester cancels."""
    stage = Watched(policy=a_policy(approval={"mode": "Review", "count": 10}))
    uid: str = stage.cluster.apply(a_request(reason=LONG))["metadata"]["uid"]
    await stage.settle()
    stage.trail.ok = False
    for number in range(31):
        stage.cluster.decide("inc-4711", a_decision(f"approver-{number}@example.com", stage="none", reason=LONG))
        await stage.settle()
    stage.cluster.decide("inc-4711", a_decision(ALICE, "Cancel", reason=LONG))
    await stage.settle()
    assert stage.largest_outbox > outbox_size.OUTBOX_FOR_DECISIONS / 2

    stage.trail.ok = True
    await stage.settle()
    await stage.pass_time(minutes=1)

    assert stage.phase() == "Cancelled"
    assert stage.cluster.status("inc-4711")["outbox"] == []
    assert stage.events(uid)[-2:] == ["request.cancelled", "request.closed"]
    told = [record for record in stage.log if record.event in ("review.submitted", "review.refused")]
    assert [record.block["detail"]["reason"] for record in told] == [LONG] * 32
    assert max(Counter(record.id for record in stage.log).values()) == 1


@pytest.mark.parametrize("is_away", [False, True])
@pytest.mark.parametrize("letter", ["&", "\U0001f525"])
async def test_the_longest_names_and_words_of_all_end_as_they_should(letter: str, is_away: bool) -> None:
    """Thirty-one decide on a grant at once, and one revokes it: the access ends at once, and all of it is told, once."""
    stage = Watched()
    words = letter * 1024
    uid = await active(stage, reason=words, ticket=letter * 256)
    stage.trail.ok = not is_away
    for name in people(30, letter):
        stage.cluster.decide("inc-4711", a_decision(name, "Deny", reason=words))
    stage.cluster.decide("inc-4711", a_decision("last".ljust(LONGEST_NAME, letter), "Revoke", reason=words))
    await stage.settle()
    assert stage.bindings() == []

    stage.trail.ok = True
    await stage.settle()
    await stage.pass_time(minutes=1)

    assert stage.phase() == "Revoked"
    assert stage.cluster.status("inc-4711")["outbox"] == []
    events = stage.events(uid)
    assert events[-2:] == ["grant.revoked", "request.closed"]
    assert len([event for event in events if event.startswith("review.submitted")]) == 32
    assert max(Counter(record.id for record in stage.log).values()) == 1

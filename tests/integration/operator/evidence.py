"""What the bucket holds: the whole log, verified, and the story of each request in it."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.findings import LogRefused, Verified
from curfew.audit.places import in_order
from curfew.audit.record import Record
from curfew.audit.segment import Segment, origin, prefix
from curfew.audit.walk import Walk
from curfew.trail.recovery import records_of
from tests.integration.emitting import was_read
from tests.integration.operator.place import AGAIN_SECONDS, SOON, Asked, now
from tests.support.operator_process import OperatorProcess


@dataclass(frozen=True)
class Evidence:
    """A verified log and its records, in order; its objects by name, and the key that verifies them."""

    verified: Verified
    records: tuple[Record, ...]
    objects: Mapping[str, bytes]
    key: str
    by_request: dict[str, tuple[Record, ...]] = field(default_factory=dict)

    def story(self, uid: str) -> list[str]:
        """Return the events that the log tells of a request, in order."""
        return [record.event for record in self.by_request.get(uid, ())]

    def record(self, uid: str, event: str) -> Record:
        """Return the one record of an event of a request."""
        (found,) = (record for record in self.by_request[uid] if record.event == event)
        return found

    @property
    def twice(self) -> list[str]:
        """Return the ids that the log holds more than once."""
        return [id_ for id_, count in Counter(record.id for record in self.records).items() if count > 1]


Listing = tuple[tuple[str, str], ...]

_bodies: dict[tuple[str, str, str], bytes] = {}  # by bucket, key and ETag: what is written once need not be read twice
_newest: dict[tuple[str, str], tuple[Listing, Evidence]] = {}  # by place and key: what a listing leads to


def read_evidence(client: Any, operator: OperatorProcess) -> Evidence:
    """Return what an operator's bucket holds, and note for the test that runs what was read. See `fetch_evidence`."""
    evidence = fetch_evidence(client, operator)
    was_read(evidence.records)
    return evidence


def fetch_evidence(client: Any, operator: OperatorProcess) -> Evidence:
    """Return what an operator's bucket holds; a log that does not verify raises. `client` is a botocore S3 client.

    Who waits for a record asks again and again. So what was read before is read and verified again only if the bucket's
    listing is another one.
    """
    bucket, _, folder = operator.store.removeprefix("s3://").partition("/")
    place = f"{folder}/{prefix(operator.log_id)}"
    asked = f"{bucket}/{place}", operator.signing_key
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=place)
    listing = tuple((found["Key"], found["ETag"]) for page in pages for found in page.get("Contents", ()))
    known, evidence = _newest.get(asked, ((), None))
    if evidence is None or known != listing:
        bodies = {key: _body(client, bucket, key, etag) for key, etag in listing}
        evidence = _verified(operator, {key.removeprefix(f"{folder}/"): body for key, body in bodies.items()})
        _newest[asked] = listing, evidence
    return evidence


async def recorded(operator: OperatorProcess, *asked: Asked) -> None:
    """Return when the log holds each record that is in the status of one of these requests."""
    client = asked[0].place.cluster.environment.s3.client()
    for one in asked:
        await one.answered()
        deadline = now() + timedelta(seconds=SOON)
        while waiting := _waiting(one, (await asyncio.to_thread(read_evidence, client, operator)).records):
            assert now() < deadline, f"{one}: {waiting} are not in the log"
            await asyncio.sleep(AGAIN_SECONDS)


def _waiting(asked: Asked, records: Iterable[Record]) -> list[str]:
    known = {record.id for record in records}
    told = [Record.parse(json.loads(entry["record"])) for entry in asked.status.get("outbox", ())]
    return [record.event for record in told if record.id not in known]


def _body(client: Any, bucket: str, key: str, etag: str) -> bytes:
    if (bucket, key, etag) not in _bodies:
        _bodies[bucket, key, etag] = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return _bodies[bucket, key, etag]


def _verified(operator: OperatorProcess, objects: Mapping[str, bytes]) -> Evidence:
    name = origin(operator.log_id)
    verifier = Ed25519Signer.from_pem(name, operator.signing_key.encode()).verifier
    ordered = in_order(operator.log_id, objects)
    segments: list[Segment] = []
    walk = Walk(operator.log_id, verifier, accepted=segments.append)
    for one in ordered:
        walk.take(one, objects[one])
    examined = walk.finish()
    if examined.findings:
        raise LogRefused(examined)
    verified, verifier = examined.verified, walk.verifier
    records = [record for segment in segments for record in records_of(segment)]
    by_request: dict[str, list[Record]] = {}
    for record in records:
        by_request.setdefault(record.subject, []).append(record)
    return Evidence(
        verified, tuple(records), objects, str(verifier), {uid: tuple(story) for uid, story in by_request.items()}
    )

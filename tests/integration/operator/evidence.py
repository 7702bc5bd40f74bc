"""What the bucket holds: the whole log, verified, and the story of each request in it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import Any, Final

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


Listing = list[tuple[str, str]]


class _Log:
    """What was read of a log. More of it is added as it grows, and nothing is read or verified twice."""

    def __init__(self, operator: OperatorProcess) -> None:
        """Trust the operator's key, or those that it leads to."""
        self.listing: Listing = []  # names and ETags of what was taken, in order
        self._log = operator.log_id
        verifier = Ed25519Signer.from_pem(origin(self._log), operator.signing_key.encode()).verifier
        self._walk = Walk(self._log, verifier, accepted=self._accept)
        self._objects: dict[str, bytes] = {}
        self._records: list[Record] = []
        self._by_request: defaultdict[str, list[Record]] = defaultdict(list)

    def take(self, listing: Listing, read: Callable[[str], bytes]) -> Evidence:
        """Take what a listing has beyond the last one, and return everything; a log that does not verify raises."""
        for name, _ in listing[len(self.listing) :]:
            self._objects[name] = read(name)
            self._walk.take(name, self._objects[name])
        self.listing = listing
        examined = self._walk.finish()
        if examined.findings:
            raise LogRefused(examined)
        by_request = {uid: tuple(story) for uid, story in self._by_request.items()}
        key = str(self._walk.verifier)
        return Evidence(examined.verified, tuple(self._records), dict(self._objects), key, by_request)

    def _accept(self, segment: Segment) -> None:
        for record in records_of(segment):
            self._records.append(record)
            self._by_request[record.subject].append(record)


_known: dict[tuple[str, str], tuple[_Log, Evidence]] = {}  # by place and key: what was read last
_reading: Final = Lock()


def read_evidence(client: Any, operator: OperatorProcess) -> Evidence:
    """Return what an operator's bucket holds, and note for the test that runs what was read. See `fetch_evidence`."""
    evidence = fetch_evidence(client, operator)
    was_read(evidence.records)
    return evidence


def fetch_evidence(client: Any, operator: OperatorProcess) -> Evidence:
    """Return what an operator's bucket holds; a log that does not verify raises. `client` is a botocore S3 client.

    Who waits for a record asks again and again. So only what is new in the bucket's listing is read and verified; if anything
    else is another than before, all of it is.
    """
    bucket, _, folder = operator.store.removeprefix("s3://").partition("/")
    asked = f"{bucket}/{folder}/{prefix(operator.log_id)}", operator.signing_key
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{folder}/{prefix(operator.log_id)}"
    )
    found = {
        item["Key"].removeprefix(f"{folder}/"): item["ETag"] for page in pages for item in page.get("Contents", ())
    }
    listing = [(name, found[name]) for name in in_order(operator.log_id, found)]

    def read(name: str) -> bytes:
        content: bytes = client.get_object(Bucket=bucket, Key=f"{folder}/{name}")["Body"].read()
        return content

    with _reading:
        log, evidence = _known.pop(asked, (None, None))  # what raises is not known
        if log is None or evidence is None or log.listing != listing[: len(log.listing)]:
            log = _Log(operator)
            evidence = log.take(listing, read)
        elif log.listing != listing:
            evidence = log.take(listing, read)
        _known[asked] = log, evidence
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

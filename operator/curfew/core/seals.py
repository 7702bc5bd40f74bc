"""The seals on the records in a status: a record without our seal is not believed (promises P7 and P9).

Anybody who has the operator's token can write a status. The secret of a seal exists only in the pod. It is derived from a
signature of the log's key, so that the next process and the next key can open what was sealed before.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from curfew.api.access_request import SealedRecord
from curfew.audit.record import Record, RecordRefused

DOMAIN = "curfew.dev/outbox-seal/v1"

SEALED = frozenset(
    {
        "request.created",
        "request.accepted",
        "request.rejected",
        "request.cancelled",
        "request.timed_out",
        "request.outbox_altered",
        "request.closed",
        "review.submitted",
        "review.refused",
        "review.approved",
        "review.denied",
        "review.auto_approved",
        "review.break_glass_invoked",
        "review.overdue",
        "grant.intended",  # of a broken glass that did not wait for the log (decision 0071)
        "grant.activated",
        "grant.activation_failed",
        "grant.expired",
        "grant.revoked",
        "grant.binding_removed",
        "grant.drifted",
        "grant.role_changed",
    }
)
"""The events that the plan puts into the status of the request they are about. No other event is sealed or believed there."""


OUTBOX_ROOM = 16
"""How many records may wait before the ones that a story can do without are left out. 64 fit; a story needs 42 at most."""


class SealRefused(ValueError):
    """An entry that is not believed. `str(error)` shows why."""


@dataclass(frozen=True, slots=True)
class Strange:
    """The outbox entries that are not believed: how many, their SHA-256 in hex, and why the first is not believed."""

    entries: int
    digest: str
    why: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """An outbox as it was read: the records that are believed, and the entries that are not."""

    records: tuple[Record, ...] = ()
    strange: Strange | None = None
    is_older: bool = False  # whether an entry has the seal of an earlier key


class Seals:
    """Seals with HMAC-SHA256, over the UID of the request and the record's line in the log."""

    def __init__(self, *signatures: bytes) -> None:
        """Take the signatures that the log's keys make of their `statement`. The newest key comes first and is used to seal."""
        self._secrets = tuple(hashlib.sha256(DOMAIN.encode() + signature).digest() for signature in signatures)

    def seal(self, uid: str, record: Record) -> dict[str, str]:
        """Return the entry that the status of the request with this UID holds.

        Raise `SealRefused` for a record that does not belong there.
        """
        _check(uid, record)
        line = record.line().decode()
        return SealedRecord(record=line, seal=self._seals(uid, line)[0]).model_dump()

    def open(self, uid: str, entries: Iterable[SealedRecord]) -> Outbox:
        """Return what is in the outbox of the request with this UID, in order. Nothing that an entry holds raises."""
        records: list[Record] = []
        strange: list[tuple[SealedRecord, str]] = []
        is_older = False
        for entry in entries:
            try:
                record, is_newest = self._open(uid, entry)
            except (SealRefused, RecordRefused) as error:
                strange.append((entry, str(error)))
            else:
                records.append(record)
                is_older = is_older or not is_newest
        if not strange:
            return Outbox(tuple(records), is_older=is_older)
        digest = hashlib.sha256(json.dumps([entry.model_dump() for entry, _ in strange]).encode()).hexdigest()
        return Outbox(tuple(records), Strange(len(strange), digest, strange[0][1]), is_older)

    def _open(self, uid: str, entry: SealedRecord) -> tuple[Record, bool]:
        """Return a record, and whether the newest key has sealed it."""
        # Only entries with our seal are parsed.
        valid = [hmac.compare_digest(seal.encode(), entry.seal.encode()) for seal in self._seals(uid, entry.record)]
        if not any(valid):
            raise SealRefused("it has no seal that is valid for this request")
        record = Record.parse(orjson.loads(entry.record))
        _check(uid, record)
        return record, valid[0]

    def _seals(self, uid: str, line: str) -> tuple[str, ...]:
        """Return the seal that each secret makes, the newest first."""
        about = len(uid.encode()).to_bytes(4, "big") + uid.encode()
        return tuple(hmac.new(secret, about + line.encode(), hashlib.sha256).hexdigest() for secret in self._secrets)


def statement(verifier: object) -> bytes:
    """Return the statement that a log key signs to make seals. No checkpoint and no rotation has this form."""
    return f"{DOMAIN}\n{verifier}\n".encode()


def _check(uid: str, record: Record) -> None:
    if record.subject != uid:
        raise SealRefused("it is not about this request")
    if record.event not in SEALED:
        raise SealRefused(f"{record.event} is never in the status of a request")

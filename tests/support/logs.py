"""Logs for tests: sealed in memory, with a key that is nobody's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.audit.checkpoint import Ed25519Signer, Verifier
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, Story, make_record
from curfew.audit.rotation import rotation
from curfew.audit.segment import Head, origin, seal

BEGIN = datetime(2026, 11, 23, 23, 58, 30, tzinfo=UTC)  # shortly before midnight: logs of some segments span two days


def a_signer(log: str = "main", seed: int = 1) -> Ed25519Signer:
    """Return a signer whose key is made of one number."""
    return Ed25519Signer(origin(log), Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


def a_record(number: int = 0, *, at: datetime = BEGIN, event: str = "grant.activated") -> Record:
    """Return a record about request number `number`."""
    story = Story(uid=f"uid-{number}", namespace="payments", request=f"inc-{number}", requester="alice@example.com")
    return make_record(
        event,
        at=at,
        actor="curfew",
        message=f"alice@example.com holds ClusterRole payments-debug in payments (request inc-{number})",
        story=story,
    )


@dataclass
class ALog:
    """A log that grows in memory."""

    log: str = "main"
    signer: Ed25519Signer = field(default_factory=a_signer)
    objects: dict[str, bytes] = field(default_factory=dict)  # name: stored bytes, in the order of writing
    heads: list[Head] = field(default_factory=list)  # after each segment
    lines: list[bytes] = field(default_factory=list)  # all records

    def __post_init__(self) -> None:
        """Begin where a log begins."""
        self.heads = [Head.genesis(self.log)]

    @property
    def head(self) -> Head:
        """The state after the last segment."""
        return self.heads[-1]

    @property
    def verifier(self) -> Verifier:
        """Who verifies it."""
        return self.signer.verifier

    @property
    def names(self) -> list[str]:
        """The objects' names, in the order of writing."""
        return list(self.objects)

    def append(self, records: Iterable[Record] = (), at: datetime | None = None) -> str:
        """Seal a segment and return its name."""
        return self.append_lines([record.line() for record in records], at)

    def append_lines(self, lines: Sequence[bytes], at: datetime | None = None) -> str:
        """Seal a segment of any lines and return its name."""
        at = at or BEGIN + timedelta(minutes=self.head.seq + 1)
        name = self.head.next_name()
        self.objects[name], head = seal(self.head, lines, at=at, writer="tests", signer=self.signer)
        self.heads.append(head)
        self.lines += lines
        return name

    def lay(self, folder: Path) -> Path:
        """Write the objects into a folder, and return it."""
        for name, stored in self.objects.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(stored)
        return folder

    def hand_over(self, signer: Ed25519Signer, records: Iterable[Record] = ()) -> str:
        """Seal a segment that ends with handing the log over to another key, and return its name."""
        at = BEGIN + timedelta(minutes=self.head.seq + 1)
        name = self.append([*records, rotation(self.log, at=at, old=self.signer, new=signer)], at)
        self.signer = signer
        return name

    def receipt(self, index: int) -> Receipt:
        """Return the receipt of a record, as the writer would have made it."""
        head = next(head for head in self.heads if head.range.size > index)
        return Receipt(self.log, index, head.range.size, head.range.root().hex())


def opened(signer: Ed25519Signer, log: str = "main") -> Record:
    """Return the record that a log begins with."""
    return make_record(
        "audit.opened",
        at=BEGIN,
        actor="curfew",
        message=f"log {log} begins",
        subject=log,
        detail={"verifier_key": signer.verifier_key, "log": log},
    )


def a_log(*sizes: int) -> ALog:
    """Return a log whose segments have that many records; the first of all announces the key."""
    log = ALog()
    number = 0
    for size in sizes or (1, 2, 0, 3):
        records = [a_record(number + offset) for offset in range(size)]
        if number == 0 and records:
            records[0] = opened(log.signer)
        log.append(records)
        number += size
    return log


def alter(log: ALog, seq: int) -> None:
    """Change a byte."""
    stored = bytearray(log.objects[log.names[seq]])
    stored[20] ^= 1
    log.objects[log.names[seq]] = bytes(stored)


def lose(log: ALog, seq: int) -> None:
    """Remove a segment."""
    del log.objects[log.names[seq]]

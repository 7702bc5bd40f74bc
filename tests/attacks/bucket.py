"""A bucket with a log in it, somebody who has stolen its credentials, and what they can try there."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from botocore.exceptions import ClientError
from click.testing import CliRunner, Result

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import open_store
from curfew.audit.places import in_order
from curfew.audit.verify import verify
from curfew.cli import main
from curfew.core.trail_state import TrailReason
from curfew.trail.health import Health
from tests.support.logs import ALog, a_record, opened
from tests.support.trail import Observer, a_trail, records, running, until
from tools.servers.s3 import LockMode, S3Server

FOLDER: Final = "curfew"
SEGMENTS: Final = 4
LASTING: Final = (TrailReason.CHAIN_BROKEN, TrailReason.KEY_UNKNOWN, TrailReason.SLOT_TAKEN)


class Writing(Protocol):
    """Writes a record of a number."""

    async def __call__(self, number: int, *, durable: bool = False) -> Health:
        """Return the health when it is durable, or when it cannot become so."""
        ...


class Robbed:
    """A bucket that locks what is stored, a log of four segments in it, and all that its credentials allow."""

    def __init__(self, server: S3Server, bucket: str, mode: LockMode) -> None:
        """Write the log as Curfew would have, in the last minutes."""
        self.client = server.client()
        self.bucket = server.make_bucket(bucket, retention_days=2, mode=mode)
        self.url = f"s3://{bucket}/{FOLDER}"
        self.log = ALog()
        self.stored: list[str] = []
        """The versions in which the segments were stored."""
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=SEGMENTS)
        locked = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": began + timedelta(days=3)}
        for number in range(SEGMENTS):
            at = began + timedelta(minutes=number)
            name = self.log.append([a_record(number, at=at) if number else opened(self.log.signer)], at)
            put = self.client.put_object(**self.at(name), Body=self.log.objects[name], **locked)
            self.stored.append(put["VersionId"])

    @property
    def key(self) -> str:
        """Return the key that verifies the log."""
        return str(self.log.verifier)

    @property
    def receipt(self) -> str:
        """Return the receipt of the last record, as a binding would carry it."""
        return self.log.receipt(SEGMENTS - 1).compact()

    def at(self, name: str) -> dict[str, str]:
        """Return where an object of the log is."""
        return {"Bucket": self.bucket, "Key": f"{FOLDER}/{name}"}

    def segment(self, number: int) -> dict[str, str]:
        """Return where a segment is."""
        return self.at(self.log.names[number])

    def version(self, number: int) -> dict[str, str]:
        """Return where a segment is, in the version in which it was stored."""
        return {**self.segment(number), "VersionId": self.stored[number]}

    def put(self, name: str, body: bytes = b"x", **more: Any) -> None:
        """Store an object in the log's folder, under any name."""
        self.client.put_object(**self.at(name), Body=body, **more)

    def verify(self, *more: str) -> Result:
        """Run the auditor's command."""
        command = ["audit", "verify", self.url, "--all", "--key", self.key, *more]
        return CliRunner().invoke(main, command, prog_name="curfew")

    def read(self) -> list[str]:
        """Return the versions in which the segments are read, having compared them with what was stored."""
        versions = []
        for number, name in enumerate(self.log.names):
            got = self.client.get_object(**self.segment(number))
            assert got["Body"].read() == self.log.objects[name]
            versions.append(got["VersionId"])
        return versions

    def next_name(self) -> str:
        """Return the name of the segment that follows on all that are there."""
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{FOLDER}/v1/log=main/")["Contents"]
        objects = {
            found["Key"].removeprefix(f"{FOLDER}/"): self.client.get_object(Bucket=self.bucket, Key=found["Key"])[
                "Body"
            ].read()
            for found in listed
        }
        return verify(
            "main", ((name, objects[name]) for name in in_order("main", objects)), self.log.verifier
        ).head.next_name()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """Run a writer as the operator does. What is yielded writes a record of a number, and returns the health then.

        If it is `durable` that is asked for, a trouble is waited through.
        """
        observer = Observer()
        trail = a_trail(
            open_store(self.url), observer, clock=SystemClock(), signer=self.log.signer, worm_required=False
        )

        async def write(number: int, *, durable: bool = False) -> Health:
            (told,) = records(number, number)
            trail.submit([told])
            lasting = () if durable else LASTING
            await until(
                observer, lambda: trail.receipt(told.id) is not None or trail.health.reason in lasting, within=30
            )
            return trail.health

        async with running(trail):
            yield write

    async def start(self) -> tuple[str, str]:
        """Start a writer, and return why it does not go on and in which words; nothing of either if it does."""
        async with self.writing() as write:
            health = await write(1)
        return (health.reason, health.message) if health.reason in LASTING else ("", "")


@dataclass(frozen=True, slots=True)
class Theft:
    """What somebody does with the bucket's credentials, what the server makes of it, and what Curfew and an auditor do then.

    The twin of each is what the credentials are there for: the operator appends to the log, unless `stops` says why not.
    """

    title: str
    does: Callable[[Robbed], object]
    refused: str = ""  # the server's code; empty: it lets them
    verified: int = 0  # the exit code of `curfew audit verify` at once
    says: str = ""  # and a piece of what it says
    stops: str = ""  # why a start does not go on, by the word of its health; empty: it goes on
    after: int | None = None  # the exit code when the operator has gone on; None: the same
    anchored: int | None = None  # the exit code with the last receipt as an anchor; None: the same
    mode: LockMode = "COMPLIANCE"

    def __str__(self) -> str:
        """Return the title, which names the test."""
        return self.title

    def commit(self, robbed: Robbed) -> str:
        """Do it, and return the code with which the server refuses; empty if it does not."""
        try:
            self.does(robbed)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

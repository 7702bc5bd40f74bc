"""A log on a real bucket server whose oldest segments were really removed, after it had stated that they may be.

The trail wrote it, with three keys one after the other, and was told that the time is what the test says.
"""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from curfew.adapters.objectstore import open_store
from curfew.audit.beginning import EVENT, Beginning, stated_in, statement
from curfew.audit.checkpoint import Ed25519Signer
from curfew.audit.receipt import Receipt
from curfew.audit.record import Record, Story
from curfew.audit.segment import origin, resume, sequence
from curfew.cli import main
from curfew.ports import ObjectStore
from tests.integration.emitting import was_read
from tests.support.logs import ALog
from tests.support.trail import LOG, Observer, a_record, a_story, a_trail, running, until
from tools.servers.s3 import S3Server
from tools.verify_independently import Refused
from tools.verify_independently import verify as verify_independently

BEGUN = datetime(2025, 1, 10, 9, tzinfo=UTC)
KEEP_FOR = timedelta(days=400)
DAYS = 10
STATED = BEGUN + KEEP_FOR + timedelta(days=5, hours=3)
FIRST, SECOND, THIRD = (
    Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)) for number in (1, 2, 3)
)


def signers_on(day: int) -> tuple[Ed25519Signer, Ed25519Signer | None]:
    """Return the key that the operator has that day, and the one before it, which is named for three days."""
    if day < 3:
        return FIRST, None
    if day < 7:
        return SECOND, FIRST if day < 6 else None
    return THIRD, SECOND


@dataclass
class SetClock:
    """A clock that shows what it is set to."""

    at: datetime

    def now(self) -> datetime:
        """Return the time that it is set to."""
        return self.at


def audit(*arguments: object) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


@dataclass
class Log:
    """A log in a bucket: where, its keys and receipts, and what takes its objects away as the bucket's rule would."""

    store: ObjectStore
    remove: Callable[[str], None]
    receipts: dict[int, Receipt]  # by the number of a record
    told: list[Record]

    @property
    def beginning(self) -> Beginning:
        """Where it begins, by its own word."""
        (stated,) = [record for record in self.told if record.event == EVENT]
        found = stated_in(LOG, stated.body)
        assert found is not None
        return found

    def names(self) -> list[str]:
        """Return the names of its segments, in order."""
        return sorted(asyncio.run(self.store.list(f"v1/log={LOG}/")), key=sequence)

    def cut(self, first: int) -> None:
        """Remove the segments before one."""
        for name in self.names():
            if sequence(name) < first:
                self.remove(name)

    def copy(self, folder: Path) -> Path:
        """Copy it into a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in self.names():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(asyncio.run(self.store.get(name)))
        return folder

    def go_on(self, at: datetime, *numbers: int, keep_for: timedelta | None = KEEP_FOR) -> None:
        """Start the trail again at a time, and write records."""
        asyncio.run(self.write(at, *numbers, keep_for=keep_for))

    async def write(
        self,
        at: datetime,
        *numbers: int,
        keep_for: timedelta | None = KEEP_FOR,
        signers: tuple[Ed25519Signer, Ed25519Signer | None] = (THIRD, None),
        is_stated: bool = False,
    ) -> None:
        """Run the trail at a time and write records, and until it has stated where the log begins, if it is to."""
        observer, told = Observer(), [about(number, at) for number in numbers]
        signer, previous = signers
        trail = a_trail(
            self.store,
            observer,
            clock=SetClock(at),
            signer=signer,
            previous=previous,
            writer=f"writer-{at:%j}",
            keep_for=keep_for,
            worm_required=False,
        )
        async with running(trail):
            for record in told:
                trail.submit([record])
                await until(observer, lambda record=record: trail.receipt(record.id) is not None, within=60)  # type: ignore[misc]
            if is_stated:
                await until(observer, lambda: any(record.event == EVENT for record in observer.told), within=60)
        self.told += observer.told
        for number, record in zip(numbers, told, strict=True):
            receipt = trail.receipt(record.id)
            assert receipt is not None
            self.receipts[number] = receipt


def about(number: int, at: datetime) -> Record:
    """Return a record about a request of its own."""
    story: Story = replace(a_story(f"uid-{number:04}"), request=f"inc-{number}")
    return a_record(number, at=at, story=story)


@pytest.fixture(scope="module")
def written(s3: S3Server) -> Log:
    """Return a log of ten days in 2025, which stated more than a year later that the first five may be removed."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.env().items():
            patch.setenv(name, value)
        return asyncio.run(ten_days(open_store(f"s3://{s3.make_bucket('ten-days', object_lock=False)}")))


async def ten_days(store: ObjectStore) -> Log:
    """Write it."""
    log = Log(store, lambda name: None, {}, [])
    for day in range(DAYS):
        at = BEGUN + timedelta(days=day)
        await log.write(at, 2 * day, 2 * day + 1, signers=signers_on(day))
    await log.write(STATED, 100, is_stated=True)
    return log


@pytest.fixture
def log(s3: S3Server, open_bucket: Callable[..., ObjectStore], written: Log) -> Log:
    """Return a copy of it that can be cut."""
    store, client = open_bucket(object_lock=False), s3.client()
    old, new = (one.url.removeprefix("s3://") for one in (written.store, store))
    for key in (found["Key"] for found in client.list_objects_v2(Bucket=old)["Contents"]):
        client.put_object(Bucket=new, Key=key, Body=client.get_object(Bucket=old, Key=key)["Body"].read())

    def remove(name: str) -> None:
        client.delete_object(Bucket=new, Key=name)

    return Log(store, remove, dict(written.receipts), list(written.told))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the index of searches where no other test finds it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def found(result: Result) -> list[str]:
    """Return the names of the requests that a search has found, and that it verified the log for that."""
    assert result.exit_code == 0, result.output
    records = (json.loads(line)["record"]["unmapped"]["curfew"] for line in result.stdout.splitlines())
    return [record["story"]["request"] for record in records if "story" in record]


def test_a_log_that_is_cut_where_it_says_verifies_and_is_read(log: Log, tmp_path: Path) -> None:
    """By every reader: verify, --resume, search with an index from before, report, tail, prove, export, the trail itself."""
    was_read(log.told)
    begins = log.beginning
    assert begins.head.at == BEGUN + timedelta(days=5)
    assert begins.verifier == SECOND.verifier
    key, url, state, before = str(THIRD.verifier), log.store.url, tmp_path / "seen.json", tmp_path / "before.zip"
    whole = json.loads(audit("verify", url, "--key", key, "--save", state, "-o", "json").stdout)
    assert whole["verified"]
    assert len(found(audit("search", url, "--key", key, "--event", "review.submitted", "-o", "jsonl"))) == 21
    assert audit("export", url, "--key", key, "--to", before).exit_code == 0

    log.cut(begins.segment)

    for trusted in (["--key", key], ["--key", str(SECOND.verifier)], []):
        result = audit("verify", url, *trusted, "-o", "json", "--anchor", log.receipts[100].compact(),
                       "--anchor", log.receipts[0].compact())  # fmt: skip
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        assert told["read"]["head"] == whole["read"]["head"]
        assert told["read"]["begins"]["record"] == begins.record
        assert told["read"]["anchors"] == 1
        assert any("1 anchor could not be compared" in note for note in told["notes"])
    result = audit("verify", url, "--key", FIRST.verifier)
    assert (result.exit_code, "no part of it by" in result.stdout) == (1, True)
    assert f"Begins   with segment {begins.segment} and record {begins.record}" in audit("verify", url).stdout
    result = audit("verify", url, "--resume", state)
    assert result.exit_code == 0, result.output

    kept = [f"inc-{number}" for number in (*range(11, 2 * DAYS), 100)]
    for how in ([], [], ["--no-index"]):
        result = audit("search", url, "--key", key, "--event", "review.submitted", "-o", "jsonl", *how)
        assert found(result) == kept
        assert "The log begins with segment" in result.stderr
    assert found(audit("search", url, "--key", key, "--request", "payments/inc-3", "-o", "jsonl")) == []
    result = audit("search", url, "--key", key, "--request", "payments/inc-15", "--story")
    assert (result.exit_code, "Request inc-15 in payments" in result.stdout) == (0, True), result.output
    result = audit("tail", url, "-n", 200, "-o", "jsonl")
    assert found(result) == kept
    result = audit(
        "report", url, "--key", key, "--framework", "soc2", "--period", "2025-01", "--to", tmp_path / "report"
    )
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"The log begins with segment {begins.segment} and record {begins.record}" in page
    assert "The log begins at 2025-01-15" in page  # and so does not cover the period

    after = tmp_path / "after.zip"
    assert audit("export", url, "--key", key, "--to", after).exit_code == 0
    result = audit("verify", after, "--key", key)
    assert f"The bundle begins with record {begins.record}" in result.stdout, result.output

    log.go_on(STATED + timedelta(hours=2), 101)
    result = audit("verify", url, "--key", key, "--resume", state, "--save", state, "-o", "json")
    assert result.exit_code == 0, result.output
    assert found(audit("search", url, "--key", key, "--event", "review.submitted", "-o", "jsonl")) == [*kept, "inc-101"]
    head = json.loads(result.stdout)["read"]["head"]
    independent = verify_independently(log.copy(tmp_path / "copy"), LOG, key, [log.receipts[101].compact()])
    assert (independent.first, independent.first + len(independent.lines)) == (begins.record, head["size"])

    proof = tmp_path / "proof.json"
    result = audit("prove", url, log.receipts[3].index, "--key", key)
    assert (result.exit_code, "an export that holds an earlier record proves it" in result.stderr) == (2, True), (
        result.output
    )
    result = audit("prove", url, log.receipts[3].index, "--key", key, "--export", before, "--to", proof)
    assert result.exit_code == 0, result.output
    checked = audit("check-proof", proof, "--key", key)
    assert checked.exit_code == 0, checked.output
    assert json.loads(proof.read_bytes())["checkpoint"].split("\n")[1] == str(head["size"])
    assert "bob decided, 3\n" in checked.stdout


def test_a_log_that_is_cut_elsewhere_does_not_verify(log: Log, tmp_path: Path) -> None:
    """Further than it has stated, or by the word of somebody else."""
    begins, key, url = log.beginning, str(THIRD.verifier), log.store.url
    forged = ALog(signer=Ed25519Signer(origin(LOG), Ed25519PrivateKey.from_private_bytes(bytes(32))))

    log.cut(begins.segment + 1)

    result = audit("verify", url, "--key", key)
    assert result.exit_code == 1
    assert f"Segment {begins.segment} ({begins.head.next_name()}) is missing" in result.stdout
    for asked in (["search", url, "--event", "review.*"], ["report", url, "--framework", "soc2", "--period", "2025-01",
                  "--to", tmp_path / "report"], ["export", url, "--to", tmp_path / "part.zip"]):  # fmt: skip
        result = audit(*asked, "--key", key)
        assert (result.exit_code, "does not verify" in result.output) == (1, True), result.output
    with pytest.raises(Refused, match="is missing"):
        verify_independently(log.copy(tmp_path / "copy"), LOG, key)

    names = log.names()
    stored = asyncio.run(log.store.get(names[-1]))
    _, head = resume(names[-1], stored, THIRD.verifier, LOG)
    _, kept = resume(names[0], asyncio.run(log.store.get(names[0])), SECOND.verifier, LOG)
    forged.heads = [head]
    name = forged.append(
        [statement(Beginning(kept, SECOND.verifier), at=STATED, keep_for=KEEP_FOR, writer="mallory")], STATED
    )
    asyncio.run(log.store.create(name, forged.objects[name]))
    result = audit("verify", url, "--key", key, "--all")
    assert result.exit_code == 1
    assert "no verified record states that it may be removed" in result.stdout
    result = audit("search", url, "--key", key, "--event", "review.*", "--no-index")
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_log_that_states_nothing_is_never_cut(
    s3: S3Server, open_bucket: Callable[..., ObjectStore], tmp_path: Path
) -> None:
    """Without audit.keepFor nothing may go, however old it is."""
    store = open_bucket(object_lock=False)
    bucket = store.url.removeprefix("s3://")
    log = Log(store, lambda name: s3.client().delete_object(Bucket=bucket, Key=name), {}, [])
    for day in range(3):
        log.go_on(BEGUN + timedelta(days=day), day, keep_for=None)
    log.go_on(STATED, 100, keep_for=None)
    key = str(THIRD.verifier)

    log.cut(2)

    result = audit("verify", store.url, "--key", key)
    assert (result.exit_code, "are missing" in result.stdout) == (1, True), result.output
    result = audit("verify", store.url)
    assert "nothing states that the log begins there" in result.stdout

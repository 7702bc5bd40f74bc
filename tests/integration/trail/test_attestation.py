"""What somebody with all rights does to a bucket: refused by the server, or noticed by the next attestation (promise P7)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import obstore.store
import pytest
from botocore.exceptions import ClientError

from curfew.adapters.clock import SystemClock
from curfew.adapters.objectstore import bucket as adapter
from curfew.adapters.objectstore import open_store
from curfew.ports import Attestation, LockEvidence, ObjectStore
from curfew.processes.operator.recall import Trail
from tests.integration.emitting import was_read
from tests.support.moto import MotoServer
from tests.support.trail import LOG, Observer, a_trail, log_of, records, running, until
from tools.servers.s3 import S3Server

TWO_DAYS = timedelta(days=2)


@dataclass
class Watched:
    """A trail on a bucket, and somebody who may do everything to that bucket."""

    store: ObjectStore
    trail: Trail
    observer: Observer
    bucket: str
    s3: Any

    async def newest(self) -> tuple[str, str]:
        """Return the key and the version of the newest segment, just after an attestation.

        It stays the newest until the caller awaits something: the trail runs in the same loop.
        """
        before = len(self.told())
        await until(self.observer, lambda: len(self.told()) > before, within=30)
        versions = self.s3.list_object_versions(Bucket=self.bucket, Prefix=f"curfew/v1/log={LOG}/")["Versions"]
        newest = max(versions, key=lambda one: str(one["Key"]))
        return newest["Key"], newest["VersionId"]

    async def found(self, words: str) -> None:
        """Return when the next attestation says so, and with it everything that tells of the trail."""
        await until(self.observer, lambda: self.trail.health.reason == "NotWriteOnce", within=30)
        assert words in self.trail.health.message
        await until(self.observer, lambda: bool([r for r in self.told() if not r["sufficient"]]), within=30)
        assert not self.observer.attestations[-1].sufficient

    def told(self) -> list[dict[str, Any]]:
        """Return the details of the attestations that are durable."""
        return [dict(r.block["detail"]) for r in self.observer.told if r.event == "audit.attested"]


@asynccontextmanager
async def watching(bucket: str, s3: Any, retention: timedelta = TWO_DAYS) -> AsyncIterator[Watched]:
    """Run a trail that asks for proof each second; it stays well until something is done to the bucket."""
    store, observer = open_store(f"s3://{bucket}/curfew", retention=retention), Observer()
    trail = a_trail(store, observer, clock=SystemClock(), attest_every=timedelta(seconds=1))
    watched = Watched(store, trail, observer, bucket, s3)
    async with running(trail):
        await until(observer, lambda: trail.health.ok and bool(watched.told()), within=30)
        yield watched
        trail.submit(records(1, 1))  # whatever was found, the log goes on
        await until(observer, lambda: trail.receipt(records(1, 1)[0].id) is not None, within=30)


@pytest.fixture
def locked(s3: S3Server, s3_environment: None, bucket_name: str) -> str:
    """Return the name of a bucket that locks for two days."""
    return s3.make_bucket(f"{bucket_name}-locked", retention_days=2)


@pytest.fixture
async def watched(s3: S3Server, locked: str) -> AsyncIterator[Watched]:
    """Return a trail on that bucket."""
    async with watching(locked, s3.client()) as made:
        yield made


@pytest.fixture
def refused() -> Callable[..., None]:
    """Return a check that S3 refuses a call with one of these codes."""

    def check(call: Callable[..., Any], *codes: str, **arguments: Any) -> None:
        with pytest.raises(ClientError) as error:
            call(**arguments)
        assert error.value.response["Error"]["Code"] in codes

    return check


# --- what the server refuses ------------------------------------------------------------------------------------------


async def test_a_stored_version_is_not_deleted(watched: Watched, refused: Callable[..., None]) -> None:
    key, version = await watched.newest()

    refused(watched.s3.delete_object, "AccessDenied", Bucket=watched.bucket, Key=key, VersionId=version)


async def test_a_stored_version_is_not_written_over(watched: Watched, refused: Callable[..., None]) -> None:
    """With the condition that we write with, nothing is stored; without it, another version is, and the first one stays."""
    key, version = await watched.newest()
    put = {"Bucket": watched.bucket, "Key": key, "Body": b"x"}

    refused(watched.s3.put_object, "PreconditionFailed", **put, IfNoneMatch="*")
    watched.s3.put_object(**put)

    kept = watched.s3.get_object(Bucket=watched.bucket, Key=key, VersionId=version)["Body"].read()
    assert kept != b"x"
    refused(watched.s3.delete_object, "AccessDenied", Bucket=watched.bucket, Key=key, VersionId=version)
    await until(watched.observer, lambda: bool(watched.observer.discrepancies), within=30)
    assert watched.trail.health.reason == "VerificationFailed"


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
async def test_a_lock_on_an_object_is_not_shortened(watched: Watched, mode: str, refused: Callable[..., None]) -> None:
    soon, later = datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC) + timedelta(days=3)
    stored = watched.s3.put_object(
        Bucket=watched.bucket, Key="locked", Body=b"x", ObjectLockMode=mode, ObjectLockRetainUntilDate=later
    )
    version = {"Bucket": watched.bucket, "Key": "locked", "VersionId": stored["VersionId"]}

    retention = {"Mode": mode, "RetainUntilDate": soon}
    refused(watched.s3.put_object_retention, "AccessDenied", **version, Retention=retention)
    refused(watched.s3.delete_object, "AccessDenied", **version)


async def test_versioning_is_not_suspended(watched: Watched, refused: Callable[..., None]) -> None:
    suspended = {"Status": "Suspended"}

    refused(
        watched.s3.put_bucket_versioning,
        "InvalidBucketState",
        Bucket=watched.bucket,
        VersioningConfiguration=suspended,
    )
    assert watched.trail.health.ok


# --- what the next attestation notices ----------------------------------------------------------------------------------


async def test_a_default_retention_that_is_shortened_is_noticed(watched: Watched) -> None:
    set_default(watched, {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}})

    await watched.found(
        f"Objects in the bucket {watched.bucket} are locked for 1 day; the settings require at least 2 days."
    )


async def test_a_default_rule_that_is_cleared_is_noticed_and_so_is_its_return(watched: Watched) -> None:
    set_default(watched, None)
    await watched.found("has Object Lock but no default retention: nothing is locked; set 2 days or more.")

    set_default(watched, {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 2}})
    await until(watched.observer, lambda: watched.trail.health.ok, within=30)


async def test_a_retention_that_is_set_on_the_newest_segment_to_end_soon_is_noticed(watched: Watched) -> None:
    """The server shows no locks of the bucket's own, and takes one that ends before theirs."""
    key, version = await watched.newest()
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=10)}
    watched.s3.put_object_retention(Bucket=watched.bucket, Key=key, VersionId=version, Retention=retention)

    await watched.found("the settings require at least 2 days.")


async def test_a_segment_that_is_hidden_by_a_delete_is_noticed(watched: Watched) -> None:
    """A plain DELETE puts a marker over it; the version below it stays."""
    key, _ = await watched.newest()
    watched.s3.delete_object(Bucket=watched.bucket, Key=key)

    await until(watched.observer, lambda: bool(watched.observer.discrepancies), within=30)
    (discrepancy,) = watched.observer.discrepancies
    assert (f"curfew/{discrepancy.sample.name}", discrepancy.found) == (key, None)
    assert watched.trail.health.reason == "VerificationFailed"
    marker = watched.s3.list_object_versions(Bucket=watched.bucket, Prefix=key)["DeleteMarkers"][0]["VersionId"]
    watched.s3.delete_object(Bucket=watched.bucket, Key=key, VersionId=marker)
    await until(watched.observer, lambda: watched.trail.health.ok, within=60)

    objects = {name: await watched.store.get(name) for name in await watched.store.list(f"v1/log={LOG}/")}
    was_read(told := log_of(objects))
    assert [record.event for record in told].count("audit.verification_failed") == 1


def set_default(watched: Watched, rule: dict[str, Any] | None) -> None:
    """Give the bucket another default rule, or none."""
    lock = {"ObjectLockEnabled": "Enabled", **({"Rule": rule} if rule else {})}
    watched.s3.put_object_lock_configuration(Bucket=watched.bucket, ObjectLockConfiguration=lock)


# --- grades -------------------------------------------------------------------------------------------------------------


async def attest(store: ObjectStore) -> Attestation:
    """Return what is proved of a store, with an object in it."""
    await store.create("v1/log=main/sample", b"x")
    return await store.attest("v1/log=main/sample", datetime.now(UTC))


async def test_a_server_that_keeps_locks_without_showing_them_proves_its_default_retention(
    locked: str,
) -> None:
    attestation = await attest(open_store(f"s3://{locked}/curfew", retention=TWO_DAYS))

    assert (attestation.evidence, attestation.sufficient) == (LockEvidence.DEFAULT, True)


async def test_a_lock_that_the_object_itself_shows_is_the_best_proof(s3: S3Server, locked: str) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
    s3.client().put_object(Bucket=locked, Key="curfew/v1/log=main/stamped", Body=b"x", **lock)
    store = open_store(f"s3://{locked}/curfew", retention=TWO_DAYS)
    attestation = await store.attest("v1/log=main/stamped", datetime.now(UTC))

    assert (attestation.evidence, attestation.sufficient, attestation.findings) == (LockEvidence.STAMPED, True, ())


async def test_the_canary_is_as_locked_as_the_records(s3: S3Server, locked: str) -> None:
    """And is there once a day, however often it is tried."""
    store = open_store(f"s3://{locked}/curfew", retention=TWO_DAYS)
    await attest(store)
    await store.attest("v1/log=main/sample", datetime.now(UTC))

    (canary,) = s3.client().list_object_versions(Bucket=locked, Prefix="curfew/canary/")["Versions"]
    assert canary["Key"].startswith("curfew/canary/20")


@pytest.fixture
def moto_environment(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients find moto, and say beside the checksum which one it is: Amazon is content with the checksum."""
    for name, value in moto.env().items():
        monkeypatch.setenv(name, value)

    make: Any = obstore.store.from_url

    def from_url(url: str, *, client_options: dict[str, Any], **options: Any) -> Any:
        named = {"x-amz-sdk-checksum-algorithm": "SHA256"}
        return make(url, client_options={**client_options, "default_headers": named}, **options)

    monkeypatch.setattr(adapter, "from_url", from_url)


async def test_a_server_that_shows_locks_and_does_not_keep_them_proves_nothing(
    moto: MotoServer, moto_environment: None, bucket_name: str
) -> None:
    """By what it shows alone, it would have the best grade of all."""
    bucket = moto.make_bucket(f"{bucket_name}-moto", retention_days=2)
    store = open_store(f"s3://{bucket}/curfew", retention=TWO_DAYS)
    attestation = await attest(store)

    head = moto.client().head_object(Bucket=bucket, Key="curfew/v1/log=main/sample")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert (attestation.evidence, attestation.sufficient) == (LockEvidence.REFUSED, False)
    assert attestation.findings == (
        f"An object in the bucket {bucket} could be unlocked ahead of its time: what is written there can be removed.",
    )


async def test_versioning_that_is_suspended_is_found(
    moto: MotoServer, moto_environment: None, bucket_name: str
) -> None:
    """Moto lets that be done to a locked bucket."""
    bucket = moto.make_bucket(f"{bucket_name}-moto", retention_days=2)
    moto.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    attestation = await attest(open_store(f"s3://{bucket}/curfew", retention=TWO_DAYS))

    assert not attestation.sufficient
    assert f"The bucket {bucket} keeps no versions (Suspended). Enable versioning." in attestation.findings


async def test_what_is_really_removed_from_a_store_is_noticed(
    moto: MotoServer, moto_environment: None, bucket_name: str
) -> None:
    """Moto lets a lock be taken off, and then the version be deleted: no marker tells of it."""
    bucket, client = moto.make_bucket(f"{bucket_name}-moto", retention_days=2), moto.client()
    store, observer = open_store(f"s3://{bucket}/curfew"), Observer()
    trail = a_trail(store, observer, clock=SystemClock(), attest_every=timedelta(seconds=1), worm_required=False)
    async with running(trail):
        await until(observer, lambda: any(r.event == "audit.attested" for r in observer.told), within=30)
        assert trail.health.ok
        assert not observer.attestations[-1].sufficient
        name = (await store.list(f"v1/log={LOG}/"))[-1]
        key = f"curfew/{name}"
        version = client.head_object(Bucket=bucket, Key=key)["VersionId"]
        ended = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) - timedelta(days=1)}
        client.put_object_retention(Bucket=bucket, Key=key, VersionId=version, Retention=ended)
        client.delete_object(Bucket=bucket, Key=key, VersionId=version)
        await until(observer, lambda: bool(observer.discrepancies), within=30)

    assert (observer.discrepancies[0].sample.name, observer.discrepancies[0].found) == (name, None)
    assert trail.health.reason == "VerificationFailed"

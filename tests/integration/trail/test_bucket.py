"""A bucket of a real S3 server keeps the contract of stores, and says clearly what is wrong with it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import LockEvidence, ObjectStore, StoreUnavailable
from tests.support.store_contract import NAME, StoreContract
from tools.servers.s3 import S3Server

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class TestBucket(StoreContract):
    """A locked bucket, with the `store` of conftest."""


async def said(store: ObjectStore) -> dict[str, str]:
    """Return what each call says when the store cannot be used; any other outcome fails the test."""
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "create": lambda: store.create(NAME, b"x"),
        "get": lambda: store.get(NAME),
        "list": lambda: store.list("v1/log=main/"),
        "list_partitions": lambda: store.list_partitions("v1/log=main/"),
        "attest": lambda: store.attest(NAME, NOON),
    }
    sentences = {}
    for name, call in calls.items():
        with pytest.raises(StoreUnavailable) as refused:
            await call()
        sentences[name] = str(refused.value)
    return sentences


async def test_a_bucket_that_does_not_exist_is_named(s3: S3Server, s3_environment: None) -> None:
    for sentence in (await said(open_store("s3://nowhere/curfew"))).values():
        assert sentence == (
            "The bucket nowhere does not exist (404 NoSuchBucket: The specified bucket does not exist). "
            "Create it with versioning and Object Lock, or correct the address."
        )


@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_wrong_credentials_are_named_and_not_repeated(
    store: ObjectStore, variable: str, bucket_name: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.create(NAME, b"x")
    monkeypatch.setenv(variable, "wrong")

    for sentence in (await said(open_store(f"s3://{bucket_name}/curfew/trail"))).values():
        host = s3.url.removeprefix("http://")
        assert sentence.startswith(f"{host} does not accept the credentials (4")
        assert sentence.endswith(f"). Set the credentials for the bucket {bucket_name}.")
        assert s3.env()["AWS_ACCESS_KEY_ID"] not in sentence
        assert "Signature=" not in sentence


async def test_a_server_that_is_gone_is_named_with_its_port(store: ObjectStore, bucket_name: str, s3: S3Server) -> None:
    s3.stop()
    try:
        sentences = await said(store)
    finally:
        s3.start()

    host = s3.url.removeprefix("http://")
    for sentence in sentences.values():
        assert sentence == (
            f"{host}, where the bucket {bucket_name} is, cannot be reached (connection refused). "
            "Check the endpoint and the network."
        )
    await store.create(NAME, b"x")


async def test_a_locked_bucket_is_proved_by_its_default_retention(store: ObjectStore, bucket_name: str) -> None:
    await store.create(NAME, b"x")
    attestation = await store.attest(NAME, NOON)

    assert attestation.evidence is LockEvidence.DEFAULT
    assert attestation.sufficient
    (finding,) = attestation.findings
    assert finding.startswith(f"The bucket {bucket_name} does not show locks on the objects themselves")


@pytest.mark.parametrize(
    ("setup", "retention", "sufficient", "finding"),
    [
        pytest.param(
            {"object_lock": False, "versioning": False},
            1,
            False,
            "keeps no versions (never enabled)",
            id="no versioning",
        ),
        pytest.param({"object_lock": False}, 1, False, "has no Object Lock. Enable it", id="no lock"),
        pytest.param({"mode": None}, 1, False, "has Object Lock but no default retention", id="no default retention"),
        pytest.param({}, 30, False, "locked for 1 day; the settings require at least 30 days", id="too short"),
        pytest.param({"mode": "GOVERNANCE"}, 1, True, "which s3:BypassGovernanceRetention lifts", id="governance"),
    ],
)
async def test_what_is_missing_is_found(
    open_bucket: Callable[..., ObjectStore],
    setup: dict[str, object],
    retention: int,
    sufficient: bool,
    finding: str,
) -> None:
    store = open_store(open_bucket(**setup).url, retention=timedelta(days=retention))
    await store.create(NAME, b"x")
    attestation = await store.attest(NAME, NOON)

    assert attestation.sufficient is sufficient
    assert attestation.evidence is (LockEvidence.DEFAULT if sufficient else LockEvidence.REFUSED)
    assert any(finding in one for one in attestation.findings), attestation.findings


async def test_a_stored_object_can_be_neither_replaced_nor_removed(
    store: ObjectStore, bucket_name: str, s3: S3Server
) -> None:
    await store.create(NAME, b"x")
    client = s3.client()
    key = f"curfew/trail/{NAME}"
    (version,) = client.list_object_versions(Bucket=bucket_name, Prefix=key)["Versions"]

    with pytest.raises(client.exceptions.ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket_name, Key=key, VersionId=version["VersionId"])
    with pytest.raises(client.exceptions.ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket_name, Key=key, Body=b"y", IfNoneMatch="*")

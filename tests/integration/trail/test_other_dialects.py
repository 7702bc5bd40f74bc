"""Azure's and Google's object storage keep the contract of stores too, as far as servers that speak like them tell.

Neither of these servers locks anything, so what is proved of them is what an ordinary bucket of each would prove.
"""

from datetime import UTC, datetime

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import LockEvidence, ObjectStore, StoreUnavailable
from tests.support.store_contract import NAME, StoreContract
from tools.servers.azure import AzureServer
from tools.servers.gcs import GcsServer

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def azure_store(azure: AzureServer, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Return a store in a new container, found as it would be in production: by the environment."""
    for name, value in azure.env().items():
        monkeypatch.setenv(name, value)
    return open_store(f"az://{azure.make_container(bucket_name)}/curfew/trail")


@pytest.fixture
def gcs_store(gcs: GcsServer, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Return a store in a new bucket, found by the environment."""
    for name, value in gcs.env().items():
        monkeypatch.setenv(name, value)
    return open_store(f"gs://{gcs.make_bucket(bucket_name)}/curfew/trail")


class TestAzure(StoreContract):
    """A container of Azurite."""

    @pytest.fixture
    def store(self, azure_store: ObjectStore) -> ObjectStore:
        """Return it."""
        return azure_store


class TestGoogle(StoreContract):
    """A bucket of fake-gcs-server."""

    @pytest.fixture
    def store(self, gcs_store: ObjectStore) -> ObjectStore:
        """Return it."""
        return gcs_store


@pytest.mark.parametrize(
    ("dialect", "kind", "unknown"),
    [
        ("azure_store", "container", "The blobs in the container NAME show no immutability policy."),
        ("gcs_store", "bucket", "How the bucket NAME locks its objects cannot be read"),
    ],
)
async def test_an_ordinary_one_proves_little_and_says_so(
    request: pytest.FixtureRequest, bucket_name: str, dialect: str, kind: str, unknown: str
) -> None:
    store: ObjectStore = request.getfixturevalue(dialect)
    await store.create(NAME, b"x")
    attestation = await store.attest(NAME, NOON)

    assert (attestation.evidence, attestation.sufficient) == (LockEvidence.REFUSED, False)
    assert attestation.findings[0] == (
        f"An object in the {kind} {bucket_name} could be deleted: what is written there can be removed."
    )
    assert attestation.findings[1].startswith(unknown.replace("NAME", bucket_name))


async def test_a_container_that_does_not_exist_is_named(azure_store: ObjectStore) -> None:
    nowhere = open_store("az://nowhere/curfew")

    for call in (nowhere.create(NAME, b"x"), nowhere.get(NAME), nowhere.list("v1/"), nowhere.attest(NAME, NOON)):
        with pytest.raises(StoreUnavailable, match="container nowhere"):
            await call


async def test_a_wrong_key_of_azure_is_named(azure_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "bm90IHRoZSBrZXk=")

    # Azurite's word for it; Azure's is AuthenticationFailed, which is told as wrong credentials.
    with pytest.raises(StoreUnavailable, match=r"Access to the container .+ is denied \(403 AuthorizationFailure"):
        await open_store(azure_store.url).create(NAME, b"x")

"""Keys that are exchanged while Curfew runs, for Azure's and Google's stores: no restart, and nothing that runs is lost.

Those of S3 are in `test_aws`. Azurite checks keys and signatures; fake-gcs-server checks nothing, so what is sent to it counts.
"""

import asyncio
import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from curfew.adapters.objectstore import current, open_store
from curfew.adapters.variables import Variables
from curfew.ports import StoreUnavailable
from tools.servers.azure import AzureServer
from tools.servers.gcs import GcsServer

LARGE = 24 * 1024 * 1024


class Secret:
    """A Secret that is mounted, and read as the operator does."""

    def __init__(self, folder: Path) -> None:
        """Nothing is in it."""
        self._folder = folder
        self._variables = Variables(folder)

    def put(self, variables: Mapping[str, str]) -> None:
        """Let it hold these and nothing else."""
        for old in self._folder.iterdir():
            old.unlink()
        for name, value in variables.items():
            (self._folder / name).write_text(value)
        self._variables.read()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secret]:
    """Return an empty Secret; stores look for new keys before each call."""
    monkeypatch.setattr(current, "READ_AGAIN_SECONDS", 0.0)
    (tmp_path / "secret").mkdir()
    secret = Secret(tmp_path / "secret")
    yield secret
    secret.put({})  # takes the variables away


async def test_azure_goes_on_with_the_second_key(azure: AzureServer, bucket_name: str, secret: Secret) -> None:
    secret.put(azure.env())
    store = open_store(f"az://{azure.make_container(bucket_name)}/curfew")
    await store.create("first", b"1")
    azure.add_key()

    uploads = [asyncio.create_task(store.create(f"under-way-{number}", bytes(LARGE))) for number in range(3)]
    await asyncio.sleep(0)  # they have begun, with the first key
    secret.put(azure.env())
    await store.create("second", b"2")
    await asyncio.gather(*uploads)
    azure.take_old_key_away()

    await store.create("third", b"3")
    assert await store.list("") == ["first", "second", "third", *(f"under-way-{number}" for number in range(3))]


async def test_azure_is_refused_until_the_new_key_is_there(
    azure: AzureServer, bucket_name: str, secret: Secret
) -> None:
    secret.put(azure.env())
    store = open_store(f"az://{azure.make_container(bucket_name)}/curfew")
    azure.add_key()
    azure.take_old_key_away()
    with pytest.raises(StoreUnavailable, match="is denied"):
        await store.create("record", b"1")

    secret.put(azure.env())

    await store.create("record", b"1")


async def test_a_key_of_azure_gives_way_to_a_signature(azure: AzureServer, bucket_name: str, secret: Secret) -> None:
    """The file of the key goes, and one for a SAS token comes; then the token is exchanged too."""
    where = {name: value for name, value in azure.env().items() if name != "AZURE_STORAGE_ACCOUNT_KEY"}
    secret.put(azure.env())
    store = open_store(f"az://{azure.make_container(bucket_name)}/curfew")
    await store.create("with-a-key", b"1")

    secret.put({**where, "AZURE_STORAGE_SAS_TOKEN": azure.sas()})
    await store.create("with-a-token", b"2")
    azure.add_key()
    azure.take_old_key_away()
    with pytest.raises(StoreUnavailable, match="is denied"):
        await store.get("with-a-token")
    secret.put({**where, "AZURE_STORAGE_SAS_TOKEN": azure.sas()})

    assert await store.get("with-a-token") == b"2"


async def test_google_is_sent_the_new_token(gcs: GcsServer, bucket_name: str, secret: Secret) -> None:
    secret.put({**gcs.env(), "GOOGLE_BEARER_TOKEN": "first"})
    store = open_store(f"gs://{gcs.make_bucket(bucket_name)}/curfew")
    await store.create("a", b"1")
    assert gcs.authorizations[-1] == "Bearer first"

    secret.put({**gcs.env(), "GOOGLE_BEARER_TOKEN": "second"})
    await store.create("b", b"2")

    assert gcs.authorizations[-1] == "Bearer second"
    assert await store.list("") == ["a", "b"]


@pytest.mark.parametrize("is_file", [False, True], ids=["in the Secret", "in a file that the Secret names"])
async def test_google_is_asked_with_the_new_key_of_the_account(
    gcs: GcsServer, bucket_name: str, secret: Secret, tmp_path: Path, is_file: bool
) -> None:
    where = {name: value for name, value in gcs.env().items() if name != "GOOGLE_BEARER_TOKEN"}

    def put(key_id: str) -> None:
        key = service_account(key_id)
        (tmp_path / "account.json").write_text(key)
        named = {"GOOGLE_SERVICE_ACCOUNT": str(tmp_path / "account.json")}
        secret.put({**where, **(named if is_file else {"GOOGLE_SERVICE_ACCOUNT_KEY": key})})

    put("key-1")
    store = open_store(f"gs://{gcs.make_bucket(bucket_name)}/curfew")
    await store.create("a", b"1")
    assert signed_by(gcs.authorizations[-1]) == "key-1"

    put("key-2")
    await store.create("b", b"2")

    assert signed_by(gcs.authorizations[-1]) == "key-2"


def service_account(key_id: str) -> str:
    """Return a key of a service account, as Google gives it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {
            "type": "service_account",
            "private_key_id": key_id,
            "private_key": pem,
            "client_email": "curfew@project.iam.gserviceaccount.com",
        }
    )


def signed_by(authorization: str) -> str:
    """Return which key signed the token in a header."""
    head = authorization.removeprefix("Bearer ").split(".", 1)[0]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return found["kid"]

"""Who we are to a bucket, and whom we trust to be it: found as AWS's own tools find it, and read again."""

import json
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curfew.adapters.objectstore import aws, current, open_store
from curfew.adapters.variables import Variables
from curfew.ports import ObjectStore, StoreUnavailable
from tools.servers.pki import Authority
from tools.servers.s3 import S3Server

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return a server whose certificate is from an authority that nobody knows."""
    with S3Server(tmp_path_factory.mktemp("s3"), Authority("private")) as server:
        yield server


@pytest.fixture
def home(own: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for AWS's files. The environment says where the server is, and not who we are."""
    for name, value in own.env().items():
        monkeypatch.setenv(name, value)
    for name in (*KEYS, "AWS_PROFILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("SSL_CERT_FILE", str(own.ca))
    return tmp_path


def write_keys(server: S3Server, home: Path) -> None:
    """Write the server's keys where AWS's tools look for them."""
    ours = server.env()
    keys = "\n".join(f"{name.lower()} = {ours[name]}" for name in KEYS)
    (home / "credentials").write_text(f"[default]\n{keys}\n")


async def use(store: ObjectStore, name: str) -> None:
    """Have both of our clients talk to the bucket."""
    await store.create(name, b"x")
    assert (await store.attest(name, NOON)).sufficient


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
async def test_both_clients_trust_a_private_authority(
    own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setenv(variable, str(own.ca))
    write_keys(own, home)

    await use(open_store(f"s3://{own.make_bucket(variable.lower().replace('_', '-'))}"), "a")


async def test_without_it_the_server_is_not_trusted(own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    write_keys(own, home)

    with pytest.raises(StoreUnavailable):
        await open_store(f"s3://{own.make_bucket('stranger')}").list("")


def test_a_file_of_certificates_that_is_not_there_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.crt")

    with pytest.raises(StoreUnavailable, match=r"^The certificates in /nowhere/ca\.crt \(.*\) cannot be read: No such"):
        open_store("s3://trail")


async def test_a_profile_may_name_a_program_that_prints_the_keys(
    own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = own.env()
    keys = {"Version": 1, "AccessKeyId": ours[KEYS[0]], "SecretAccessKey": ours[KEYS[1]]}
    (home / "keys.json").write_text(json.dumps(keys))
    program = f"import pathlib; print(pathlib.Path({str(home / 'keys.json')!r}).read_text())"
    command = f"{sys.executable} -c {shlex.quote(program)}"
    (home / "config").write_text(f"[profile audit]\nregion = us-east-1\ncredential_process = {command}\n")
    monkeypatch.setenv("AWS_PROFILE", "audit")

    await use(open_store(f"s3://{own.make_bucket('profile')}"), "a")


async def test_a_program_that_fails_is_told(own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config").write_text(
        f"[profile audit]\ncredential_process = {sys.executable} -c \"raise SystemExit('log in first')\"\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "audit")

    with pytest.raises(
        StoreUnavailable, match=r"^The credentials for the bucket trail cannot be obtained: .*log in first"
    ):
        await open_store("s3://trail").list("")


def test_a_profile_that_is_not_there_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_PROFILE", "adit")

    with pytest.raises(StoreUnavailable, match="adit"):
        open_store("s3://trail")


async def test_without_any_it_is_said_how_to_set_them(home: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"^There are no credentials for the bucket trail: set AWS_PROFILE, or"):
        await open_store("s3://trail").list("")


async def test_keys_that_are_exchanged_are_read_again(
    own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same store goes on when the new keys are in the file."""
    monkeypatch.setattr(current, "READ_AGAIN_SECONDS", 0.0)
    write_keys(own, home)
    store = open_store(f"s3://{own.make_bucket('exchanged')}")
    await use(store, "a")

    own.exchange_keys()
    with pytest.raises(StoreUnavailable, match="does not accept the credentials"):
        await store.list("")
    write_keys(own, home)

    await use(store, "b")


async def test_keys_in_a_mounted_secret_are_read_again(
    own: S3Server, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the chart mounts them: the operator needs no restart."""
    monkeypatch.setattr(current, "READ_AGAIN_SECONDS", 0.0)
    for name in KEYS:
        monkeypatch.setenv(name, "")  # so that they go with the test
    variables = Variables(home)

    def mount() -> None:
        for name in KEYS:
            (home / name).write_text(own.env()[name])
        variables.read()

    mount()
    store = open_store(f"s3://{own.make_bucket('mounted')}")
    await use(store, "a")

    own.exchange_keys()
    mount()

    await use(store, "b")


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("cn-north-1", "s3.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "s3.us-gov-west-1.amazonaws.com"),
        ("eu-west-1", "s3.eu-west-1.amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_domain(monkeypatch: pytest.MonkeyPatch, region: str, host: str) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)

    assert (aws.Aws().endpoint(region) or f"https://s3.{region}.amazonaws.com") == f"https://{host}"

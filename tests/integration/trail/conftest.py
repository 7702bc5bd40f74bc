"""One S3 server for all tests of the trail, and a bucket of its own for each."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import ObjectStore
from tests.support.moto import MotoServer
from tools.servers.azure import AzureServer
from tools.servers.gcs import GcsServer
from tools.servers.npm import NodeMissing
from tools.servers.s3 import S3Server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Return a running server with Object Lock."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    """Return a running server that shows locks and does not keep them."""
    with MotoServer() as server:
        yield server


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """Return a running Azurite. Where there is no Node.js to run it, what is missing is said, and nothing is tested."""
    try:
        server = AzureServer(tmp_path_factory.mktemp("azure"))
    except NodeMissing as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """Return a running server that speaks as Google's does."""
    with GcsServer(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def s3_environment(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients find the server as they would find one in production."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket_name() -> str:
    """Return the name of a bucket that no test has used."""
    return f"trail-{next(_numbers)}"


@pytest.fixture
def store(s3: S3Server, s3_environment: None, bucket_name: str) -> ObjectStore:
    """Return a store in a locked bucket, under a prefix."""
    return open_store(f"s3://{s3.make_bucket(bucket_name)}/curfew/trail")


@pytest.fixture
def open_bucket(s3: S3Server, s3_environment: None, bucket_name: str) -> Callable[..., ObjectStore]:
    """Return a maker of stores, each in a bucket that is set up as asked."""

    def make(**setup: Any) -> ObjectStore:
        name = f"{bucket_name}-{next(_numbers)}"
        s3.make_bucket(name, **setup)
        return open_store(f"s3://{name}")

    return make

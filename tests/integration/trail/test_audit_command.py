"""An auditor reads a real bucket: what `curfew audit` says of a log in it, and of one that cannot be read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.adapters.objectstore import open_store
from curfew.cli import main
from curfew.ports import ObjectStore
from tests.support.logs import ALog, a_log
from tools.servers.s3 import S3Server


def audit(*arguments: str) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *arguments])


async def _store(log: ALog, store: ObjectStore) -> None:
    for name, stored in log.objects.items():
        await store.create(name, stored)


@pytest.fixture
async def log(store: ObjectStore) -> ALog:
    """Return a log of 40 segments that lies in the bucket: more than are read ahead."""
    log = a_log(*(1, 2, 0, 1) * 10)
    await _store(log, store)
    return log


def test_a_log_in_a_bucket_verifies(log: ALog, store: ObjectStore) -> None:
    result = audit("verify", store.url, "--key", str(log.verifier), "--anchor", log.receipt(39).compact())

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Verified: log main at {store.url}\n  Holds    40 records in 40 segments\n")


def test_a_log_in_a_bucket_is_shown(log: ALog, store: ObjectStore) -> None:
    result = audit("tail", store.url, "-n", "3")

    assert result.exit_code == 0, result.output
    assert [line.rpartition(" ")[2] for line in result.stdout.splitlines()[-3:]] == ["inc-37)", "inc-38)", "inc-39)"]


@pytest.mark.parametrize("how", [[], ["--no-index"]], ids=["with an index", "without"])
def test_a_log_in_a_bucket_is_searched(
    log: ALog, store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        result = audit("search", store.url, "--request", "payments/inc-2*", "-o", "jsonl", *how)

        assert result.exit_code == 0, result.output
        assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [2, *range(20, 30)]


def test_a_record_in_a_bucket_is_proved(log: ALog, store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"

    assert audit("prove", store.url, "inc-17", "--to", str(file)).exit_code == 0
    assert audit("check-proof", str(file), "--key", str(log.verifier)).exit_code == 0


def test_a_part_of_a_bucket_is_handed_over(log: ALog, store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"

    assert audit("export", store.url, "--period", "2026-11-24", "--to", str(file)).exit_code == 0
    assert audit("verify", str(file), "--key", str(log.verifier)).exit_code == 0


@pytest.fixture
async def copy(log: ALog, s3: S3Server, bucket_name: str) -> ObjectStore:
    """Return a copy in which one byte of segment 20 is another."""
    name = log.names[20]
    log.objects[name] = log.objects[name][:30] + bytes([log.objects[name][30] ^ 1]) + log.objects[name][31:]
    copy = open_store(f"s3://{s3.make_bucket(f'{bucket_name}-copy')}")
    await _store(log, copy)
    return copy


def test_a_copy_that_was_altered_is_found(log: ALog, copy: ObjectStore) -> None:
    result = audit("verify", copy.url)

    assert result.exit_code == 1
    assert f"Segment 20 ({log.names[20]}) was altered" in result.stdout


@pytest.mark.parametrize("name", ["verify", "search", "tail"])
def test_a_bucket_that_does_not_exist_cannot_be_read(s3_environment: None, name: str) -> None:
    result = audit(name, "s3://nowhere/curfew")

    assert result.exit_code == 3
    assert "The bucket nowhere does not exist" in result.stderr


@pytest.mark.parametrize("name", ["verify", "search", "tail"])
def test_wrong_credentials_are_not_called_tampering(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    result = audit(name, store.url)

    assert result.exit_code == 3
    assert "does not accept the credentials" in result.stderr


def test_another_prefix_holds_no_log(log: ALog, bucket_name: str) -> None:
    result = audit("verify", f"s3://{bucket_name}/elsewhere")

    assert result.exit_code == 3
    assert f"There is no log at s3://{bucket_name}/elsewhere." in result.stderr

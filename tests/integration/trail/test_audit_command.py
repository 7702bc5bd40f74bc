"""An auditor reads a real bucket: what `curfew audit` says of a log in it, and of one that cannot be read."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from curfew.cli import main
from curfew.ports import ObjectStore
from tests.support.logs import ALog, a_log
from tools.servers.s3 import S3Server


def audit(*arguments: str) -> Result:
    """Run `curfew audit`."""
    return CliRunner().invoke(main, ["audit", *arguments])


@pytest.fixture(scope="module")
def log() -> ALog:
    """Return a log of 40 segments: more than are read ahead."""
    return a_log(*(1, 2, 0, 1) * 10)


@pytest.fixture(scope="module")
def stored(log: ALog, s3: S3Server) -> str:
    """Return the address of a bucket in which it lies; nobody changes anything there."""
    bucket, client = s3.make_bucket("audited"), s3.client()
    for name, content in log.objects.items():
        client.put_object(Bucket=bucket, Key=f"curfew/trail/{name}", Body=content)
    return f"s3://{bucket}/curfew/trail"


@pytest.fixture
def url(stored: str, s3_environment: None) -> str:
    """Return that address to somebody who has the keys."""
    return stored


def test_a_log_in_a_bucket_verifies(log: ALog, url: str) -> None:
    result = audit("verify", url, "--key", str(log.verifier), "--anchor", log.receipt(39).compact())

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"Verified: log main at {url}\n  Holds    40 records in 40 segments\n")


def test_a_log_in_a_bucket_is_shown(log: ALog, url: str) -> None:
    result = audit("tail", url, "-n", "3")

    assert result.exit_code == 0, result.output
    assert [line.rpartition(" ")[2] for line in result.stdout.splitlines()[-3:]] == ["inc-37)", "inc-38)", "inc-39)"]


@pytest.mark.parametrize("how", [[], ["--no-index"]], ids=["with an index", "without"])
def test_a_log_in_a_bucket_is_searched(
    log: ALog, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        result = audit("search", url, "--request", "payments/inc-2*", "-o", "jsonl", *how)

        assert result.exit_code == 0, result.output
        assert [json.loads(line)["index"] for line in result.stdout.splitlines()] == [2, *range(20, 30)]


def test_a_record_in_a_bucket_is_proved(log: ALog, url: str, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"

    assert audit("prove", url, "inc-17", "--to", str(file)).exit_code == 0
    assert audit("check-proof", str(file), "--key", str(log.verifier)).exit_code == 0


def test_a_part_of_a_bucket_is_handed_over(log: ALog, url: str, tmp_path: Path) -> None:
    file = tmp_path / "bundle.zip"

    assert audit("export", url, "--period", "2026-11-24", "--to", str(file)).exit_code == 0
    assert audit("verify", str(file), "--key", str(log.verifier)).exit_code == 0


async def test_a_copy_that_was_altered_is_found(log: ALog, store: ObjectStore) -> None:
    """One byte of segment 20 is another."""
    name = log.names[20]
    altered = log.objects[name][:30] + bytes([log.objects[name][30] ^ 1]) + log.objects[name][31:]
    for known, content in {**log.objects, name: altered}.items():
        await store.create(known, content)

    result = await asyncio.to_thread(audit, "verify", store.url)

    assert result.exit_code == 1
    assert f"Segment 20 ({name}) was altered" in result.stdout


@pytest.mark.parametrize("name", ["verify", "search", "tail"])
def test_a_bucket_that_does_not_exist_cannot_be_read(s3_environment: None, name: str) -> None:
    result = audit(name, "s3://nowhere/curfew")

    assert result.exit_code == 3
    assert "The bucket nowhere does not exist" in result.stderr


@pytest.mark.parametrize("name", ["verify", "search", "tail"])
def test_wrong_credentials_are_not_called_tampering(url: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    result = audit(name, url)

    assert result.exit_code == 3
    assert "does not accept the credentials" in result.stderr


def test_another_prefix_holds_no_log(url: str) -> None:
    elsewhere = url.replace("/curfew/trail", "/elsewhere")
    result = audit("verify", elsewhere)

    assert result.exit_code == 3
    assert f"There is no log at {elsewhere}." in result.stderr

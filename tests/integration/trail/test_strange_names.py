"""Whoever may write to the bucket chooses the names there: none of them hides the log, and none stops a start."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from click.testing import CliRunner

from curfew.adapters.objectstore import open_store
from curfew.audit.segment import partition
from curfew.cli import main
from curfew.trail.memory import Memory
from curfew.trail.recovery import recover
from tests.support.logs import BEGIN, ALog, a_log
from tests.support.moto import MotoServer
from tests.support.scale import soaks

STRANGE = ["/x", "../x", "./x", "a\x01b", "a\u202eb", "", "%2e%2e/y", "a b?c#d", "x" * 900, "000000000009-/x.jsonl.zst"]


@pytest.fixture
def log() -> ALog:
    """Return a log of some segments."""
    return a_log(2, 1, 3)


@pytest.mark.parametrize("strange", [STRANGE, *([name] for name in STRANGE if soaks())])
def test_a_name_that_no_path_could_have_hides_no_segment(
    moto: MotoServer, log: ALog, bucket_name: str, strange: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client library lists nothing at all then: one such object under each day would have stopped every start."""
    for name, value in moto.env().items():
        monkeypatch.setenv(name, value)
    bucket = moto.make_bucket(bucket_name)
    client = moto.client()
    for name, stored in log.objects.items():
        client.put_object(Bucket=bucket, Key=f"prod/{name}", Body=stored)
    for day in range(-3, 3):
        folder = partition(log.log, BEGIN.date() + timedelta(days=day))
        for name in strange:
            client.put_object(Bucket=bucket, Key=f"prod/{folder}{name}", Body=b"x")
    url = f"s3://{bucket}/prod"

    remember = partial(Memory, log.log)
    start = recover(open_store(url), log.log, [log.verifier], timedelta(hours=25), datetime.now(UTC), remember)
    assert asyncio.run(start).head == log.head

    verified = CliRunner().invoke(main, ["audit", "verify", url, "--all"], prog_name="curfew")
    assert verified.exit_code == 1
    assert "does not belong to log main" in verified.output
    assert all(name not in verified.output for name in log.names), "and nothing else is wrong"

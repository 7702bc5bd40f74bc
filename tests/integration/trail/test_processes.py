"""Writers as processes of their own, on one log: they take turns, they are killed, and there is one chain."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Self

import pytest

from curfew.adapters.objectstore import open_store
from tests.support.scale import drawn
from tests.support.trail import LOG, a_record, log_of, records, segments, told_once
from tools.servers.s3 import S3Server

CHECKOUT = Path(__file__).parents[3]


STORES = ["folder", "bucket"]


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path, bucket_name: str) -> str:
    """Return the address of an empty store."""
    if request.param == "folder":
        return f"file://{tmp_path / 'log'}"
    s3: S3Server = request.getfixturevalue("s3")
    request.getfixturevalue("s3_environment")
    return f"s3://{s3.make_bucket(bucket_name)}/curfew"


class Process:
    """A writer of some records, which can be killed."""

    def __init__(self, url: str, writer: str, first: int, last: int) -> None:
        command = [sys.executable, "-m", "tests.support.appending", url, writer, str(first), str(last)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True)  # noqa: S603  ourselves
        self.durable: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def await_ready(self) -> None:
        """Return when it has read the log back."""
        assert self._output.readline() == "ready\n"

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def await_durable(self, count: int) -> None:
        """Return when it has said of so many records that they are durable."""
        while len(self.durable) < count:
            self.durable.append(int(self._output.readline()))

    def kill(self) -> None:
        """End it without warning."""
        self._process.kill()
        rest, _ = self._process.communicate()
        self.durable += map(int, rest.split())

    def await_end(self) -> None:
        """Return when it has done what it was to do."""
        rest, _ = self._process.communicate(timeout=60)
        self.durable += map(int, rest.split())
        assert self._process.returncode == 0

    @property
    def _output(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout


async def stored(url: str) -> dict[str, bytes]:
    """Return all objects of the log."""
    store = open_store(url)
    return {name: await store.get(name) for name in await store.list(f"v1/log={LOG}/")}


def ids(first: int, last: int) -> list[str]:
    """Return the ids of the records of these numbers, sorted."""
    return sorted(record.id for record in records(first, last))


async def test_two_processes_write_one_chain(url: str) -> None:
    with Process(url, "curfew-1", 1, 120) as one, Process(url, "curfew-2", 100, 220) as other:
        for process in (one, other):
            process.await_ready()
        for process in (one, other):
            process.go()
        for process in (one, other):
            process.await_end()

    objects = await stored(url)
    assert sorted(told_once(objects)) == ids(1, 220)
    assert {segment.writer for segment in segments(objects)} == {"curfew-1", "curfew-2"}
    assert "audit.writer_changed" in {record.event for record in log_of(objects)}, "they did not write at the same time"


@pytest.mark.parametrize("url", drawn(STORES, "killed"), indirect=True)
async def test_a_process_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(url: str) -> None:
    with Process(url, "curfew-1", 1, 300) as rival:
        rival.await_ready()
        rival.go()
        for life, durable in enumerate((1, 3, 20)):
            with Process(url, f"curfew-2-{life}", 200, 500) as process:
                process.await_ready()
                process.go()
                process.await_durable(durable)
                process.kill()
            assert {record.id for record in map(a_record, process.durable)} <= set(told_once(await stored(url)))
        rival.await_end()
    with Process(url, "curfew-2-last", 200, 500) as last:
        last.await_ready()
        last.go()
        last.await_end()

    assert sorted(told_once(await stored(url))) == ids(1, 500)

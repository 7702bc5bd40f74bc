"""Following a file as a running process does, beside a process that writes it."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest
import structlog

from curfew.adapters.intake import files, handing
from curfew.adapters.intake.files import FileFollower
from curfew.adapters.intake.settings import Begin, FollowSettings
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchRefused, IntakeRefusal, IntakeUnavailable, Overloaded
from tests.support.following import MODULE, batches
from tests.support.intake import Counted, Taken, event, largest_event, numbers, until
from tests.support.logwriting import ROTATIONS, LogWriter
from tests.support.scale import soaks
from tools.servers.spawn import spawn

TOP = Path(__file__).parents[4]


def start(*arguments: object, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-m", MODULE, *map(str, arguments)], output=output, folder=TOP)


@asynccontextmanager
async def following(path: Path, sink: Taken, observer: Counted, **changes: Any) -> AsyncIterator[FileFollower]:
    settings = FollowSettings(path, "api-1", Form.KUBERNETES, begin=Begin.BEGINNING, look_seconds=0.01)
    follower = FileFollower(replace(settings, **changes), sink, observer)
    running = asyncio.create_task(follower.run())
    try:
        yield follower
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses after failures."""
    monkeypatch.setattr(files, "_PAUSE", 0.01)
    monkeypatch.setattr(handing, "FIRST_PAUSE", 0.01)


async def test_lines_are_handed_over_with_source_and_form(tmp_path: Path, observer: Counted) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    log.write(b"one\ntwo\n")
    async with following(log.path, sink, observer):
        await until(lambda: observer.bytes == 8)
    assert sink.batches == [Batch("api-1", Form.KUBERNETES, b"one\ntwo\n", is_lines=True)]


async def test_it_goes_on_only_when_lines_were_taken(tmp_path: Path, observer: Counted) -> None:
    log = LogWriter(tmp_path / "audit.log")
    sink = Taken(Overloaded(0.0), IntakeUnavailable("The bucket is away."))
    position = tmp_path / "position"
    sink.is_open.clear()
    log.write(b"one\n")
    async with following(log.path, sink, observer, position=position):
        await until(lambda: sink.under_way)
        log.write(b"two\n")
        before = position.read_bytes()
        sink.is_open.set()
        await until(lambda: sink.text == b"one\ntwo\n")
        await until(lambda: position.read_bytes() != before)
    assert observer.refusals == {(IntakeRefusal.OVERLOADED, "api-1"): 1, (IntakeRefusal.UNAVAILABLE, "api-1"): 1}


async def test_lines_that_are_refused_are_counted_and_the_rest_lives(tmp_path: Path, observer: Counted) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken(BatchRefused("It is of no use."))
    log.write(b"one\n")
    async with following(log.path, sink, observer):
        await until(lambda: observer.refusals[IntakeRefusal.USELESS, "api-1"] == 1)
        log.write(b"two\n")
        await until(lambda: sink.text == b"two\n")


async def test_a_line_over_the_limit_is_counted(tmp_path: Path, observer: Counted) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    log.write(b"one\n" + b"x" * 9_000_000 + b"\ntwo\n")
    async with following(log.path, sink, observer):
        await until(lambda: sink.text == b"one\ntwo\n")
    assert observer.refusals == {(IntakeRefusal.LINE_TOO_LONG, "api-1"): 1}


async def test_the_largest_event_that_a_caller_can_make_is_taken_with_its_long_strings_cut(
    tmp_path: Path, observer: Counted
) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    log.write(b"one\n" + largest_event() + b"two\n")
    async with following(log.path, sink, observer):
        await until(lambda: sink.text.endswith(b"two\n"))
    first, largest, last = sink.text.splitlines()
    assert (first, last) == (b"one", b"two")
    assert len(largest) < 300_000
    assert {name: value[:9] for name, value in json.loads(largest).items()} == {
        "requestURI": "/&&&&&&&&",
        "name": "&&&&&&&&&",
        "message": "&&&&&&&&&",
        "details": "&&&&&&&&&",
        "auditID": "its-own",
    }
    assert observer.refusals == {}


async def test_what_is_wrong_with_the_file_is_reported_once_and_when_it_is_over(
    tmp_path: Path, observer: Counted
) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    with structlog.testing.capture_logs() as logs:
        async with following(log.path, sink, observer) as follower:
            await until(lambda: follower.trouble)
            assert follower.trouble == f"{log.path}: No such file or directory"
            for _ in range(10):
                await asyncio.sleep(0.01)  # a look
            log.path.mkdir()
            await until(lambda: follower.trouble == f"{log.path}: Is a directory")
            log.path.rmdir()
            log.write(b"one\n")
            await until(lambda: sink.text == b"one\n")
            assert follower.trouble == ""
    assert [line["event"] for line in logs] == [
        "a file cannot be followed as it should",
        "a file cannot be followed as it should",
        "the file can be followed again",
    ]


async def test_a_position_that_cannot_be_kept_is_reported_once_and_lines_come_all_the_same(
    tmp_path: Path, observer: Counted
) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    position = tmp_path / "none" / "position"
    with structlog.testing.capture_logs() as logs:
        async with following(log.path, sink, observer, position=position) as follower:
            for number in range(5):
                log.write(event(number))
                await until(lambda: len(sink.text.splitlines()) == number + 1)  # noqa: B023  awaited before the next
            assert numbers(sink.text.splitlines()) == list(range(5))
            await until(lambda: "none/position.new: No such file" in follower.trouble)
            position.parent.mkdir()
            log.write(event(5))
            await until(lambda: not follower.trouble)
    assert len(logs) == 2


async def test_a_file_that_may_not_be_read_is_an_error_until_it_may(
    tmp_path: Path, observer: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    log.write(b"one\n")
    opened, forbidden = os.open, True

    def open_(path: Any, *arguments: Any, **more: Any) -> int:
        if forbidden and Path(path) == log.path:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **more)

    monkeypatch.setattr(os, "open", open_)  # who runs the tests may be root, and may read all
    async with following(log.path, sink, observer) as follower:
        await until(lambda: follower.trouble == f"{log.path}: Permission denied")
        forbidden = False
        await until(lambda: sink.text == b"one\n")


@pytest.mark.parametrize("rotation", ROTATIONS)
async def test_nothing_is_lost_or_comes_twice_while_a_writer_rotates_at_full_speed(
    tmp_path: Path, observer: Counted, rotation: str, record_property: Any
) -> None:
    lines = 60_000
    sink = Taken()
    path = tmp_path / "audit.log"
    began = asyncio.get_running_loop().time()
    with start("write", path, lines, 2500, rotation, 0) as writer:
        async with following(path, sink, observer, rotated=1000):
            await until(lambda: sum(body.count(b"\n") for body in sink.bodies) >= lines, seconds=120)
        assert writer.wait() == 0
    record_property("lines a second", f"{lines / (asyncio.get_running_loop().time() - began):,.0f}")
    assert numbers(sink.text.splitlines()) == list(range(lines))
    assert observer.refusals == {}


@pytest.mark.parametrize("rotation", ROTATIONS)
async def test_killed_at_any_moment_it_loses_nothing_and_repeats_a_batch_at_most(tmp_path: Path, rotation: str) -> None:
    lines, kills = (60_000, 10) if soaks() else (20_000, 4)
    path, position, taken = tmp_path / "audit.log", tmp_path / "position", tmp_path / "taken"
    taken.mkdir()
    chance = random.Random(rotation)  # noqa: S311  no secret
    done = 0
    with (tmp_path / "output").open("wb") as output, start("write", path, lines, 2500, rotation, 0.3) as writer:
        while not is_whole(taken, lines):
            before = len(batches(taken))
            # Who is to be killed leaves lines to the others, however late the kill comes.
            most = 4 if done < kills else 0
            with start("follow", path, position, taken, most, output=output) as reader:
                await until(lambda: len(batches(taken)) > before or reader.poll() is not None)  # noqa: B023  awaited
                if done < kills:
                    await asyncio.sleep(chance.random() / 50)
                else:
                    await until(lambda: is_whole(taken, lines) or reader.poll() is not None, seconds=60)
                assert reader.poll() is None, (tmp_path / "output").read_text()
                reader.kill()
            done += 1
        assert writer.wait() == 0

    assert done == kills + 1
    found = numbers([line for batch in batches(taken) for line in batch.read_bytes().splitlines()])
    assert list(dict.fromkeys(found)) == list(range(lines))
    assert len(found) - lines <= done * 1000


def is_whole(taken: Path, lines: int) -> bool:
    """Whether the last line is there."""
    return any(b'"%08d"' % (lines - 1) in batch.read_bytes()[-2000:] for batch in batches(taken)[-1:])


async def test_no_descriptor_is_left_open_whatever_is_in_the_place_of_the_file(
    tmp_path: Path, observer: Counted
) -> None:
    """It is looked at for days."""
    log, sink = LogWriter(tmp_path / "audit.log"), Taken()
    log.path.mkdir()
    async with following(log.path, sink, observer) as follower:
        await until(lambda: follower.trouble)
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  only their number
        for _ in range(20):
            await asyncio.sleep(0.01)  # a look
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208  one that is open just now
        log.path.rmdir()
        for number in range(20):
            log.write(event(number))
            log.rename()
        await until(lambda: len(sink.text.splitlines()) == 20)
        assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208  the file itself, too

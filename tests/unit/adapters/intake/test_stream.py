"""JSON lines from standard input and other streams."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.adapters.intake import handing, lines
from curfew.adapters.intake.lines import LineCutter
from curfew.adapters.intake.stream import Fed, bytes_of, feed_lines
from curfew.core.activity.formats.forms import Form
from curfew.ports import Batch, BatchRefused, IntakeRefusal, IntakeUnavailable, Overloaded
from tests.support.intake import Counted, Taken, event, numbers, until


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


async def feed(sink: Taken, observer: Counted, *data: bytes) -> Fed:
    return await feed_lines(chunks(*data), "export", Form.EKS, sink, observer)


async def test_lines_are_handed_over_and_counted(observer: Counted) -> None:
    sink = Taken()
    fed = await feed(sink, observer, b"one\ntw", b"o\nthree")

    assert sink.batches == [
        Batch("export", Form.EKS, b"one\n", is_lines=True),
        Batch("export", Form.EKS, b"two\n", is_lines=True),
        Batch("export", Form.EKS, b"three", is_lines=True),
    ]
    assert fed == Fed(lines=3, size=13, too_long=0)
    assert observer.taken_of == {"export": 3}


async def test_an_empty_stream_brings_nothing(observer: Counted) -> None:
    sink = Taken()
    assert await feed(sink, observer) == Fed()
    assert sink.batches == []


async def test_a_line_over_the_limit_is_skipped_and_counted_and_the_rest_lives(
    observer: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BATCH_BYTES", 500)
    monkeypatch.setattr(lines, "MOST_LINE", 1000)
    sink = Taken()
    fed = await feed(
        sink, observer, b"one\n", b"x" * 900, b"x" * 900, b"x" * 900 + b"\ntwo\n", b"y" * 1001 + b"\nthree\n"
    )

    assert sink.text == b"one\ntwo\nthree\n"
    assert fed.too_long == 2
    assert observer.refusals == {(IntakeRefusal.LINE_TOO_LONG, "export"): 2}


async def test_what_the_sink_cannot_take_now_is_handed_over_again(
    observer: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "FIRST_PAUSE", 0.001)
    sink = Taken(Overloaded(0.0), IntakeUnavailable("The bucket is away."), IntakeUnavailable("The bucket is away."))
    await feed(sink, observer, b"one\n", b"two\n")

    assert sink.bodies == [b"one\n", b"two\n"]
    assert observer.refusals == {
        (IntakeRefusal.OVERLOADED, "export"): 1,
        (IntakeRefusal.UNAVAILABLE, "export"): 2,
    }


async def test_what_the_sink_refuses_is_counted_and_the_rest_lives(observer: Counted) -> None:
    sink = Taken(BatchRefused("It is of no use."))
    await feed(sink, observer, b"one\n", b"two\n")

    assert sink.bodies == [b"two\n"]
    assert observer.refusals == {(IntakeRefusal.USELESS, "export"): 1}


@pytest.mark.parametrize("tail", [b'"abc', b'"abc\\'])
def test_a_long_last_line_with_a_string_that_has_no_end_is_handed_on_whole(tail: bytes) -> None:
    """It is no JSON, and whoever reads it counts it as such."""
    cutter = LineCutter()
    line = b" " * (lines.BATCH_BYTES + 1) + tail
    assert [*cutter.feed(line), *cutter.end()] == [line]


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30), st.data())
def test_however_a_stream_is_cut_the_lines_are_the_same(content: list[bytes], data: st.DataObject) -> None:
    whole = b"\n".join(content)
    places = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BATCH_BYTES", 20)
        patch.setattr(lines, "BATCH_LINES", 3)
        patch.setattr(lines, "MOST_LINE", 30)
        cutter = LineCutter()
        batches = [
            body
            for begin, end in zip([0, *places], [*places, len(whole)], strict=True)
            for body in cutter.feed(whole[begin:end])
        ]
        batches += cutter.end()

    last = content[-1:] if content and content[-1] else []
    short = [line for line in [*content[:-1], *last] if len(line) <= 30]
    assert [line for body in batches for line in body.removesuffix(b"\n").split(b"\n")] == short
    assert cutter.too_long == len([line for line in content if len(line) > 30])
    assert all(body.count(b"\n") <= 3 for body in batches)
    assert all(len(body) <= 20 or body.count(b"\n") <= 1 for body in batches)


async def test_a_pipe_is_read_to_its_end() -> None:
    code = "import sys\nfor n in range(5000): sys.stdout.write('%08d' % n + 'x' * 400 + '\\n')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:  # noqa: ASYNC220, S603
        assert process.stdout is not None
        read = [chunk async for chunk in bytes_of(process.stdout.fileno())]

    assert [int(line[:8]) for line in b"".join(read).splitlines()] == list(range(5000))
    assert max(map(len, read)) <= 2**20 + 2**16


async def test_what_comes_is_given_at_once_and_not_at_the_end() -> None:
    reading, writing = os.pipe()
    chunks = bytes_of(reading)
    os.write(writing, b"one\n")
    assert await anext(chunks) == b"one\n"
    os.write(writing, b"two\n")
    assert await anext(chunks) == b"two\n"
    os.close(writing)
    assert [chunk async for chunk in chunks] == []
    os.close(reading)


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(map(event, range(10_000))))
    with path.open("rb") as file:
        read = b"".join([chunk async for chunk in bytes_of(file.fileno())])
    assert numbers(read.splitlines()) == list(range(10_000))


async def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        await anext(bytes_of(folder))
    os.close(folder)


async def test_more_is_read_only_when_there_is_room(observer: Counted) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    sink = Taken()
    sink.is_open.clear()
    feeding = asyncio.create_task(feed_lines(bytes_of(reading), "export", Form.EKS, sink, observer))
    written = looks = 0

    def is_full() -> bool:
        nonlocal written
        try:
            written += os.write(writing, b"x" * 999 + b"\n")
        except BlockingIOError:
            return True
        return False

    def stays_full() -> bool:
        nonlocal looks
        looks = looks + 1 if is_full() else 0
        return looks > 50

    await until(stays_full)
    assert sink.under_way == 1
    assert written < 4 * 2**20
    sink.is_open.set()
    os.close(writing)
    assert (await feeding).size == written
    os.close(reading)

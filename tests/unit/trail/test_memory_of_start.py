"""What a start takes of memory is bounded, whatever somebody with the bucket's credentials has put there."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from curfew.audit.segment import MAX_BYTES, partition
from tests.support.logs import BEGIN, ALog, a_record, opened
from tests.support.peak import measured

LIMIT = 256  # MiB: half of what the chart gives the pod; the other half is for what is not the log

DAYS = [BEGIN.date() + timedelta(days=day) for day in (-1, 0, 1, 400)]


def a_day() -> ALog:
    """Return a log of a day, a segment every quarter of an hour."""
    log = ALog()
    log.append([opened(log.signer)], at=BEGIN - timedelta(days=1))
    for quarter in range(96):
        at = BEGIN - timedelta(minutes=15 * (96 - quarter))
        log.append([a_record(quarter, at=at)], at=at)
    return log


def put(folder: Path, day: int, number: int, variant: int = 0) -> Path:
    """Return the path of a stray that has the name of a segment."""
    path = folder / f"{partition('main', DAYS[day])}{number:012d}-{variant:016x}.jsonl.zst"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def twenty_large_ones(log: ALog, folder: Path) -> None:
    for number in range(20):
        os.truncate(put(folder, 1, 10**11 + number), 79 << 20)  # sparse files: they take no room on the disk


def large_ones_of_every_day(log: ALog, folder: Path) -> None:
    for day in range(len(DAYS)):
        for number in range(20):
            os.truncate(put(folder, day, 10**11 + number), 79 << 20)


def large_ones_after_the_last(log: ALog, folder: Path) -> None:
    for number in range(20):
        os.truncate(put(folder, 1, log.head.seq + 1 + number), 79 << 20)


def large_ones_in_each_place(log: ALog, folder: Path) -> None:
    for number in range(96):
        os.truncate(put(folder, 1, number, variant=1), 4 << 20)


def one_without_an_end(log: ALog, folder: Path) -> None:
    os.truncate(put(folder, 1, 10**11), 20 << 30)


def ones_that_unpack_to_much(log: ALog, folder: Path) -> None:
    for number in range(40):
        lines = b"0\n" * (MAX_BYTES // 2 if number % 2 else 100 << 20)
        put(folder, 1, 10**11 + number).write_bytes(zstandard.ZstdCompressor().compress(lines) + bytes(72))


def ten_thousand_small_ones(log: ALog, folder: Path) -> None:
    for number in range(10_000):
        put(folder, 1, number % 100, variant=number)


@pytest.mark.parametrize(
    "strays",
    [
        twenty_large_ones,
        large_ones_of_every_day,
        large_ones_after_the_last,
        large_ones_in_each_place,
        one_without_an_end,
        ones_that_unpack_to_much,
        ten_thousand_small_ones,
    ],
)
def test_a_start_takes_little_memory_whatever_lies_about(tmp_path: Path, strays: Callable[[ALog, Path], None]) -> None:
    log = a_day()
    folder = log.lay(tmp_path / "trail")
    strays(log, folder)

    run = measured(["-m", "tests.support.starting", f"file://{folder}", log.verifier], tmp_path)

    assert (run.exit_code, run.output) == (0, f"segment {log.head.seq}\n")
    assert run.peak < LIMIT

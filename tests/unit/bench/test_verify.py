"""What verifying is measured against, and how much memory a large log is expected to take."""

import hashlib
from pathlib import Path

import pytest

from bench import floor
from bench.logs import Shape, made, segments
from bench.verify import MANY, memory
from curfew.audit.segment import TRAILER_BYTES, unpack

MB = 1_000_000


def test_what_a_large_log_takes_is_on_the_line_through_two_smaller_ones() -> None:
    figure = memory((250_000, 100 * MB), (1_000_000, 103 * MB))

    assert figure.what == "memory, 5,000,000 records (expected)"
    assert figure.value == pytest.approx(103 + 4 * 4)
    assert figure.against == "100 MB for 250,000, 103 MB for 1,000,000: 4.0 B a record"
    assert not figure.is_missed


def test_what_grows_with_the_log_misses_the_bound() -> None:
    assert memory((250_000, 60 * MB), (1_000_000, 120 * MB)).is_missed


def test_what_takes_less_for_more_is_not_expected_to_take_nothing() -> None:
    assert memory((250_000, 100 * MB), (1_000_000, 90 * MB)).value == 90


def test_what_was_measured_is_not_expected_but_known() -> None:
    figure = memory((MANY // 4, 100 * MB), (MANY, 150 * MB))

    assert figure.what == "memory, 5,000,000 records"
    assert figure.value == 150


def test_without_zstd_the_floor_is_the_same_work_done_in_python(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shape = Shape(200, days=2)
    log = made(shape, tmp_path)
    capsys.readouterr()

    floor.main(log.folder)

    lines = b"".join(unpack(stored[:-TRAILER_BYTES]) for _, stored, _ in segments(shape))
    assert capsys.readouterr().out == f"{hashlib.sha256(lines).hexdigest()}\n"

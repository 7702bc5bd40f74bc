"""A log and a bundle that somebody made to fill the memory: commands and starts get by with what the pod has, 512 MiB.

Each process of these tests has that limit, and none needs a server. What an operator does with the objects of a cluster is in
tests/integration/operator/test_under_512_mib.py.
"""

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import zstandard
from click.testing import CliRunner

from curfew.audit.canonical import canonical
from curfew.audit.segment import MAX_BYTES, MAX_RECORDS, partition
from curfew.cli import main
from tests.support.logs import BEGIN, ALog, a_log, a_record, opened
from tests.support.peak import LIMIT, measured
from tests.support.scale import drawn
from tools import verify_independently

MIB = 1 << 20
GIB = 1 << 30

Noted = Callable[[str, object], None]
Arguments = list[object]

AUDIT = ("-m", "curfew", "audit")

HALF = LIMIT // 2
"""MiB that a start may take for reading the log: the other half is for what is not the log."""


def test_the_limit_is_one(tmp_path: Path) -> None:
    """What takes more than 512 MiB does not get it."""
    assert measured(["-c", f"bytearray({400 * MIB})"], tmp_path).exit_code == 0
    run = measured(["-c", f"bytearray({600 * MIB})"], tmp_path)
    assert (run.exit_code, "MemoryError" in run.output) == (1, True)


# --- a log that an auditor is handed


@dataclass
class Handed:
    """What somebody is handed: a log of some segments, in a folder."""

    log: ALog
    folder: Path
    within: Path  # for what else is made

    def path(self, name: str, size: int = 0) -> Path:
        """Return the path of an object of so many bytes, as a sparse file: it takes no room on the disk."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.truncate(path, size)
        return path

    def put(self, name: str, stored: bytes) -> None:
        """Put an object into the folder."""
        self.path(name).write_bytes(stored)

    def endless(self) -> Path:
        """Return a file of twenty gigabytes."""
        path = self.within / "endless"
        path.touch()
        os.truncate(path, 20 * GIB)
        return path


@pytest.fixture
def handed(tmp_path: Path) -> Handed:
    """Return a log of some segments, and the folder that it lies in."""
    log = a_log(2, 0, 3)
    return Handed(log, log.lay(tmp_path / "trail"), tmp_path)


@cache
def packed(line: bytes, lines: int, rest: bytes = b"") -> bytes:
    """Return a frame that unpacks to so many lines. It is made in pieces: the test itself is to stay small."""
    piece = line * (MIB // len(line))
    packer = zstandard.ZstdCompressor().compressobj(size=lines * len(line) + len(rest))
    made = bytearray()
    left = lines * len(line)
    while left:
        made += packer.compress(piece[:left])
        left -= min(left, len(piece))
    return bytes(made + packer.compress(rest) + packer.flush())


def a_bomb(log: ALog, lines: int) -> bytes:
    """Return the next segment of a log, which holds so many lines, all of it signed."""
    frame = packed(b"0\n", lines, canonical({"seal": {}}) + b"\n")
    signature = log.signer.sign(b"curfew segment v1\n" + hashlib.sha256(frame).digest())
    return frame + bytes.fromhex("502a4d1840000000") + signature


def sixteen_million_lines(handed: Handed) -> Arguments:
    handed.put(handed.log.head.next_name(), a_bomb(handed.log, 16_777_216))
    return [*AUDIT, "verify", handed.folder]


def two_million_lines(handed: Handed) -> Arguments:
    handed.put(handed.log.head.next_name(), a_bomb(handed.log, 2_000_000))
    return [*AUDIT, "verify", handed.folder]


def a_segment_of_twenty_gigabytes(handed: Handed) -> Arguments:
    handed.path(handed.log.names[2], 20 * GIB)
    return [*AUDIT, "verify", handed.folder]


def a_device(handed: Handed) -> Arguments:
    (path := handed.folder / handed.log.names[1]).unlink()
    path.symlink_to("/dev/zero")
    return [*AUDIT, "verify", handed.folder]


def a_pipe(handed: Handed) -> Arguments:
    (path := handed.folder / handed.log.names[1]).unlink()
    os.mkfifo(path)
    return [*AUDIT, "verify", handed.folder]


def hundreds_for_one_place(handed: Handed) -> Arguments:
    for number in range(100):
        handed.path(f"{partition('main', BEGIN.date())}000000000001-{number:016x}.jsonl.zst", 4 * MIB)
    return [*AUDIT, "verify", handed.folder]


def twenty_like_segments(handed: Handed) -> Arguments:
    for number in range(20):
        handed.path(f"{partition('main', BEGIN.date())}{10**11 + number:012d}-{number:016x}.jsonl.zst", 79 * MIB)
    return [*AUDIT, "verify", handed.folder]


def a_key_without_an_end(handed: Handed) -> Arguments:
    return [*AUDIT, "verify", handed.folder, "--key-file", handed.endless()]


def an_anchor_without_an_end(handed: Handed) -> Arguments:
    return [*AUDIT, "verify", handed.folder, "--anchor", handed.endless()]


def a_saved_state_without_an_end(handed: Handed) -> Arguments:
    return [*AUDIT, "verify", handed.folder, "--resume", handed.endless()]


def a_proof_without_an_end(handed: Handed) -> Arguments:
    return [*AUDIT, "check-proof", handed.endless()]


def a_log_that_is_a_file_without_an_end(handed: Handed) -> Arguments:
    return [*AUDIT, "key", handed.endless()]


# --- a bundle that an auditor is handed


def exported(handed: Handed) -> Path:
    """Return a bundle of the log, in a folder."""
    to = handed.within / "bundle"
    command = ["audit", "export", str(handed.folder), "--to", str(to)]
    assert CliRunner().invoke(main, command, prog_name="curfew").exit_code == 0
    return to


def an_entry_of_five_gigabytes(handed: Handed) -> Arguments:
    """It takes a few megabytes: pieces that end in a full flush can follow each other."""
    to = handed.within / "bomb.zip"
    name = "log/v1/log=main/dt=2026-11-24/000000000009-0123456789abcdef.jsonl.zst"
    folder = exported(handed)
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = packer.compress(bytes(64 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(to, "w") as into:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                into.write(path, path.relative_to(folder).as_posix())
        entry = zipfile.ZipInfo(name)
        into.writestr(entry, piece * 80 + packer.flush())
        entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, 5 * GIB  # as the list of entries has it
    return [*AUDIT, "verify", to]


def with_manifest(handed: Handed, manifest: bytes) -> Arguments:
    (folder := exported(handed)).joinpath("manifest.json").write_bytes(manifest)
    return [*AUDIT, "verify", folder]


def a_manifest_nested_deeply(handed: Handed) -> Arguments:
    return with_manifest(handed, b"[" * 100_000_000)


def a_manifest_of_millions_of_values(handed: Handed) -> Arguments:
    return with_manifest(handed, b"[" + b"0," * 60_000_000 + b"0]")


def a_list_of_a_million_files(handed: Handed) -> Arguments:
    """For such a list Python takes a gigabyte before anything can be asked."""
    entry = b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"x"
    end = b"PK\5\6" + struct.pack("<HHHHLLH", 0, 0, 0xFFFF, 0xFFFF, len(entry) * 1_000_000, 0, 0)
    (to := handed.within / "many.zip").write_bytes(entry * 1_000_000 + end)
    return [*AUDIT, "verify", to]


def a_list_that_ends_in_a_comment(handed: Handed) -> Arguments:
    arguments = a_list_of_a_million_files(handed)
    path = handed.within / "many.zip"
    path.write_bytes(path.read_bytes()[:-2] + struct.pack("<H", 14) + b"a comment PK\5\6")
    return arguments


# --- the same log, and the verifier that was written apart from Curfew


def second(handed: Handed) -> Arguments:
    return [verify_independently.__file__, handed.folder, "--key", handed.log.verifier]


def millions_of_lines_for_the_second(handed: Handed) -> Arguments:
    two_million_lines(handed)
    return second(handed)


def five_mebibytes_for_the_second(handed: Handed) -> Arguments:
    handed.path(handed.log.head.next_name(), 5 * MIB)
    return second(handed)


def a_device_for_the_second(handed: Handed) -> Arguments:
    a_device(handed)
    return second(handed)


Hostile = tuple[Callable[[Handed], Arguments], int, str]

UNPACKS_TO_MUCH: list[Hostile] = [
    (sixteen_million_lines, 1, "it states that it unpacks to 33554444 bytes"),
    (two_million_lines, 1, f"a segment has at most {MAX_RECORDS:,}"),
]
LARGE_SEGMENTS: list[Hostile] = [
    (a_segment_of_twenty_gigabytes, 1, "is larger than any segment"),
    (hundreds_for_one_place, 1, "claims the place of segment 1"),
    (twenty_like_segments, 1, "to 99999999999 are missing"),
]
NO_FILES: list[Hostile] = [
    (a_device, 3, "is not a regular file"),
    (a_pipe, 3, "is not a regular file"),
]
WITHOUT_AN_END: list[Hostile] = [
    (a_key_without_an_end, 3, "is larger than"),
    (an_anchor_without_an_end, 3, "is larger than"),
    (a_saved_state_without_an_end, 3, "is larger than"),
    (a_proof_without_an_end, 3, "is larger than"),
    (a_log_that_is_a_file_without_an_end, 3, "is larger than"),
]
BUNDLES: list[Hostile] = [
    (an_entry_of_five_gigabytes, 1, "is in the bundle, but not in the manifest"),
    (a_list_of_a_million_files, 3, "it lists more than"),
    (a_list_that_ends_in_a_comment, 3, "cannot be read"),
]
MANIFESTS: list[Hostile] = [
    (a_manifest_nested_deeply, 3, "cannot be read"),
    (a_manifest_of_millions_of_values, 3, "cannot be read"),
]
FOR_THE_SECOND: list[Hostile] = [
    (millions_of_lines_for_the_second, 1, "holds too many records"),
    (five_mebibytes_for_the_second, 1, "is too large"),
    (a_device_for_the_second, 3, ""),
]
READ_BY_AN_AUDITOR = [
    row
    for kind in (UNPACKS_TO_MUCH, LARGE_SEGMENTS, NO_FILES, WITHOUT_AN_END, BUNDLES, MANIFESTS, FOR_THE_SECOND)
    for row in drawn(kind, kind[0][0].__name__)
]
"""Each kind of what may fill the memory; outside of `make soak`, one of each kind."""


@pytest.mark.parametrize(
    ("put", "exit_code", "words"), [pytest.param(*row, id=row[0].__name__) for row in READ_BY_AN_AUDITOR]
)
def test_what_an_auditor_is_handed_takes_little_memory(
    handed: Handed, put: Callable[[Handed], Arguments], exit_code: int, words: str, record_property: Noted
) -> None:
    run = measured(put(handed), handed.within)

    record_property("peak of memory", f"{run.peak} MiB")
    assert (run.exit_code, words in run.output) == (exit_code, True), run.output
    assert "MemoryError" not in run.output


# --- a start, and objects of somebody who has the bucket's credentials


@pytest.fixture
def day(tmp_path: Path) -> Handed:
    """Return a log of a day, a segment every quarter of an hour."""
    log = ALog()
    log.append([opened(log.signer)], at=BEGIN - timedelta(days=1))
    for quarter in range(96):
        at = BEGIN - timedelta(minutes=15 * (96 - quarter))
        log.append([a_record(quarter, at=at)], at=at)
    return Handed(log, log.lay(tmp_path / "trail"), tmp_path)


TODAY, FAR = 0, 400
DAYS = (-1, TODAY, 1, FAR)
"""Days from today under which objects are put: yesterday, today, and such as are yet to come."""


def stray(days: int, number: int, variant: int = 0) -> str:
    """Return the name of an object that has the name of a segment."""
    return f"{partition('main', BEGIN.date() + timedelta(days=days))}{number:012d}-{variant:016x}.jsonl.zst"


def twenty_large_ones(day: Handed) -> None:
    for number in range(20):
        day.path(stray(TODAY, 10**11 + number), 79 * MIB)


def large_ones_under_days_to_come(day: Handed) -> None:
    for number in range(20):
        for days in DAYS:
            day.path(stray(days, 10**11 + number), 79 * MIB)


def large_ones_after_the_last(day: Handed) -> None:
    for number in range(20):
        day.path(stray(TODAY, day.log.head.seq + 1 + number), 79 * MIB)


def large_ones_in_each_place(day: Handed) -> None:
    for number in range(96):
        day.path(stray(TODAY, number, variant=1), 4 * MIB)


def one_without_an_end(day: Handed) -> None:
    day.path(stray(TODAY, 10**11), 20 * GIB)


def ones_that_unpack_to_much(day: Handed) -> None:
    for number in range(40):
        stored = packed(b"0\n", MAX_BYTES // 2 if number % 2 else 50 * MIB) + bytes(72)
        day.put(stray(TODAY, 10**11 + number), stored)


def ten_thousand_small_ones(day: Handed) -> None:
    for number in range(10_000):
        day.path(stray(TODAY, number % 100, variant=number))


LARGE_ONES = (
    twenty_large_ones,
    large_ones_under_days_to_come,
    large_ones_after_the_last,
    large_ones_in_each_place,
    one_without_an_end,
)


@pytest.mark.parametrize("put", [*drawn(LARGE_ONES, "large"), ones_that_unpack_to_much, ten_thousand_small_ones])
def test_a_start_takes_little_memory_whatever_lies_about(
    day: Handed, put: Callable[[Handed], None], record_property: Noted
) -> None:
    put(day)

    run = measured(["-m", "tests.support.starting", f"file://{day.folder}", day.log.verifier], day.within)

    record_property("peak of memory", f"{run.peak} MiB")
    assert (run.exit_code, run.output) == (0, f"segment {day.log.head.seq}\n")
    assert run.peak < HALF

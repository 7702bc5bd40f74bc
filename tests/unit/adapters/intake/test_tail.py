"""Reading a log file that grows and is rotated, step by step."""

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curfew.adapters.intake import lines, tail
from curfew.adapters.intake.rotated import LogFiles, SeenFile
from curfew.adapters.intake.settings import Begin, FollowSettings
from curfew.adapters.intake.tail import Tail
from curfew.core.activity.formats.forms import Form
from curfew.ports import IntakeRefusal
from tests.support.intake import event, numbers
from tests.support.logwriting import ROTATIONS, LogWriter, Rotation
from tests.support.scale import seed, soaks


class Reader:
    """A tail, what it has given, and what it has reported as lost."""

    def __init__(self, path: Path, **settings: Any) -> None:
        kept = FollowSettings(path, "api-1", Form.KUBERNETES, path.with_name("position"), Begin.BEGINNING)
        self.settings = replace(kept, **settings)
        self.given: list[bytes] = []
        self.lost: list[IntakeRefusal] = []
        self.start()

    def start(self) -> None:
        """Begin anew, as after a crash."""
        self.tail = Tail(self.settings, self.lost.append)

    def step(self, *, is_taken: bool = True) -> bool:
        """Read once. Without `is_taken`, the process ends after the lines were handed over, and before it knows of it."""
        found = self.tail.read()
        if found is None:
            return False
        if found.body:
            self.given.append(found.body)
        if is_taken:
            self.tail.taken(found)
        return True

    def all(self) -> list[bytes]:
        """Read all that is there, and return the lines that were given since the start."""
        while self.step():
            pass
        return b"".join(self.given).splitlines(keepends=True)


@pytest.fixture
def log(tmp_path: Path) -> LogWriter:
    return LogWriter(tmp_path / "audit.log")


@pytest.fixture
def reading(log: LogWriter) -> Iterator[Callable[..., Reader]]:
    readers = []

    def read(**settings: Any) -> Reader:
        readers.append(Reader(log.path, **settings))
        return readers[-1]

    yield read
    for reader in readers:
        reader.tail.close()


def test_lines_come_as_they_are_written(log: LogWriter, reading: Callable[..., Reader]) -> None:
    reader = reading()
    log.write(b"one\ntwo\nthr")
    assert reader.all() == [b"one\n", b"two\n"]
    log.write(b"ee\n")
    assert reader.all() == [b"one\n", b"two\n", b"three\n"]


def test_a_file_that_is_not_there_yet_is_read_when_it_comes(log: LogWriter, reading: Callable[..., Reader]) -> None:
    for begin in Begin:
        reader = reading(begin=begin, position=None)
        with pytest.raises(FileNotFoundError, match=r"audit\.log"):
            reader.step()
        log.write(b"one\n")
        assert reader.all() == [b"one\n"]
        log.path.unlink()


def test_beginning_at_the_end_gives_what_is_written_from_then_on(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"old\n")
    log.rename()
    log.write(b"old\nhalf")
    reader = reading(begin=Begin.END)
    assert reader.all() == []
    log.write(b" a line\nnew\n")
    log.rename()
    log.write(b"newer\n")
    assert reader.all() == [b"half a line\n", b"new\n", b"newer\n"]


def test_beginning_at_the_end_is_kept_at_once(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"old\n")
    reader = reading(begin=Begin.END)
    assert not reader.step()
    log.write(b"new\n")
    assert reading(begin=Begin.END).all() == [b"new\n"]


@pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS)
def test_the_newest_rotated_files_are_read_first_if_asked(
    log: LogWriter, reading: Callable[..., Reader], rotate: Rotation
) -> None:
    for number in range(5):
        log.write(b"%d\n" % number)
        rotate(log)
    log.write(b"5\n")
    assert reading(position=None).all() == [b"5\n"]
    assert reading(position=None, rotated=2).all() == [b"3\n", b"4\n", b"5\n"]
    assert reading(position=None, rotated=99).all() == [b"%d\n" % number for number in range(6)]


@pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
def test_what_is_rotated_several_times_between_two_looks_is_read(
    log: LogWriter, reading: Callable[..., Reader], rotate: Rotation, is_restarted: bool
) -> None:
    log.write(b"old\n")
    rotate(log)
    log.write(b"0\n")
    reader = reading()
    reader.all()
    if is_restarted:
        reader.tail.close()
    log.write(b"1\n")
    for number in range(2, 9, 2):
        rotate(log)
        log.write(b"%d\n%d\n" % (number, number + 1))
    if is_restarted:
        reader.start()
    assert reader.all() == [b"%d\n" % number for number in range(10)]
    assert reader.lost == []


class Moment:
    """Has a log rotated at one moment of a reader's looks: before it opens a file, or sees one name of its listing."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
        self._left, self._act = number, act
        self._scan = os.scandir
        opened = SeenFile.open

        def open_(file: SeenFile) -> BinaryIO | None:
            self._pass()
            return opened(file)

        patch.setattr(os, "scandir", self._scandir)
        patch.setattr(SeenFile, "open", open_)

    @property
    def has_come(self) -> bool:
        return self._left < 0

    def _pass(self) -> None:
        self._left -= 1
        if self._left == -1:
            self._act()

    @contextmanager
    def _scandir(self, folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        """List the folder as systems do: the names are read first, and each file is looked at later."""
        with self._scan(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
        yield self._each(names)

    def _each(self, names: list[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        for entry in names:
            self._pass()
            yield entry


@pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
def test_what_is_rotated_while_it_is_looked_at_is_read(rotate: Rotation, times: int, is_restarted: bool) -> None:
    """The names of all files shift then, and the listing that is being read tells of none of it."""
    step = 1 if soaks() else 3
    for moment in itertools.count(seed() % step, step):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            log = LogWriter(Path(folder) / "audit.log")
            number = itertools.count()

            def write() -> None:
                log.write(b"%d\n" % next(number))  # noqa: B023  called before the next

            def rotates() -> None:
                for _ in range(times):
                    rotate(log)  # noqa: B023  called before the next
                    write()

            for _ in range(3):
                write()
                rotate(log)
            write()
            reader = Reader(log.path, rotated=1000)
            reader.all()
            write()
            rotates()
            if is_restarted:
                reader.tail.close()
                reader.start()

            come = Moment(patch, moment, rotates)
            reader.all()
            assert reader.all() == [b"%d\n" % each for each in range(next(number))], moment
            assert reader.lost == [], moment
            reader.tail.close()
        if not come.has_come:
            return
    raise AssertionError


def test_while_names_never_stay_nothing_is_said_to_be_lost(
    log: LogWriter, reading: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write(b"0\n")
    reader = reading(rotated=1000)
    reader.all()
    log.move_up()
    log.write(b"1\n")
    reader.tail.close()
    reader.start()
    listed = os.scandir

    def scandir(folder: Path) -> Iterator[os.DirEntry[str]]:
        log.move_up()
        return listed(folder)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        with pytest.raises(OSError, match="renamed all the time"):
            reader.step()
    assert reader.all() == [b"0\n", b"1\n"]
    assert reader.lost == []


def test_what_came_after_a_file_that_is_removed_while_it_is_found_is_read(
    log: LogWriter, reading: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotation removes the oldest file, and a reader that has just opened it knows no other to be older."""
    log.write(b"0\n")
    reader = reading(rotated=1000)
    reader.all()
    for line in (b"1\n", b"2\n"):
        log.move_up()
        log.write(line)
    reader.tail.close()
    reader.start()
    before = LogFiles.before

    def removed(files: LogFiles, file: BinaryIO) -> list[SeenFile]:
        log.path.with_name("audit.log.2").unlink()
        return before(files, file)

    monkeypatch.setattr(LogFiles, "before", removed)
    assert reader.all() == [b"0\n", b"1\n", b"2\n"]
    assert reader.lost == []


def test_a_file_that_was_empty_when_it_was_looked_at_is_read_from_its_copy(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"")
    reader = reading()
    assert reader.all() == []
    log.write(b"one\n")
    log.copy_and_cut()
    assert reader.all() == [b"one\n"]
    log.write(b"two\n")
    assert reader.all() == [b"one\n", b"two\n"]


def test_a_file_of_which_little_was_seen_is_not_taken_for_itself_after_it_was_cut(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"{")
    reader = reading()
    assert reader.all() == []
    log.write(b"1}\n")
    log.copy_and_cut()
    log.write(b"{2}\n")
    assert reader.all() == [b"{1}\n", b"{2}\n"]


def test_a_copy_that_is_not_complete_yet_is_not_read(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"")
    reader = reading()
    assert reader.all() == []
    log.write(b"one\ntwo\n")
    copy = log.path.with_name("audit.log.1")
    copy.write_bytes(b"one\nt")
    assert reader.all() == [b"one\n", b"two\n"]
    log.write(b"three\n")
    copy.write_bytes(log.path.read_bytes())
    os.truncate(log.path, 0)
    log.write(b"four\n")
    assert reader.all() == [b"one\n", b"two\n", b"three\n", b"four\n"]
    assert reader.lost == []


def test_a_file_that_was_cut_and_is_longer_again_is_noticed(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"one\n")
    reader = reading()
    reader.all()
    log.write(b"two\n")
    log.copy_and_cut()
    log.write(b"three\n" * 100)
    assert reader.all() == [b"one\n", b"two\n"] + [b"three\n"] * 100
    assert reader.lost == []


def test_a_file_that_was_cut_without_a_copy_is_reported(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"one\n")
    reader = reading()
    reader.all()
    os.truncate(log.path, 0)
    log.write(b"two\n")
    assert reader.all() == [b"one\n", b"two\n"]
    assert reader.lost == [IntakeRefusal.FILE_GONE]


def test_a_file_that_is_gone_at_a_start_is_reported_and_what_came_after_it_is_read(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"old\n")
    log.rename()
    log.write(b"one\n")
    reader = reading()
    reader.all()
    reader.tail.close()
    log.path.unlink()
    log.write(b"two\n")
    log.rename()
    log.write(b"three\n")
    reader.start()
    assert reader.all() == [b"one\n", b"two\n", b"three\n"]
    assert reader.lost == [IntakeRefusal.FILE_GONE]


def test_a_folder_that_is_not_mounted_yet_is_waited_for(
    log: LogWriter, reading: Callable[..., Reader], tmp_path: Path
) -> None:
    log.write(b"old\n")
    log.rename()
    log.write(b"one\n")
    kept = tmp_path.with_name(f"{tmp_path.name}-position")
    reader = reading(position=kept)
    reader.all()
    reader.tail.close()
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    tmp_path.rename(elsewhere)
    tmp_path.mkdir()
    reader.start()
    with pytest.raises(FileNotFoundError):
        reader.step()
    tmp_path.rmdir()
    elsewhere.rename(tmp_path)
    log.write(b"two\n")
    assert reader.all() == [b"one\n", b"two\n"]
    assert reader.lost == []


def test_a_last_line_without_an_end_is_given_when_the_file_is_complete(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"one\ntwo")
    reader = reading()
    assert reader.all() == [b"one\n"]
    log.rename()
    assert reader.all() == [b"one\n"], "its writer may not have noticed yet"
    log.write(b"three\n")
    assert reader.given == [b"one\n"]
    reader.all()
    assert reader.given == [b"one\n", b"two", b"three\n"]


def test_what_is_written_to_a_renamed_file_before_its_writer_notices_is_read(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"one\n")
    reader = reading()
    reader.all()
    with log.path.open("ab") as late:
        log.move_up()
        assert not reader.step()
        late.write(b"two\n")
    log.write(b"three\n")
    assert reader.all() == [b"one\n", b"two\n", b"three\n"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"offset":1}', b"\xff" * 10, b"x" * 100_000])
def test_a_position_that_cannot_be_read_is_reported_and_the_file_read_from_its_beginning(
    log: LogWriter, reading: Callable[..., Reader], content: bytes
) -> None:
    log.write(b"one\n")
    log.path.with_name("position").write_bytes(content)
    reader = reading(begin=Begin.END)
    assert reader.all() == [b"one\n"]
    assert reader.lost == [IntakeRefusal.FILE_GONE]
    assert reading(begin=Begin.END).all() == [], "the position is kept again"


def test_a_position_that_cannot_be_kept_is_an_error_and_reading_goes_on(
    log: LogWriter, reading: Callable[..., Reader], tmp_path: Path
) -> None:
    log.write(b"one\n")
    reader = reading(position=tmp_path / "none" / "position")
    with pytest.raises(OSError, match="No such file"):
        reader.step()
    log.write(b"two\n")
    with pytest.raises(OSError, match="No such file"):
        reader.step()
    assert reader.given == [b"one\n", b"two\n"]


def test_a_folder_in_the_place_of_the_file_is_an_error_until_it_is_gone(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"one\n")
    reader = reading()
    reader.all()
    log.rename()
    log.path.unlink()
    log.path.mkdir()
    with pytest.raises(IsADirectoryError):
        reader.step()
    log.path.rmdir()
    log.write(b"two\n")
    assert reader.all() == [b"one\n", b"two\n"]
    assert reader.lost == []


@pytest.mark.parametrize("kind", ["a pipe", "a link"])
def test_what_is_no_file_is_an_error_and_blocks_nothing(
    log: LogWriter, reading: Callable[..., Reader], tmp_path: Path, kind: str
) -> None:
    if kind == "a pipe":
        os.mkfifo(log.path)
    else:
        log.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is not a regular file"):
        reading().step()


def test_a_batch_has_at_most_a_thousand_lines(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"x\n" * 2500)
    reader = reading()
    assert len(reader.all()) == 2500
    assert [body.count(b"\n") for body in reader.given] == [1000, 1000, 500]


def test_a_batch_has_at_most_a_mebibyte(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write((b"x" * 300_000 + b"\n") * 10)
    reader = reading()
    assert len(reader.all()) == 10
    assert max(map(len, reader.given)) <= 2**20


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make batches and lines small."""
    for module in (lines, tail):
        monkeypatch.setattr(module, "BATCH_BYTES", 16)
        monkeypatch.setattr(module, "MOST_LINE", 64)


@pytest.mark.usefixtures("small")
def test_a_line_that_is_longer_than_a_batch_comes_alone(log: LogWriter, reading: Callable[..., Reader]) -> None:
    log.write(b"one\n" + b"x" * 64 + b"\n")
    log.write(b"three\n")
    reader = reading()
    reader.all()
    assert reader.given == [b"one\n", b"x" * 64 + b"\n", b"three\n"]
    assert reader.lost == []


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("length", [65, 66, 79, 80, 81, 10_000])
def test_a_line_over_the_limit_is_skipped_and_counted_and_the_rest_lives(
    log: LogWriter, reading: Callable[..., Reader], length: int
) -> None:
    reader = reading()
    log.write(b"one\n" + b"x" * (length - 1))
    assert reader.all() == [b"one\n"]
    log.write(b"x")
    assert reader.all() == [b"one\n"]
    log.write(b"\nthree\n")
    assert reader.all() == [b"one\n", b"three\n"]
    assert reader.lost == [IntakeRefusal.LINE_TOO_LONG]


@pytest.mark.usefixtures("small")
def test_a_line_over_the_limit_at_the_end_of_a_complete_file_is_skipped(
    log: LogWriter, reading: Callable[..., Reader]
) -> None:
    log.write(b"one\n" + b"x" * 1000)
    reader = reading()
    reader.all()
    log.rename()
    log.write(b"three\n")
    assert reader.all() == [b"one\n", b"three\n"]
    assert reader.lost == [IntakeRefusal.LINE_TOO_LONG]


@contextmanager
def made_small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (lines, tail):
            patch.setattr(module, "BATCH_BYTES", 500)
            patch.setattr(module, "MOST_LINE", 2000)
        patch.setattr(lines, "BATCH_LINES", 3)
        yield


Step = tuple[str, int]
steps = st.lists(
    st.tuples(st.sampled_from(["write", "part", "rotate", "read", "crash", "crash unknowing"]), st.integers(0, 1200)),
    max_size=40,
)


@pytest.mark.parametrize("rotate", ROTATIONS.values(), ids=ROTATIONS)
@given(course=steps)
def test_however_it_is_written_rotated_and_read_each_line_comes_in_its_order(
    course: list[Step], rotate: Rotation
) -> None:
    """And once, but for the last batch before a crash of which it was not known that it was taken."""
    with tempfile.TemporaryDirectory() as folder, made_small():
        log = LogWriter(Path(folder) / "audit.log")
        log.write(b"")
        reader = Reader(log.path)
        reader.step()
        written, pending, repeated = 0, b"", 0
        for what, size in course:
            if what in ("write", "rotate") and pending:
                log.write(pending)
                pending = b""
            if what == "write":
                log.write(event(written, size))
                written += 1
            elif what == "part" and not pending:
                line = event(written, size)
                written += 1
                log.write(line[: size % len(line)])
                pending = line[size % len(line) :]
            elif what == "rotate":
                rotate(log)
            elif what == "read":
                reader.step()
            elif what.startswith("crash"):
                if "unknowing" in what and reader.step(is_taken=False):
                    repeated += reader.given[-1].count(b"\n")
                reader.tail.close()
                reader.start()
        log.write(pending)
        found = numbers(reader.all())
        reader.tail.close()

    in_order = [number for place, number in enumerate(found) if number not in found[:place]]
    assert in_order == list(range(written))
    assert len(found) == written + repeated
    assert reader.lost == []

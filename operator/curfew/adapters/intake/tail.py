"""Reading a file of lines that grows and is rotated: by renaming, or by copying and cutting it.

It goes on only when it is told that the lines are taken, so nothing is lost that the files still hold. What it does
blocks; `files` calls it in a thread.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from curfew.adapters.intake.lines import BATCH_BYTES, MOST_LINE, LongLine, whole_lines
from curfew.adapters.intake.marks import HEAD_BYTES, Mark, PositionFile, PositionUnreadable
from curfew.adapters.intake.rotated import LogFiles
from curfew.adapters.intake.settings import Begin, FollowSettings
from curfew.ports import IntakeRefusal


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, and where the next begin. Without a body: a line that is skipped."""

    body: bytes
    end: int


class Tail:
    """The lines of a file, from where they were taken last."""

    def __init__(self, settings: FollowSettings, refused: Callable[[IntakeRefusal], None]) -> None:
        """Open nothing yet. `refused` is told what is lost."""
        self._settings = settings
        self._refused = refused
        self._files = LogFiles(settings.path)
        self._positions = None if settings.position is None else PositionFile(settings.position)
        self._mark: Mark | None = None
        self._is_first = True
        self._file: BinaryIO | None = None
        self._offset = 0
        self._searched = 0  # if not 0: the end of a line that is too long is not before that
        self._head = b""

    def read(self) -> Lines | None:
        """Return the next lines, or None if there are none yet. Raise `OSError`; the next call tries again."""
        while True:
            file = self._file or self._open()
            if file is None:
                return None
            if self._comes_later(file):
                self.close()
                self._mark = None
                continue
            with self._closing_if_broken():
                if self._was_cut(file):
                    self._go_on_in_copy(file)
                    continue
                lines = self._lines(file, is_complete=False)
            if lines is None:
                if not self._files.after(file):
                    return None
                # Nothing more is written here. So what came until now is all, and a last line without an end is whole.
                lines = self._lines(file, is_complete=True)
                if lines is None:
                    self._leave(file)
                    continue
            if not self._was_cut(file):  # not while it was read, either
                return lines

    def taken(self, lines: Lines) -> None:
        """Go on behind these lines. Raise `OSError` if the position cannot be kept; reading goes on all the same."""
        self._offset, self._searched = lines.end, 0
        self._keep()

    def close(self) -> None:
        """Close the file. The next call of `read` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lines(self, file: BinaryIO, *, is_complete: bool) -> Lines | None:
        data = os.pread(file.fileno(), BATCH_BYTES, self._offset)
        size = whole_lines(data)
        if not size and len(data) == BATCH_BYTES:
            return self._long_line(file, is_complete=is_complete)
        if is_complete and not size:
            size = len(data)
        return Lines(data[:size], self._offset + size) if size else None

    def _long_line(self, file: BinaryIO, *, is_complete: bool) -> Lines | None:
        line = LongLine()
        at = max(self._offset, self._searched)
        while data := os.pread(file.fileno(), BATCH_BYTES, at):
            end = data.find(b"\n") + 1 or len(data)
            line.add(data[:end])
            at += end
            if line.is_whole:
                return self._line(line, at)
            if line.is_too_long or self._searched:
                self._searched = at
        return self._line(line, at) if is_complete else None

    def _line(self, line: LongLine, end: int) -> Lines:
        if self._searched or line.is_too_long:
            self._refused(IntakeRefusal.LINE_TOO_LONG)
            return Lines(b"", end)
        return Lines(line.body, end)

    def _comes_later(self, file: BinaryIO) -> bool:
        """Whether others come before a file of which nothing was taken: it may have been copied and cut meanwhile."""
        if self._offset:
            return False
        head = _head_of(file)
        following = self._files.after(None)
        if following and not following[0].is_open_as(file):
            return True
        self._head = head  # as it was before that look: if it is cut from now on, that shows
        return False

    def _was_cut(self, file: BinaryIO) -> bool:
        head = _head_of(file)
        if os.fstat(file.fileno()).st_size < self._offset or not head.startswith(self._head):
            return True
        self._head = head
        return False

    def _go_on_in_copy(self, file: BinaryIO) -> None:
        """Read the rest where it was copied to before the file was cut; then comes the file again, as another one."""
        copy = self._files.find_copy(Mark.at(file, self._head, self._offset))
        if copy is None:
            self._refused(IntakeRefusal.FILE_GONE)
            self._place(file, 0)
        else:
            self.close()
            self._place(copy, self._offset)

    def _leave(self, file: BinaryIO) -> None:
        self._files.finished(file)
        self.close()
        self._mark = None

    def _place(self, file: BinaryIO, offset: int) -> None:
        self._file, self._offset, self._searched, self._head = file, offset, 0, b""

    def _open(self) -> BinaryIO | None:
        """Open the file where the next lines are, or return None if there is none."""
        if self._is_first:
            self._begin()
            self._is_first = False
        if self._file is None and self._mark is not None:
            self._find(self._mark)
        if self._file is None:
            self._open_next()
        return self._file

    def _begin(self) -> None:
        begin = self._settings.begin
        try:
            self._mark = None if self._positions is None else self._positions.load()
        except PositionUnreadable:
            begin = Begin.BEGINNING
            self._refused(IntakeRefusal.FILE_GONE)
        if self._mark is not None:
            return
        rotated = self._files.rotated()
        if begin is Begin.BEGINNING:
            self._files.done(rotated[: max(0, len(rotated) - self._settings.rotated)])
        else:
            self._files.done(rotated)
            self._begin_at_the_end()

    def _begin_at_the_end(self) -> None:
        current = self._files.current()
        file = None if current is None else current.open()
        if file is not None:
            self._place(file, _end_of_whole_lines(file))
            self._was_cut(file)  # learns how it begins
            with suppress(OSError):  # reported when lines are taken
                self._keep()

    def _find(self, mark: Mark) -> None:
        file = self._files.find(mark)
        if file is None and self._files.current() is None:
            raise self._missing()  # it may come: a folder that is not mounted yet
        if file is None:
            self._refused(IntakeRefusal.FILE_GONE)
            self._mark = None
        else:
            self._place(file, mark.offset)
        if file is None or not mark.offset:
            # What was written to later holds more. A file of which nothing was taken may have been copied and cut since.
            self._files.done(one for one in self._files.rotated() if one.modified_ns < mark.modified_ns)
        else:
            self._files.done(self._files.before(file))

    def _open_next(self) -> None:
        current = self._files.current()
        following = self._files.after(None) or ([] if current is None else [current])
        if not following:
            raise self._missing()
        file = following[0].open()
        if file is not None:
            self._place(file, 0)
            with suppress(OSError):  # reported when lines are taken
                self._keep()

    def _missing(self) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self._settings.path))

    def _keep(self) -> None:
        if self._file is not None:
            self._mark = Mark.at(self._file, self._head, self._offset)
            if self._positions is not None:
                self._positions.save(self._mark)

    @contextmanager
    def _closing_if_broken(self) -> Iterator[None]:
        """Close the file if it cannot be read: opened again, it may be readable."""
        try:
            yield
        except OSError:
            self.close()
            raise


def _head_of(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), HEAD_BYTES, 0)


def _end_of_whole_lines(file: BinaryIO) -> int:
    """Return where a line begins that is not whole yet, or else the end."""
    size = os.fstat(file.fileno()).st_size
    begin = max(0, size - MOST_LINE)
    newline = os.pread(file.fileno(), size - begin, begin).rfind(b"\n") + 1
    return begin + newline if newline else size

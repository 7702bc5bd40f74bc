"""A log file and what rotation has made of it: files beside it, under names that are made from its own."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from curfew.adapters.intake.marks import HEAD_BYTES, Mark
from curfew.settings.files import open_regular

_MOST_NAMES: Final = 10_000
"""Most names in the folder that are looked at."""

_MOST_LOOKS: Final = 20
"""Most looks for a moment in which no file is renamed."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """One file, as it was when it was looked at."""

    path: Path
    device: int
    inode: int
    size: int
    modified_ns: int

    @property
    def name(self) -> tuple[Path, int, int]:
        """Which file has which name."""
        return self.path, self.device, self.inode

    @property
    def content(self) -> tuple[int, int, int, int]:
        """What stays the same if the file is only renamed, and changes if it is written to."""
        return self.device, self.inode, self.size, self.modified_ns

    def is_open_as(self, file: BinaryIO) -> bool:
        """Whether it is that file."""
        about = os.fstat(file.fileno())
        return (about.st_dev, about.st_ino) == (self.device, self.inode)

    def open(self) -> BinaryIO | None:
        """Open it, or return None if there is another file by that name now, or none."""
        try:
            file = open_regular(self.path)
        except FileNotFoundError:
            return None
        if self.is_open_as(file):
            return file
        file.close()
        return None


class LogFiles:
    """The files of one log, and which of them hold nothing new."""

    def __init__(self, path: Path) -> None:
        """Nothing is known yet."""
        self._path = path
        self._done: set[tuple[int, int, int, int]] = set()
        self._name = _rotated_name(path)

    def current(self) -> SeenFile | None:
        """Return the file that is written to, or None if there is none. Raise `OSError` if it is something else."""
        try:
            about = self._path.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(about.st_mode):
            open_regular(self._path).close()  # raises, in words
        return _seen(self._path, about)

    def rotated(self) -> list[SeenFile]:
        """Return what rotation has left, the oldest first; compressed files are left out. Raise `OSError`."""
        found = self._listed()
        for _ in range(_MOST_LOOKS):
            # A file that is renamed while the folder is read can be left out: only what is seen twice is all that there is.
            before, found = found, self._listed()
            if {one.name for one in before} == {one.name for one in found}:
                return sorted(found, key=lambda file: (file.modified_ns, self._place(file.path), file.path.name))
        raise self._restless()

    def _listed(self) -> list[SeenFile]:
        found = []
        with os.scandir(self._path.parent) as entries:
            for entry in islice(entries, _MOST_NAMES):
                if self._name.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                    try:
                        found.append(_seen(Path(entry.path), entry.stat(follow_symlinks=False)))
                    except FileNotFoundError:
                        continue  # removed a moment ago
        return found

    def done(self, files: Iterable[SeenFile]) -> None:
        """Know that nothing new is in these, unless they are written to again."""
        self._done.update(file.content for file in files)

    def finished(self, file: BinaryIO) -> None:
        """Know that an open file was read to its end."""
        self._done.add(_seen(self._path, os.fstat(file.fileno())).content)

    def before(self, file: BinaryIO) -> list[SeenFile]:
        """Return the rotated files that are older than an open one: all if that is the current one, none if it was removed."""
        current = self.current()  # before the others: if it is renamed meanwhile, it is among them
        rotated = self.rotated()
        place = next((place for place, one in enumerate(rotated) if one.is_open_as(file)), None)
        if place is not None:
            return rotated[:place]
        return rotated if current is not None and current.is_open_as(file) else []  # rotation removes the oldest first

    def after(self, file: BinaryIO | None) -> list[SeenFile]:
        """Return the files that hold more when that one is read to its end, in their order."""
        current = self.current()
        if file is not None and current is not None and current.is_open_as(file):
            return []
        later = [one for one in self.rotated() if one.content not in self._done]
        if current is not None:
            head = _head(current)
            later = [one for one in later if not _is_copied(one, head)]
            later.append(current)
        return [one for one in later if one.size and not (file is not None and one.is_open_as(file))]

    def find(self, mark: Mark) -> BinaryIO | None:
        """Open the file that a mark was made in, or else its copy; None if there is neither."""
        return self._first(self._all, mark.is_in) or self.find_copy(mark)

    def find_copy(self, mark: Mark) -> BinaryIO | None:
        """Open the copy that was made of a file before it was cut, or return None if there is none."""
        return self._first(self.rotated, mark.is_in_copy)

    def _all(self) -> list[SeenFile]:
        current = self.current()  # before the others: if it is renamed meanwhile, it is among them
        return [*self.rotated(), *([] if current is None else [current])]

    def _first(self, files: Callable[[], list[SeenFile]], is_it: Callable[[BinaryIO], bool]) -> BinaryIO | None:
        """Open the first that it is. If one has another name by now, that may be the one: all are looked at again."""
        for _ in range(_MOST_LOOKS):
            is_each_known = True
            for seen in files():
                file = seen.open()
                if file is None:
                    is_each_known = False
                elif is_it(file):
                    return file
                else:
                    file.close()
            if is_each_known:
                return None
        raise self._restless()

    def _restless(self) -> OSError:
        return OSError(errno.EAGAIN, "its rotated files are being renamed all the time", str(self._path))

    def _place(self, rotated: Path) -> int:
        """Return the place among files of the same time: audit.log.2 is older than audit.log.1."""
        number = rotated.name.removeprefix(f"{self._path.name}.")
        return -int(number) if number.isdecimal() else 0


def _rotated_name(path: Path) -> re.Pattern[str]:
    """Return what the names look like that are made from this one."""
    time = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}"  # kube-apiserver: audit-2026-11-23T12-00-00.000.log
    stem, suffix, whole = map(re.escape, (path.stem, path.suffix, path.name))
    # logrotate: audit.log.1, or with dateext audit.log-20261123 and what may follow
    return re.compile(rf"{stem}-{time}{suffix}|{whole}\.\d{{1,6}}|{whole}-\d{{8}}(-?\d{{1,10}})?")


def _seen(path: Path, about: os.stat_result) -> SeenFile:
    return SeenFile(path, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)


def _head(seen: SeenFile) -> bytes:
    file = seen.open()
    if file is None:
        return b""
    with file:
        return file.read(HEAD_BYTES)


def _is_copied(copy: SeenFile, head: bytes) -> bool:
    """Whether this is a copy of a file that begins so: it may not be complete, and the file itself is not cut yet."""
    return bool(head) and head.startswith(_head(copy) or b"\n")

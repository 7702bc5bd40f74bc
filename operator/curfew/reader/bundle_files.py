"""The files of a bundle, in a folder or a zip file: none of them is trusted.

No file is unpacked to a disk, no link is followed, no read waits for a pipe, and no read returns more than was asked
for.
"""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

from curfew.settings.files import open_regular

MOST_FILES = 1_000_000
MOST_ZIPPED = 200_000
"""Most files of a bundle: in a folder, and in a zip file, whose list of files takes a kilobyte for each."""

BROKEN = (OSError, EOFError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error, zipfile.BadZipFile)
"""The exceptions that reading an altered zip file, or a file that is none, may raise."""

_END, _END_BYTES = b"PK\5\6", 22
_LOCATOR, _LOCATOR_BYTES = b"PK\6\7", 20
_END_64, _END_64_BYTES = b"PK\6\6", 56
_ENTRY = b"PK\1\2"
_LONGEST_COMMENT = 1 << 16
_LONGEST_LIST = 256 * MOST_ZIPPED  # bytes; an entry of ours has 160


class NoBundle(ValueError):
    """A file or folder that is not a bundle. `str(error)` is the reason, as a clause."""


class Files(Protocol):
    """The files of a bundle, by their paths in it."""

    def names(self) -> Sequence[str]:
        """Return the paths of all files."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read. Raise one of `BROKEN` or `KeyError` if it cannot be opened."""
        ...


class FolderFiles:
    """The files of a bundle in a folder."""

    def __init__(self, root: Path) -> None:
        """Begin at a folder, or raise `NoBundle` if there are too many files in it."""
        self._root = root
        found: list[str] = []
        for path in root.rglob("*"):
            if path.is_symlink() or not path.is_dir():
                found.append(path.relative_to(root).as_posix())
            if len(found) > MOST_FILES:
                raise NoBundle(f"it holds more than {MOST_FILES:,} files")
        self._names = sorted(found)

    def names(self) -> Sequence[str]:
        """Return the paths of all files."""
        return self._names

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read."""
        return open_regular(self._root / name)


class ZipFiles:
    """The files of a bundle in a zip file."""

    def __init__(self, file: Path) -> None:
        """Read its list of files, or raise `NoBundle`."""
        try:
            with file.open("rb") as stored:
                _refuse_too_many(stored)
            self._zip = zipfile.ZipFile(file)
        except NoBundle:
            raise
        except BROKEN as error:
            raise NoBundle(f"it is not a zip file that can be read: {error}") from error
        self._names = sorted(one.filename for one in self._zip.infolist() if not one.is_dir())
        for name, after in zip(self._names, self._names[1:], strict=False):
            if name == after:
                raise NoBundle(f"it holds {name!r} twice")
        for one in self._zip.infolist():
            if one.flag_bits & 1 or one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise NoBundle(f"{one.filename!r} in it is encrypted, or compressed in a way that bundles are not")

    def names(self) -> Sequence[str]:
        """Return the paths of all files."""
        return self._names

    def open(self, name: str) -> IO[bytes]:
        """Open a file to be read."""
        return self._zip.open(name)


def _refuse_too_many(stored: IO[bytes]) -> None:
    """Raise `NoBundle` if a zip file lists too many files: Python reads the whole list before it can be checked."""
    size = stored.seek(0, 2)
    begin = max(0, size - _LONGEST_COMMENT - _END_BYTES)
    stored.seek(begin)
    tail = stored.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise zipfile.BadZipFile("it has no list of files")
    at = begin + place
    (length,) = struct.unpack("<L", tail[place + 12 : place + 16])
    if at >= _LOCATOR_BYTES:
        stored.seek(at - _LOCATOR_BYTES)
        if stored.read(4) == _LOCATOR:
            stored.seek(at - _LOCATOR_BYTES - _END_64_BYTES)
            end = stored.read(_END_64_BYTES)
            if end.startswith(_END_64):
                (length,) = struct.unpack("<Q", end[40:48])
                at -= _LOCATOR_BYTES + _END_64_BYTES
    if length > _LONGEST_LIST or length > at:
        raise NoBundle(f"it lists more than {MOST_ZIPPED:,} files, or is cut off. Unpack it, and give the folder")
    stored.seek(at - length)  # where `zipfile` finds the list, whatever position the file itself states
    if stored.read(length).count(_ENTRY) > MOST_ZIPPED:
        raise NoBundle(f"it lists more than {MOST_ZIPPED:,} files. Unpack it, and give the folder")

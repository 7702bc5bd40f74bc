"""How far a file was read, and how to recognise it again after it was renamed.

A file is known by device and inode, and by its first bytes: an inode is used again when a file is deleted, and a file that
was cut begins with other bytes.
"""

import contextlib
import hashlib
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO, Final

import orjson

from curfew.settings.files import read_given

HEAD_BYTES: Final = 1024
_LARGEST: Final = 4096


class PositionUnreadable(Exception):
    """The file that keeps a position holds none. `str(error)` is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file."""

    device: int
    inode: int
    head_bytes: int
    head: str  # SHA-256 of so many bytes at the beginning, in hex
    offset: int
    modified_ns: int  # when the file was last written to, as far as it was read

    @classmethod
    def at(cls, file: BinaryIO, head: bytes, offset: int) -> "Mark":
        """Return the mark of a place in an open file that begins with these bytes."""
        about = os.fstat(file.fileno())
        return cls(about.st_dev, about.st_ino, len(head), _digest(head), offset, about.st_mtime_ns)

    def is_in(self, file: BinaryIO) -> bool:
        """Whether this is the file, and it was not cut."""
        about = os.fstat(file.fileno())
        return (about.st_dev, about.st_ino) == (self.device, self.inode) and self._reaches(file)

    def is_in_copy(self, file: BinaryIO) -> bool:
        """Whether this is a copy of the file, and was made when the file was as long as the mark or longer."""
        return self.head_bytes > 0 and self._reaches(file)

    def _reaches(self, file: BinaryIO) -> bool:
        head = os.pread(file.fileno(), self.head_bytes, 0)
        return os.fstat(file.fileno()).st_size >= self.offset and _digest(head) == self.head


class PositionFile:
    """The file that keeps a mark over restarts."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self._path = path

    def load(self) -> Mark | None:
        """Return the mark, or None if there is none yet. Raise `PositionUnreadable`."""
        try:
            held = orjson.loads(read_given(self._path, _LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise PositionUnreadable(f"{self._path} cannot be read: {_said(error)}") from error
        kinds = {field.name: field.type for field in fields(Mark)}
        if not isinstance(held, dict) or {name: type(value) for name, value in held.items()} != kinds:
            raise PositionUnreadable(f"{self._path} holds no position")
        return Mark(**held)

    def save(self, mark: Mark) -> None:
        """Keep a mark. If the machine loses power, an older one may be back, or none that can be read."""
        beside = self._path.with_name(f"{self._path.name}.new")
        try:
            beside.write_bytes(orjson.dumps(asdict(mark)))
            beside.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()


def _said(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it is not JSON"

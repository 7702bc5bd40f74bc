"""Reading files of any kind: bounded in bytes, and never one that blocks or that has no end."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotAFile(OSError):
    """A path that exists but is no regular file. `str(error)` is a sentence for people."""


class FileTooLarge(OSError):
    """A file that has more bytes than the limit. `str(error)` is a sentence for people."""


def open_regular(path: Path) -> BinaryIO:
    """Open a file that others may have put there. Raise `NotAFile` for a link, a pipe, a device or a socket.

    Raise `IsADirectoryError` for a folder and `FileNotFoundError` for a missing file, as `open` does.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for another process to write to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _not_a_file(path) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)  # fdopen refuses a folder, and leaves it open
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise _not_a_file(path)


def read_given(path: Path, most: int) -> bytes:
    """Return the contents of a file that the user has named; it may be a link or a pipe.

    Raise `FileTooLarge` if it has more than `most` bytes, and `OSError` if it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise FileTooLarge(f"{path} is larger than {most:,} bytes, the most that is read from this kind of file")
    return data


def _not_a_file(path: Path) -> NotAFile:
    return NotAFile(f"{path} is not a regular file but a link, a pipe, a device or a socket. Put the file itself there")

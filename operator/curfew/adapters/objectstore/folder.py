"""A folder as object store: create-only and durable, but not write-once, and its attestation admits that.

An object appears whole or not at all, under its name, once: it is written to a temporary file, that file is flushed to
the disk and linked to its name (which fails if the name is taken), and then the folder is flushed. After `create` has
returned, a power cut loses nothing.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TypeVar

from curfew.ports import (
    MOST_READ,
    Attestation,
    Keep,
    LockEvidence,
    ObjectExists,
    ObjectMissing,
    StoreUnavailable,
    every,
)
from curfew.settings.files import NotAFile, open_regular

R = TypeVar("R")

NOT_WRITE_ONCE = (
    "A folder is not write-once storage: anybody who can write to it can change or remove records. Except for a "
    "trial, use a bucket with Object Lock (s3://BUCKET/PREFIX)."
)
NOT_EXCLUSIVE = "In this folder, a file could be created twice, so two writers would lose records. Use another disk."

# A disk that hangs blocks its threads; they belong to this store, so that nothing else waits for them.
THREADS = 4


class FolderStore:
    """An `ObjectStore` in a folder. It makes the folder itself but not the one around it, as a guard against typos."""

    def __init__(self, root: Path) -> None:
        """Nothing is read or written yet."""
        self._folder = _Folder(root)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="folder-store")

    @property
    def url(self) -> str:
        """Its address."""
        return f"file://{self._folder.root}"

    async def create(self, name: str, body: bytes) -> None:
        """Store a new object, durably. Raise `ObjectExists` if the name is taken."""
        await self._in_thread(lambda: self._folder.create(name, body))

    async def get(self, name: str) -> bytes:
        """Return an object's bytes; of a larger one, the first `MOST_READ` and one more. Raise `ObjectMissing`."""
        return await self._in_thread(lambda: self._folder.get(name))

    async def delete(self, name: str) -> None:
        """Delete an object, durably; no error if it does not exist."""
        await self._in_thread(lambda: self._folder.delete(name))

    async def what_keeps(self, name: str) -> Sequence[str]:
        """Return nothing: a folder does not keep deleted files."""
        return ()

    async def list(self, prefix: str, *, keep: Keep = every, most: int | None = None) -> Sequence[str]:
        """Return the names under a prefix, sorted: of the first `most`, those for which `keep` is true."""
        return await self._in_thread(lambda: sorted(filter(keep, islice(self._folder.names(prefix), most))))

    async def list_partitions(self, prefix: str) -> Sequence[str]:
        """Return the folders one level under a prefix, each with its trailing slash, sorted."""
        return await self._in_thread(lambda: self._folder.partitions(prefix))

    async def attest(self, name: str, at: datetime) -> Attestation:
        """Try to create the object `name` again; nothing more can be proved of a folder."""
        body = await self.get(name)
        try:
            await self.create(name, body)
        except ObjectExists:
            return Attestation(at=at, evidence=LockEvidence.REFUSED, sufficient=False, findings=(NOT_WRITE_ONCE,))
        return Attestation(
            at=at, evidence=LockEvidence.NONE, sufficient=False, findings=(NOT_EXCLUSIVE, NOT_WRITE_ONCE)
        )

    async def _in_thread(self, call: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except OSError as error:
            raise StoreUnavailable(self._folder.sentence(error)) from error


class _Folder:
    """The part that runs in a thread, because a disk may be slow. Raises OSError as well as the errors of `ports`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: set[Path] = set()

    def create(self, name: str, body: bytes) -> None:
        target = self._path(name)
        self._make_folders(target.parent)
        temporary = target.parent / f".{os.getpid()}-{os.urandom(8).hex()}.unfinished"
        try:
            with temporary.open("xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            target.hardlink_to(temporary)
        except FileExistsError as error:
            # The process that took the name may have died before it flushed the folder; a caller who gets "exists" may
            # rely on it.
            _flush(target.parent)
            raise ObjectExists(f"{target} exists.") from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        _flush(target.parent)

    def get(self, name: str) -> bytes:
        path = self._path(name)
        try:
            with open_regular(path) as file:
                # Python reserves the memory for the size that is asked for, so no more is asked for than the file has.
                return file.read(min(os.fstat(file.fileno()).st_size, MOST_READ) + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._require_surroundings()
            raise ObjectMissing(f"{path} does not exist.") from error

    def delete(self, name: str) -> None:
        path = self._path(name)
        self._require_surroundings()
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            _flush(path.parent)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names of all files, in no order. Links to folders are not followed."""
        self._require_surroundings()
        folders = [prefix.rstrip("/")]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(self.root / folder) as entries:
                    for one in entries:
                        if one.name.startswith("."):
                            continue
                        if one.is_dir(follow_symlinks=False):
                            folders.append(f"{folder}/{one.name}".lstrip("/"))
                        elif not one.is_dir():
                            yield f"{folder}/{one.name}".lstrip("/")
            except FileNotFoundError:
                continue

    def partitions(self, prefix: str) -> list[str]:
        self._require_surroundings()
        try:
            with os.scandir(self.root / prefix) as entries:
                names = [one.name for one in entries if one.is_dir() and not one.name.startswith(".")]
        except FileNotFoundError:
            return []
        return sorted(f"{PurePosixPath(prefix, name)}/" for name in names)

    def sentence(self, error: OSError) -> str:
        where = error.filename or self.root
        match error:
            case FileNotFoundError():
                return f"The folder {where} does not exist. Create it, or correct the address file://{self.root}."
            case NotAFile():
                return f"{error}."
            case PermissionError():
                return f"{where} may not be used by this user ({error.strerror}). Give it the right, or use another folder."
            case _:
                return f"The folder {self.root} cannot be used: {error.strerror or error}."

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or any(part.startswith(".") for part in parts):
            raise StoreUnavailable(f"{name!r} is not a name for an object in a folder.")
        return self.root.joinpath(*parts)

    def _make_folders(self, folder: Path) -> None:
        if folder in self._durable and folder.is_dir():
            return
        self._require_surroundings()
        above = [folder, *folder.parents]
        for one in reversed(above[: above.index(self.root) + 1]):
            with contextlib.suppress(FileExistsError):
                one.mkdir()
            # Also if the folder existed: the process that made it may have died before flushing.
            _flush(one.parent)
        self._durable = {folder}

    def _require_surroundings(self) -> None:
        """Raise if the surrounding folder is missing: the disk may not be mounted; an empty listing would be wrong."""
        if not self.root.parent.is_dir():
            raise FileNotFoundError(2, "No such file or directory", str(self.root.parent))


def _flush(folder: Path) -> None:
    """Make the entries of a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

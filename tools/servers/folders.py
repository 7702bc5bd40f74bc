"""Where built binaries and running servers live: outside the checkout, so that `git clean` costs nothing."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

MODULES = Path(__file__).parent.parent
"""The folder that holds one Go module per kind of server."""

KEEP = "CURFEW_KEEP_RUN"
"""Set to anything, this variable keeps run folders, with their logs, after a run that went well."""

_LOCK_NAME = ".in-use"


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return $CURFEW_CACHE, or `curfew` in the user's cache folder."""
    if own := environ.get("CURFEW_CACHE"):
        return Path(own).expanduser().absolute()
    shared = environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser().absolute() if shared else Path.home() / ".cache") / "curfew"


def bin_folder() -> Path:
    """Return where the built binaries are kept."""
    return cache_folder() / "bin"


def run_folder() -> Path:
    """Return where running servers keep their data, keys and logs."""
    return cache_folder() / "run"


class OwnFolder:
    """A folder for one run, readable by its owner only: it will hold private keys.

    It is locked as long as the run lives. What a run leaves behind that failed or was killed is there to be looked at
    until the next run takes it away.
    """

    def __init__(self) -> None:
        """Make the folder; remove those of dead runs."""
        parent = run_folder()
        parent.mkdir(parents=True, exist_ok=True)
        with _making_and_removing(parent):
            for folder in parent.glob("run-*"):
                if (lock := _try_lock(folder)) is not None:
                    lock.close()
                    shutil.rmtree(folder, ignore_errors=True)
            self.path = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
            self._lock = _try_lock(self.path)

    def close(self, *, remove: bool) -> None:
        """Let go of the folder; remove it unless somebody will want to look."""
        if remove and KEEP not in os.environ:
            shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


@contextlib.contextmanager
def _making_and_removing(parent: Path) -> Iterator[None]:
    """Let one at a time in, or a new folder might be taken for a dead one before it is locked."""
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _try_lock(folder: Path) -> IO[str] | None:
    lock = (folder / _LOCK_NAME).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock

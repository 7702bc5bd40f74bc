"""Objects made from settings that change while Curfew runs, such as keys: one rule for all stores.

Calls that have started keep the settings that they started with.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")

READ_AGAIN_SECONDS = 30.0
"""Seconds for which an object made from settings is used before the settings are checked again."""

_SAYS_WHERE: Final = ("ACCOUNT_NAME", "BASE_URL", "BUCKET", "CONTAINER", "EMULATOR", "ENDPOINT")
"""Parts of the names of variables that identify the store, not its user."""


class Current(Generic[T]):
    """Returns the newest version of an object, and checks from time to time whether there is a newer one."""

    def __init__(self, renew: Callable[[T | None], T]) -> None:
        """Make nothing yet. `renew` is given the current object, if there is one, and returns it if nothing changed."""
        self._renew = renew
        self._value: T | None = None
        self._read_at = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """Return the newest object. If it cannot be made, raise what `renew` raises; the next call tries again."""
        with self._lock:
            if self._value is None or time.monotonic() - self._read_at >= READ_AGAIN_SECONDS:
                self._value = self._renew(self._value)
                self._read_at = time.monotonic()
            return self._value


def of_variables(prefix: str, make: Callable[[], T]) -> Current[T]:
    """Return an object made from the variables that begin with `prefix`; made again if they or their files change.

    A log must not go on in another store. So if a variable changes that identifies the store, nothing is made again,
    and the new variables count from the next start.
    """
    made_of: Mapping[str, str] = {}
    files: Mapping[str, object] = {}

    def renew(present: T | None) -> T:
        nonlocal made_of, files
        found = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
        versions = {name: _version(value) for name, value in found.items()}
        is_same = found == made_of and versions == files
        if present is not None and (is_same or _where(found) != _where(made_of)):
            return present
        new = make()
        made_of, files = found, versions
        return new

    return Current(renew)


def _where(variables: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in variables.items() if any(part in name for part in _SAYS_WHERE)}


def _version(path: str) -> object:
    """Return a value that changes with the contents of a file, or None if `path` is not the path of a file."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

"""Curfew in a process whose wall clock can be set: `python -m tests.chaos.stepped FILE ARGUMENTS...`. Only for tests.

FILE holds by how many seconds the clock is ahead, and is read again and again. libfaketime would do the same to the whole
process, but is not on every machine; only this one reader of the clock matters.
"""

import runpy
import sys
import time
from pathlib import Path
from typing import Final

from curfew.adapters import clock

EVERY_NS: Final = 50_000_000


class SetClock:
    """The wall clock, ahead by what the file says."""

    def __init__(self, file: Path) -> None:
        """Read the file."""
        self._file = file
        self._ahead = self._read_at = 0

    def __call__(self) -> int:
        """Return nanoseconds since 1970."""
        now = time.time_ns()
        if now - self._read_at > EVERY_NS:
            self._read_at = now
            self._ahead = int(float(self._file.read_text() or "0") * 1e9)
        return now + self._ahead


if __name__ == "__main__":
    clock.SystemClock.__init__.__defaults__ = (SetClock(Path(sys.argv.pop(1))), clock._boottime)
    runpy.run_module("curfew", run_name="__main__", alter_sys=True)

"""Runs a command as a process that may have no more memory than the pod, and measures how much it takes at most.

The limit is RLIMIT_DATA, which anybody may set for their own process: Linux refuses memory beyond it, and Python raises
`MemoryError`. It counts what is private and writable, whether or not it was ever touched, so it is reached sooner than a
cgroup's limit of as much: that counts pages in use, and besides them only what the kernel holds for the process (sockets) and
files that it can drop. Each process that the command starts has the limit for itself. The peak is of resident memory.

As a command (`python tests/support/peak.py FILE ARGUMENT ...`) it is the process in between: Linux counts to the memory of a
process that of the one which has started it, and a test may be large.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIMIT: Final = 512
"""MiB that a process may have: what the chart gives the pod."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a command."""

    exit_code: int
    output: str  # standard output and standard error
    peak: int  # MiB of resident memory: of the process, or of the largest of those that it started


def measured(arguments: Sequence[object], folder: Path) -> Run:
    """Run Python with some arguments; `folder` is a place for what it prints."""
    told, result = folder / "told.txt", folder / "peak.json"
    with told.open("wb") as output:
        command = [sys.executable, __file__, str(result), *map(str, arguments)]
        subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=True)  # noqa: S603  the tests' own
    exit_code, peak = json.loads(result.read_text())
    return Run(exit_code, told.read_text(), peak)


def limited(process: int) -> None:
    """Have a process, and those that it starts from now on, get no more memory than the limit."""
    resource.prlimit(process, resource.RLIMIT_DATA, (LIMIT << 20, LIMIT << 20))


def _measure(result: Path, arguments: Sequence[str]) -> None:
    limited(0)
    child = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    result.write_text(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024]))


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), sys.argv[2:])

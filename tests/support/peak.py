"""Runs a command as a process of its own and measures the memory that it takes at most.

As a command (`python tests/support/peak.py FILE ARGUMENT ...`) it is the process in between: Linux counts to the memory of a
process that of the one which has started it, and a test may be large.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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


def _measure(result: Path, arguments: Sequence[str]) -> None:
    child = os.posix_spawn(sys.executable, [sys.executable, *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    result.write_text(json.dumps([os.waitstatus_to_exitcode(status), usage.ru_maxrss // 1024]))


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), sys.argv[2:])

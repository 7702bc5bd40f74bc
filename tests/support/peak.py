"""Runs a command of its own process and measures the memory that it takes at most."""

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
    told = folder / "told.txt"
    with told.open("wb") as output:
        command = [sys.executable, *map(str, arguments)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  the tests' own
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Run(process.returncode, told.read_text(), usage.ru_maxrss // 1024)

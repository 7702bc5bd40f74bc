"""A program that is measured from outside: how long it runs on one core, and how much memory it takes."""

import os
import resource
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tools.servers.progress import Progress

LOOK = 0.05
"""Seconds between two looks at the memory."""

SELDOM = 2.0
"""The same, where the time is measured."""


class Failed(Exception):
    """A program that is measured did not do what it was to do."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program took."""

    seconds: float  # from start to end
    processor: float  # seconds of a processor's time: what one core needs for it, whatever else there is to do
    peak: int  # bytes, of the program and all that it started
    output: str


def run(
    command: Sequence[str | Path],
    progress: Progress,
    *,
    cores: int | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
    look: float = LOOK,
) -> Ran:
    """Run a program to its end, on so many cores (None: on all), with variables added; raise `Failed` if it fails.

    Each look at its memory keeps it from its work for some milliseconds: where time is what is asked for, look seldom.
    """
    before = _processor_time()
    with on_cores(cores):
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ}
        )
    peak = 0
    while True:
        try:
            output, errors = process.communicate(timeout=look)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, sum(map(_memory, _tree(process.pid))))
            progress.tick(f"{peak / 1e6:.0f} MB")
        except BaseException:
            process.kill()
            process.wait()
            raise
    seconds = time.perf_counter() - started
    if process.returncode:
        said = (errors or output).strip().splitlines()[-3:]
        raise Failed(f"{' '.join(map(str, command))} ended with {process.returncode}: {' '.join(said)}")
    return Ran(seconds, _processor_time() - before, peak, output)


@contextmanager
def on_cores(count: int | None) -> Iterator[None]:
    """Let what is started within the block run on so many cores only."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def taken_by(pid: int) -> float:
    """Return the time of a processor that a process has taken so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_held_by(pid: int) -> int:
    """Return the most memory that a process has held so far, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _processor_time() -> float:
    """Return the time that ended children have taken, with theirs, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield from _tree(int(child))


def _memory(pid: int) -> int:
    """Return a process's share of the memory in bytes, what several hold together being divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # the same, or no Linux
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)

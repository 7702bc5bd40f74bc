"""How fast a log is verified offline, and in how much memory.

The floor is what no verifier can do without: to unpack the stored bytes and to hash them, `zstd -dc | sha256sum`. Both are
kept to one core and measured in its time, so that nothing else on the machine is measured with them.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, at_least, at_most
from bench.logs import Made
from bench.plan import Plan
from bench.process import run

ABOUT = "verify a log offline; 2 minutes"
MANY = 5_000_000
TIMES = 2
"""How often each is measured; the best counts, because everything else on the machine only takes away."""

_WITH_ZSTD = 'find "$1" -name "*.zst" -print0 | sort -z | xargs -0 zstd -dcq | sha256sum'


def measure(plan: Plan) -> Iterator[Figure]:
    """Verify a log and a quarter of it."""
    log, quarter = plan.log(), plan.log(plan.records // 4)
    with plan.progress(f"unpacking and hashing {log.stored / 1e6:.0f} MB") as progress:
        floor = min(run(_floor(log), progress, cores=1).processor for _ in range(TIMES))
    with plan.progress(f"verifying {log.records:,} records") as progress:
        runs = [run(command(log), progress, cores=1) for _ in range(TIMES)]
        few = [run(command(quarter), progress, cores=1) for _ in range(TIMES)]
    name = "zstd -dc | sha256sum" if shutil.which("zstd") else "unpacking and hashing in Python (there is no zstd here)"
    seconds = min(one.processor for one in runs)
    speed = f"{name} over the same {log.stored / 1e6:.0f} MB: {log.records / floor:,.0f} /s"
    ratio = f"{name}: {floor:.2f} s, verifying: {seconds:.2f} s"
    yield Figure("verify", "records a second, one core", log.records / seconds, "/s", speed, at_least(50_000))
    yield Figure("verify", "time, one core", seconds / floor, "times", ratio, at_most(6))
    low, high = (max(one.peak for one in measured) for measured in (few, runs))
    yield memory((quarter.records, low), (log.records, high))


def command(log: Made) -> list[str]:
    """Return the command that verifies a log."""
    return [sys.executable, "-m", "curfew", "audit", "verify", str(log.folder), "--log", log.log, "--key", log.key]


def _floor(log: Made) -> list[str | Path]:
    if shutil.which("zstd"):
        return ["sh", "-c", _WITH_ZSTD, "sh", log.folder]
    return [sys.executable, "-m", "bench.floor", log.folder]


def memory(small: tuple[int, int], large: tuple[int, int]) -> Figure:
    """Return how much memory `MANY` records take, from the records and the peak in bytes of two logs.

    It is what was measured where the larger one has so many, and where it has fewer, what a straight line says.
    """
    (few, low), (many, high) = small, large
    a_record = (high - low) / (many - few)
    missing = max(MANY - many, 0)
    what = f"memory, {MANY:,} records (expected)" if missing else f"memory, {many:,} records"
    against = f"{low / 1e6:.0f} MB for {few:,}, {high / 1e6:.0f} MB for {many:,}: {a_record:.1f} B a record"
    return Figure("verify", what, (high + max(a_record, 0) * missing) / 1e6, "MB", against, at_most(200))

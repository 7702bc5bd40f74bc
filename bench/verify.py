"""How fast a log is verified offline, and in how much memory.

The floor is what no verifier can do without: to unpack the stored bytes and to hash them, `zstd -dc | sha256sum`.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, at_least, at_most
from bench.logs import Made
from bench.plan import Plan
from bench.process import Ran, run

ABOUT = "verify a log offline; 2 minutes"
MANY = 5_000_000
TIMES = 2
"""How often each is measured; the best counts, because everything else on the machine only takes away."""

_WITH_ZSTD = 'find "$1" -name "*.zst" -print0 | sort -z | xargs -0 zstd -dcq | sha256sum'


def measure(plan: Plan) -> Iterator[Figure]:
    """Verify a log and a quarter of it."""
    log, quarter = plan.log(), plan.log(max(plan.records // 4, 1))
    with plan.progress(f"unpacking and hashing {log.stored / 1e6:.0f} MB") as progress:
        floor = min(run(_floor(log), progress, cores=1).seconds for _ in range(TIMES))
    with plan.progress(f"verifying {log.records:,} records") as progress:
        runs = [run(command(log), progress, cores=1) for _ in range(TIMES)]
        small = run(command(quarter), progress, cores=1)
    seconds = min(one.seconds for one in runs)
    name = "zstd -dc | sha256sum" if shutil.which("zstd") else "unpacking and hashing in Python (there is no zstd here)"
    stored = f"the same {log.stored / 1e6:.0f} MB"
    yield Figure("verify", "records a second on one core", log.records / seconds, "/s",
                 f"{name} over {stored}: {log.records / floor:,.0f}/s", at_least(50_000))  # fmt: skip
    yield Figure("verify", "time on one core", seconds / floor, "times", f"{name}: {floor:.2f} s, we: {seconds:.2f} s",
                 at_most(6))  # fmt: skip
    yield _memory(log, max(runs, key=lambda one: one.peak), quarter, small)


def command(log: Made) -> list[str]:
    """Return the command that verifies a log."""
    return [sys.executable, "-m", "curfew", "audit", "verify", str(log.folder), "--log", log.log, "--key", log.key]


def _floor(log: Made) -> list[str | Path]:
    if shutil.which("zstd"):
        return ["sh", "-c", _WITH_ZSTD, "sh", log.folder]
    return [sys.executable, "-m", "bench.floor", log.folder]


def _memory(log: Made, large: Ran, quarter: Made, small: Ran) -> Figure:
    """Say how much memory a large log takes: measured where it was that large, a straight line through two otherwise."""
    if log.records >= MANY:
        return Figure("verify", f"memory, {log.records:,} records", large.peak / 1e6, "MB",
                      f"{small.peak / 1e6:.0f} MB for {quarter.records:,}", at_most(200))  # fmt: skip
    a_record = (large.peak - small.peak) / (log.records - quarter.records)
    expected = large.peak + max(a_record, 0) * (MANY - log.records)
    return Figure("verify", f"memory, {MANY:,} records (expected)", expected / 1e6, "MB",
                  f"{small.peak / 1e6:.0f} MB for {quarter.records:,}, {large.peak / 1e6:.0f} MB for {log.records:,}: "
                  f"{a_record:.1f} bytes a record", at_most(200))  # fmt: skip

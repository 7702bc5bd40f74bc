"""How long it takes to find one person in a large log: the first time, and when the log has been indexed.

The floor of the first time is to verify the log, since nothing is told of a record that was not verified.
"""

import sys
from collections.abc import Iterator

from bench.figures import Figure, at_most
from bench.logs import Made
from bench.plan import Plan
from bench.process import SELDOM, run
from bench.verify import command as verifying

ABOUT = "find one person in a log; 1 minute"
AGAIN = 3


def measure(plan: Plan) -> Iterator[Figure]:
    """Look for a person, with a cache folder of its own that is empty at first."""
    log = plan.log()
    own = {"XDG_CACHE_HOME": str(plan.folder / "index")}
    with plan.progress(f"verifying {log.records:,} records, on all cores") as progress:
        verified = run(verifying(log), progress, look=SELDOM)
    with plan.progress(f"looking for {log.person}, the first time") as progress:
        first = run(_searching(log), progress, environ=own, look=SELDOM)
    with plan.progress(f"looking for {log.person} again") as progress:
        again = [run(_searching(log), progress, environ=own, look=SELDOM) for _ in range(AGAIN)]
    found = len(first.output.splitlines())
    yield Figure(
        "search",
        f"one person in {log.records:,} records, first time",
        first.seconds / verified.seconds,
        "times",
        f"verify: {verified.seconds:.1f} s, search: {first.seconds:.1f} s, {found:,} records found",
        at_most(1.6),
    )
    yield Figure(
        "search",
        "the same, then",
        min(one.seconds for one in again),
        "s",
        f"the first time: {first.seconds:.1f} s",
        at_most(1.5),
    )


def _searching(log: Made) -> list[str]:
    where = [str(log.folder), "--log", log.log, "--key", log.key]
    return [sys.executable, "-m", "curfew", "audit", "search", *where, "--person", log.person, "-o", "jsonl"]

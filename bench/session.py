"""How long it takes to find what was done with one grant among many calls, and to search both logs.

The floor of the first time is to verify both logs, since nothing is told of a record that was not verified.
"""

import sys
from collections.abc import Iterator

from bench.activity import LOG, TRAIL, MadeUsed, Used, made_used
from bench.figures import Figure, at_most
from bench.plan import Plan
from bench.process import SELDOM, run

ABOUT = "show what was done with one grant; 2 minutes"
AGAIN = 3


def measure(plan: Plan) -> Iterator[Figure]:
    """Search both logs for a person and show a session, with a cache folder of its own that is empty at first."""
    logs = made_used(Used(plan.records), plan.cache)
    own = {"XDG_CACHE_HOME": str(plan.folder / "index")}
    with plan.progress(f"verifying both logs, {logs.calls:,} calls, on all cores") as progress:
        verified = sum(run(_verifying(logs, log), progress, look=SELDOM).processor for log in (TRAIL, LOG))
    with plan.progress(f"looking for {logs.person}, the first time") as progress:
        first = run(_asking(logs, "search", "--person", logs.person), progress, environ=own, look=SELDOM)
    with plan.progress(f"looking for {logs.person} again") as progress:
        again = [
            run(_asking(logs, "search", "--person", logs.person), progress, environ=own, look=SELDOM)
            for _ in range(AGAIN)
        ]
    with plan.progress(f"showing {logs.session}") as progress:
        shown = [run(_asking(logs, "session", logs.session), progress, environ=own, look=SELDOM) for _ in range(AGAIN)]
    yield Figure(
        "session",
        f"search in {logs.calls:,} calls, first time",
        first.processor / verified,
        "times",
        f"a core's time: verify both logs {verified:.1f} s, search {first.processor:.1f} s",
        at_most(2),
    )
    yield Figure(
        "session",
        "the same, then",
        min(one.processor for one in again),
        "s",
        f"a core's time; the first time: {first.processor:.1f} s, {first.peak / 1e6:.0f} MB",
        at_most(2),
    )
    yield Figure(
        "session",
        "the answer for one grant",
        min(one.processor for one in shown),
        "s",
        f"a core's time; {_calls_in(shown[0].output)} in the session, both logs are read by their index",
        at_most(3),
    )


def _verifying(logs: MadeUsed, log: str) -> list[str]:
    where = [str(logs.folder), "--log", log, "--key-file", str(logs.keys)]
    return [sys.executable, "-m", "curfew", "audit", "verify", *where]


def _asking(logs: MadeUsed, command: str, *words: str) -> list[str]:
    where = [str(logs.folder), *words, "--key-file", str(logs.keys)]
    return [sys.executable, "-m", "curfew", "audit", command, *where, *(["-o", "jsonl"] if command == "search" else [])]


def _calls_in(output: str) -> str:
    """Return how many calls a session shows, in its own words."""
    return next(line.split(maxsplit=1)[1] for line in output.splitlines() if line.strip().startswith("Calls "))

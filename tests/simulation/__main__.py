"""Runs schedules: `python -m tests.simulation --seed 7` for one, `--seeds 1 100` for many, `--for 600` for ten minutes.

What breaks a promise is made small and printed. The last line counts, as JSON.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Iterable

HASHES = "PYTHONHASHSEED"


def say(line: object) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201  it is a command


def main() -> int:
    """Run what was asked for, and return 1 if a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seed", type=int, help="run this one, and print its schedule")
    what.add_argument("--seeds", type=int, nargs=2, metavar=("FIRST", "LAST"), help="run these")
    what.add_argument("--for", type=float, dest="seconds", metavar="SECONDS", help="run seeds until the time is over")
    what.add_argument("--bugs", type=int, metavar="MOST", help="plant each bug, and try at most so many seeds on each")
    what.add_argument("--crashes", type=int, nargs=2, metavar=("EVERY", "FIRST"), help="die at every so many-th call")
    parser.add_argument("--first", type=int, default=1, help="the first seed of --for and --bugs")
    parser.add_argument("--bug", help="plant this bug first, and end with the first seed that finds it (see bugs.py)")
    given = parser.parse_args()
    if given.bugs is not None:
        return find_bugs(given.first, given.bugs)
    if given.crashes is not None:
        return crash_everywhere(*given.crashes)
    if given.seed is not None:
        return run_seeds([given.seed], given.bug, is_shown=True)
    if given.seeds is not None:
        return run_seeds(range(given.seeds[0], given.seeds[1] + 1), given.bug)
    until = time.monotonic() + given.seconds
    return run_seeds(itertools.takewhile(lambda _: time.monotonic() < until, itertools.count(given.first)), given.bug)


def run_seeds(seeds: Iterable[int], bug: str | None, *, is_shown: bool = False) -> int:
    """Run seeds, with a bug if one is named."""
    import pytest

    from tests.simulation.bugs import BUGS
    from tests.simulation.running import run
    from tests.simulation.schedule import draw
    from tests.simulation.shrinking import shrunk

    with pytest.MonkeyPatch.context() as patch:
        if bug is not None:
            next(one for one in BUGS if one.__name__ == bug)(patch)
        began, tried, broken = time.process_time(), 0, []
        for seed in seeds:
            schedule, tried = draw(seed), tried + 1
            world = run(schedule)
            if is_shown:
                say(schedule)
            if world.broken:
                broken.append(seed)
                small = shrunk(schedule, lambda one: bool(run(one).broken))
                say(f"seed {seed} breaks a promise:\n{small}\n  " + "\n  ".join(run(small).broken))
                if bug is not None:
                    break
    say(json.dumps({"seeds": tried, "broken": broken, "seconds": round(time.process_time() - began, 1)}))
    return 1 if broken else 0


def find_bugs(first: int, most: int) -> int:
    """Plant each bug, and find a seed that notices it: the one that did so before, or the first one."""
    import pytest

    from tests.simulation.bugs import BUGS, FOUND_BY
    from tests.simulation.running import run
    from tests.simulation.schedule import draw

    began, found, honest = time.process_time(), {}, dict[int, list[str]]()
    for bug in BUGS:
        seed = None
        with pytest.MonkeyPatch.context() as patch:
            bug(patch)
            tries = (FOUND_BY.get(bug.__name__, first), *range(first, first + most))
            seed = next((seed for seed in tries if run(draw(seed)).broken), None)
        if seed is not None and seed not in honest:
            honest[seed] = run(draw(seed)).broken
        found[bug.__name__] = {"seed": seed, "broken without it": honest[seed] if seed is not None else []}
    say(json.dumps({"found": found, "seconds": round(time.process_time() - began, 1)}))
    return 0


def crash_everywhere(every: int, first: int) -> int:
    """Let a replica die at each call of a story, before and after its effect."""
    from tests.simulation.crashing import crash_at, undisturbed

    began, broken, tried = time.process_time(), [], 0
    calls, expected = undisturbed()
    for number in range(first, len(calls) + 1, every):
        for after in (False, True):
            tried += 1
            problems = crash_at(number, expected, after_effect=after)
            if problems:
                broken.append(f"call {number}, {calls[number - 1]}, {'after' if after else 'before'}: {problems}")
    took = round(time.process_time() - began, 1)
    say(json.dumps({"calls": len(calls), "tried": tried, "broken": broken, "seconds": took}))
    return 1 if broken else 0


if __name__ == "__main__":
    if os.environ.get(HASHES) != "0":  # sets must have the same order in each run
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, HASHES: "0"})  # noqa: S606  ourselves
    sys.exit(main())

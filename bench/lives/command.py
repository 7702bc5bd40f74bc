"""Measures some rows, with or without the floor, and shows which calls were made and where the operator's time went."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.figures import as_table, machine
from bench.lives import age_command
from bench.lives.measuring import CONTENDERS, Choice, Seen, measure
from bench.lives.profile import as_profile
from bench.lives.results import RESULTS, add_run, as_run
from bench.lives.rows import BURST, FULL, ROWS
from bench.lives.table import SUBJECT, table
from bench.plan import SECONDS
from bench.process import Failed
from curfew.adapters.clock import SystemClock
from tools.servers.errors import ServersError

FAILED: Final = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was chosen and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["age"]:
        return age_command.main(given[1:])
    chosen = _parse(given)
    who = [SUBJECT] if chosen.alone else list(CONTENDERS)
    choice = Choice(chosen.seconds, who, chosen.rows or FULL, chosen.many, not chosen.no_fsync, samples=chosen.profile)
    _tell(f"Measuring on {machine()}:")
    try:
        seen = measure(choice, _tell)
    except (Failed, ServersError) as error:
        _tell(str(error))
        return FAILED
    print(as_table(list(table(seen))))
    print(_calls(seen))
    if chosen.save:
        add_run(RESULTS, as_run(seen, SystemClock().now()))
    if chosen.profile:
        print(as_profile(chosen.profile.read_text()))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.lives", description=__doc__, epilog="`python -m bench.lives age` measures an old cluster."
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(ROWS)}")
    parser.add_argument("--alone", action="store_true", help="without the floor")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long a rate is kept up (%(default)s)")
    parser.add_argument("--many", type=int, default=BURST, help="how many at once (%(default)s)")
    parser.add_argument("--no-fsync", action="store_true", help="etcd does not wait for the disk")
    parser.add_argument(
        "--profile", type=_absolute, metavar="FILE", help="write the operator's stacks there, and show what took most"
    )
    parser.add_argument(
        "--save", action="store_true", help="keep the run for docs/performance.md; then `make generate`"
    )
    chosen = parser.parse_args(arguments)
    if chosen.save and (chosen.rows or chosen.alone or chosen.profile or chosen.no_fsync):
        parser.error("only a run of the whole table, with the floor and nothing that disturbs it, can be kept")
    for row in chosen.rows:
        if row not in ROWS:
            parser.error(f"there is no row {row}; there is {', '.join(ROWS)}")
    return chosen


def _absolute(text: str) -> Path:
    return Path(text).absolute()


def _calls(seen: Mapping[str, Seen]) -> str:
    return "\n".join(
        f"{name} makes for a request: {', '.join(f'{number:.2f} {kind}' for kind, number in one.calls.items())}"
        for name, one in seen.items()
    )


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""`make bench`: measure, print each figure beside its bound, and say by the exit code whether all bounds are met."""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench import append, intake, monitored, receipt, search, session, start, verify
from bench.figures import Figure, as_json, as_table, machine
from bench.lives import table
from bench.plan import RECORDS, SECONDS, Plan
from bench.process import Failed
from curfew.ports import StoreError
from tools.servers.errors import ServersError
from tools.servers.folders import OwnFolder

MET, MISSED, USAGE, FAILED = 0, 1, 2, 3
"""Exit codes."""

Bench = Callable[[Plan], Iterator[Figure]]

BENCHES: Mapping[str, tuple[str, Bench]] = {
    "verify": (verify.ABOUT, verify.measure),
    "append": (append.ABOUT, append.measure),
    "receipt": (receipt.ABOUT, receipt.measure),
    "start": (start.ABOUT, start.measure),
    "search": (search.ABOUT, search.measure),
    "session": (session.ABOUT, session.measure),
    "intake": (intake.ABOUT, intake.measure),
    "monitored": (monitored.ABOUT, monitored.measure),
    "lives": (table.ABOUT, table.measured),
    "age": (table.ABOUT_AGE, table.aged),
}
"""What there is to measure, how long it takes at the default sizes on two cores, and how it is done."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was chosen, or all of it, and return the exit code."""
    chosen = _parse(arguments)
    names = chosen.names or list(BENCHES)
    _tell(f"Measuring on {machine()}:")
    for name in names:
        _tell(f"    {name:10}{BENCHES[name][0]}")
    _tell(f"The first time, logs of {chosen.records:,} records are made and kept: some minutes more.")
    folder = OwnFolder()
    plan = Plan(folder.path, records=chosen.records, seconds=chosen.seconds)
    figures: list[Figure] = []
    try:
        for name in names:
            figures += BENCHES[name][1](plan)
    except (Failed, StoreError, ServersError) as error:
        _tell(f"{name} cannot be measured: {error}")
        return FAILED
    finally:
        folder.close(remove=True)
    print(as_json(figures) if chosen.json else as_table(figures))
    missed = sum(figure.is_missed for figure in figures)
    if missed:
        _tell(f"{missed} of {len(figures)} figures miss their bounds. Other work on the machine is measured as well.")
    return MISSED if missed else MET


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description='Measure. With make, arguments go into ARGS="...".',
        epilog="Exit code 0: all bounds are met. 1: one is missed. 2: the command was wrong. 3: something broke.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"what to measure (default: all): {', '.join(BENCHES)}"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument(
        "--records", type=_number(int, 100), default=RECORDS, help="in the logs that are read (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds",
        type=_number(float, 0.1),
        default=SECONDS,
        help="how long a rate is kept up (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in BENCHES:
            parser.error(f"there is no {name} to measure; there is {', '.join(BENCHES)}")
    return chosen


def _number(kind: type[int] | type[float], least: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not value >= least:
            raise argparse.ArgumentTypeError(f"{text} is too little to measure with; {least} is the least")
        return value

    read.__name__ = "number"  # what argparse calls it where it is none
    return read


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
